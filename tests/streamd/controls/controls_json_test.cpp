#include "streamd/controls/controls_json.h"

#include "core/camera/pattern_controls.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace picam {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;

WantedControls::View patternView(ControlValues set = {})
{
    WantedControls::View view;
    view.camera = ControlsCamera::Opened{"pattern", "The pattern", PatternControls::infos(), true, {}};
    view.set.values = set;
    view.wanted = std::move(set);
    view.generation = 17;
    return view;
}

json told(const WantedControls::View &view, const ControlsAsker &asker = {"picam", true})
{
    return json::parse(controlsJson(view, asker));
}

TEST(ControlsJson, SaysWhatThereIsBeforeAnyCamera)
{
    WantedControls::View view;
    view.wanted = {{"Brightness", 0.5}};
    EXPECT_EQ(told(view, {"", false}), json::parse(R"({"camera": null, "open": false, "generation": 0, "in_force": 0,
        "may_change": false, "user": "", "held_back": false, "kept": true, "controls": {}, "state": {}, "problems": {},
        "misfits": {"Brightness": 0.5}, "presets": {}})"));
}

TEST(ControlsJson, DescribesEveryControlInTheOrderOfThePage)
{
    const auto text = controlsJson(patternView(), {"picam", true});
    const auto document = ordered_json::parse(text);
    std::vector<std::string> names;
    for (const auto &[name, node] : document["controls"].items())
        names.push_back(name);
    std::vector<std::string> expected;
    for (const ControlInfo &info : PatternControls::infos())
        expected.push_back(info.name);
    EXPECT_EQ(names, expected);
    EXPECT_EQ(text.back(), '\n');

    const auto all = told(patternView());
    EXPECT_EQ(all["camera"], json::parse(R"({"id": "pattern", "name": "The pattern"})"));
    EXPECT_EQ(all["generation"], 17);
    EXPECT_EQ(all["user"], "picam");
    const json &controls = all["controls"];
    EXPECT_EQ(controls["Brightness"], json::parse(R"({"type": "number", "group": "Image", "level": "basic", "min": -1.0,
        "max": 1.0, "step": 0.01, "default": 0.0, "wanted": 0.0, "set": false})"));
    EXPECT_EQ(controls["ExposureTimeMode"], json::parse(R"({"type": "enum", "group": "Exposure", "level": "basic",
        "values": ["Auto", "Manual"], "default": "Auto", "wanted": "Auto", "set": false})"));
    EXPECT_EQ(controls["AwbEnable"], json::parse(R"({"type": "bool", "group": "Colour", "level": "basic",
        "default": true, "wanted": true, "set": false})"));
    EXPECT_EQ(controls["ColourGains"]["type"], "numbers");
    EXPECT_EQ(controls["ColourGains"]["size"], 2);
    EXPECT_EQ(controls["ColourGains"]["level"], "expert");
    EXPECT_EQ(controls["ExposureTime"]["type"], "integer");
    EXPECT_EQ(controls["AfMode"]["group"], "Focus");
    EXPECT_EQ(controls["Zoom"]["group"], "Zoom");
}

TEST(ControlsJson, SaysWhatIsWantedAndByWhom)
{
    auto view = patternView({{"Brightness", 0.5}});
    view.wanted["Contrast"] = 2.0; // of the settings
    const auto controls = told(view)["controls"];
    EXPECT_EQ(controls["Brightness"]["wanted"], 0.5);
    EXPECT_EQ(controls["Brightness"]["set"], true);
    EXPECT_EQ(controls["Contrast"]["wanted"], 2.0);
    EXPECT_EQ(controls["Contrast"]["set"], false);
}

TEST(ControlsJson, WhatTheCameraDecidesHasNothingWanted)
{
    auto view = patternView();
    view.camera->infos.front().default_value.reset();
    const auto node = told(view)["controls"][view.camera->infos.front().name];
    EXPECT_FALSE(node.contains("wanted"));
    EXPECT_FALSE(node.contains("default"));
}

TEST(ControlsJson, SaysWhyAControlHasNoEffect)
{
    const auto automatic = told(patternView())["controls"];
    EXPECT_EQ(automatic["ExposureTime"]["locked"], "ExposureTimeMode is Auto");
    EXPECT_EQ(automatic["ZoomCentre"]["locked"], "Zoom is 1");
    EXPECT_FALSE(automatic["Brightness"].contains("locked"));
    const auto by_hand = told(patternView({{"ExposureTimeMode", std::string("Manual")}}))["controls"];
    EXPECT_FALSE(by_hand["ExposureTime"].contains("locked"));
}

TEST(ControlsJson, SaysWhatTheCameraReports)
{
    auto view = patternView();
    CaptureMetadata &metadata = view.camera->in_force.metadata;
    metadata.exposure_time = 33333us;
    metadata.analogue_gain = 1.1F;
    metadata.color_gains = {1.8F, 1.5F};
    metadata.color_temperature = 5000; // of which the pattern has no control
    metadata.lens_position = 2.0F;
    metadata.exposure_converged = true;
    metadata.white_balance_converged = false;
    metadata.focus_state = FocusState::kScanning;
    view.camera->in_force.generation = 16;
    auto all = told(view);
    EXPECT_EQ(all["in_force"], 16);
    EXPECT_EQ(all["controls"]["ExposureTime"]["actual"], 33333);
    EXPECT_EQ(all["controls"]["AnalogueGain"]["actual"], 1.1) << "without the digits of a float";
    EXPECT_EQ(all["controls"]["ColourGains"]["actual"], json::parse("[1.8, 1.5]"));
    EXPECT_EQ(all["controls"]["LensPosition"]["actual"], 2.0);
    EXPECT_FALSE(all["controls"]["Brightness"].contains("actual"));
    EXPECT_FALSE(all["controls"].contains("ColourTemperature"));
    EXPECT_EQ(all["state"],
              json::parse(R"({"exposure": "converged", "white_balance": "searching", "focus": "scanning"})"));
    // Of a camera that is closed now all of it is of the past.
    view.camera->open = false;
    view.camera->in_force.held_back = true;
    view.camera->in_force.problems = {{"HdrMode", "the camera refused it"}};
    all = told(view);
    EXPECT_EQ(all["open"], false);
    EXPECT_EQ(all["in_force"], 0);
    EXPECT_EQ(all["held_back"], false);
    EXPECT_EQ(all["state"], json::object());
    EXPECT_EQ(all["problems"], json::object());
    EXPECT_FALSE(all["controls"]["ExposureTime"].contains("actual"));
    EXPECT_THAT(controlsText(view), Not(HasSubstr("refused")));
}

TEST(ControlsJson, SaysWhatWasReadOfTheCamera)
{
    auto view = patternView();
    ControlInfos &infos = view.camera->infos;
    infos.push_back(
        {.name = "v4l2.white_balance_automatic", .type = ControlType::kBool, .default_value = true, .values = {}});
    infos.push_back({.name = "v4l2.white_balance_temperature",
                     .type = ControlType::kInteger,
                     .min = 2000,
                     .max = 7000,
                     .default_value = {},
                     .values = {}});
    view.camera->in_force.read = {{"v4l2.white_balance_automatic", true},
                                  {"v4l2.white_balance_temperature", std::int64_t{3200}}};
    auto all = told(view)["controls"];
    EXPECT_EQ(all["v4l2.white_balance_automatic"]["actual"], true);
    EXPECT_FALSE(all["v4l2.white_balance_temperature"].contains("actual")) << "the automatism has moved it since";
    view.camera->in_force.read_lately = true;
    all = told(view)["controls"];
    EXPECT_EQ(all["v4l2.white_balance_temperature"]["actual"], 3200);
    EXPECT_THAT(controlsText(view), HasSubstr("\t3200\tv4l2.white_balance_automatic is true\n"));
    // By hand nothing moves it.
    view.camera->in_force.read_lately = false;
    view.wanted = {{"v4l2.white_balance_automatic", false}};
    EXPECT_EQ(told(view)["controls"]["v4l2.white_balance_temperature"]["actual"], 3200);
}

TEST(ControlsJson, TellsProblemsAndMisfits)
{
    auto view = patternView({{"Brightness", 7.0}, {"Foo", std::int64_t{3}}, {"Contrast", 2.0}});
    view.camera->in_force.problems = {{"HdrMode", "the camera refused \"it\""}};
    view.camera->in_force.held_back = true;
    view.kept = false;
    view.set.presets["n\xc3\xa4ght \"1\""] = {{"Brightness", 0.25}};
    const auto all = told(view);
    EXPECT_EQ(all["problems"], json::parse(R"({"HdrMode": "the camera refused \"it\""})"));
    EXPECT_EQ(all["misfits"], json::parse(R"({"Brightness": 7.0, "Foo": 3})"));
    EXPECT_EQ(all["held_back"], true);
    EXPECT_EQ(all["kept"], false);
    EXPECT_EQ(all["presets"], json::parse("{\"n\xc3\xa4ght \\\"1\\\"\": {\"Brightness\": 0.25}}"));
}

TEST(ControlsJson, IsJsonWhateverTheTextsAre)
{
    auto view = patternView({{"Foo", std::string("\xff\x01\"\n")}});
    view.camera->name = "cam\xfe\"\n";
    view.camera->id = std::string("a\0b", 3);
    view.camera->in_force.metadata.analogue_gain = std::numeric_limits<float>::quiet_NaN();
    view.camera->in_force.metadata.lens_position = std::numeric_limits<float>::infinity();
    view.set.presets["\xff"] = {};
    EXPECT_TRUE(json::accept(controlsJson(view, {"\xff\"", true})));
}

TEST(ControlsText, HasALineOfFiveFieldsForEachControl)
{
    auto view = patternView({{"ColourGains", std::vector<double>{1.5, 2.0}}});
    view.camera->in_force.metadata.exposure_time = 33333us;
    view.camera->in_force.problems = {{"HdrMode", "the camera refused it"}};
    const auto text = controlsText(view);
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++lines) {
        const auto line = text.substr(at, text.find('\n', at) - at);
        EXPECT_EQ(std::count(line.begin(), line.end(), '\t'), 4) << line;
    }
    EXPECT_EQ(lines, PatternControls::infos().size());
    EXPECT_THAT(text,
                HasSubstr("ExposureTime\t20000\ta whole number, 100 to 4000000\t33333\tExposureTimeMode is Auto\n"));
    EXPECT_THAT(text, HasSubstr("ColourGains\t1.5 2\t2 numbers, 0 to 8\t\tAwbEnable is true\n"));
    EXPECT_THAT(text, HasSubstr("HdrMode\tOff\tOff, SingleExposure\t\tthe camera refused it\n"));
    EXPECT_EQ(controlsText({}), "");
}

TEST(ControlsInForce, AreThoseThatWorkNow)
{
    EXPECT_EQ(controlsInForce({}), ControlValues{});
    auto view =
        patternView({{"Brightness", 0.5}, {"ExposureTime", std::int64_t{5000}}, {"Contrast", 99.0}, {"Foo", true}});
    view.camera->in_force.problems = {{"HdrMode", "the camera refused it"}};
    view.camera->in_force.metadata.exposure_time = 33333us;
    const auto values = controlsInForce(view);
    EXPECT_EQ(values.at("Brightness"), ControlValue(0.5));
    EXPECT_EQ(values.at("Contrast"), ControlValue(1.0)) << "what is not allowed is the default";
    EXPECT_EQ(values.at("ExposureTime"), ControlValue(std::int64_t{33333})) << "what the automatism found";
    EXPECT_FALSE(values.contains("HdrMode"));
    EXPECT_FALSE(values.contains("Foo"));
    EXPECT_FALSE(values.contains("ZoomCentre")) << "it is locked";
    view.camera->in_force.held_back = true;
    EXPECT_EQ(controlsInForce(view), (ControlValues{{"ExposureTime", std::int64_t{33333}}}));
    view.camera->open = false;
    EXPECT_EQ(controlsInForce(view), ControlValues{});
}

TEST(RefusalJson, HasWhatIsKnown)
{
    EXPECT_EQ(json::parse(refusalJson({"no", {}, {}, {}})), json::parse(R"({"error": "no"})"));
    EXPECT_EQ(json::parse(refusalJson({"no", "a", std::vector<double>{1, 2}, "b"})),
              json::parse(R"({"error": "no", "name": "a", "value": [1.0, 2.0], "allowed": "b"})"));
    EXPECT_TRUE(json::accept(refusalJson({"\xff", "\"", std::string("\xff\n"), "\x01"})));
}

} // namespace
} // namespace picam
