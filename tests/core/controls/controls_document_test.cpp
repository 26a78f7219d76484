#include "core/controls/controls_document.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using Numbers = std::vector<double>;

ControlsDocument real()
{
    ControlsDocument document;
    document.generation = 4294967295U;
    document.camera = "usb-\"1\"\\-046d:0825";
    CameraControls &camera = document.cameras[document.camera];
    camera.values = {{"Brightness", 0.1},
                     {"ExposureTime", std::int64_t{5000}},
                     {"AwbEnable", false},
                     {"AwbMode", std::string("Daylight")},
                     {"ColourGains", Numbers{1.5, 1.0 / 3}},
                     {"v4l2.gain", std::int64_t{-9223372036854775807}}};
    camera.restored = {"Contrast", "v4l2.sharpness"};
    camera.focus = 7;
    camera.presets = {{"night", {{"Brightness", 0.3}}}, {"\xc3\xa4 \"day\"", {}}};
    document.cameras[""].values = {{"Zoom", 2.0}};
    return document;
}

void expectCorrupt(const std::string &text)
{
    const auto document = parseControlsDocument(text);
    ASSERT_FALSE(document) << text.substr(0, 200);
    EXPECT_EQ(document.error().kind, ErrorKind::kCorrupt);
}

TEST(ControlsDocument, ComesBackAsItWas)
{
    const auto document = parseControlsDocument(serializeControlsDocument(real()));
    ASSERT_TRUE(document);
    EXPECT_EQ(*document, real());
    EXPECT_EQ(parseControlsDocument(serializeControlsDocument({})), ControlsDocument{});
}

TEST(ControlsDocument, ItsFormatIsTheOneThatIsDescribed)
{
    const auto document = parseControlsDocument(
        R"({"version": 1, "generation": 17, "camera": "ID", "cameras": {"ID": {"values": {"Brightness": 0.2},
            "restored": ["Contrast"], "focus": 2, "presets": {"night": {"Brightness": 0.3}}}}})");
    ASSERT_TRUE(document);
    EXPECT_EQ(document->generation, 17U);
    const CameraControls expected{{{"Brightness", 0.2}}, {"Contrast"}, 2, {{"night", {{"Brightness", 0.3}}}}};
    EXPECT_EQ(document->cameras.at("ID"), expected);
}

TEST(ControlsDocument, WhatANewerVersionAddsDoesNotMatter)
{
    EXPECT_TRUE(
        parseControlsDocument(R"({"version": 1, "generation": 1, "cameras": {"a": {"new": [1]}}, "more": {}})"));
    expectCorrupt(R"({"version": 2, "generation": 1, "cameras": {}})");
}

TEST(ControlsDocument, TruncatedAnywhereItIsDamaged)
{
    const std::string text = serializeControlsDocument(real());
    const std::size_t end = text.rfind('}');
    for (std::size_t length = 0; length <= end; ++length)
        expectCorrupt(text.substr(0, length));
    EXPECT_TRUE(parseControlsDocument(text.substr(0, end + 1)));
    expectCorrupt(text + "x");
    expectCorrupt(text + text);
}

TEST(ControlsDocument, WithAnyByteLostItIsWholeOrDamaged)
{
    const std::string text = serializeControlsDocument(real());
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string damaged = text;
        damaged[at] = '\0';
        if (const auto document = parseControlsDocument(damaged); document) {
            EXPECT_TRUE(parseControlsDocument(serializeControlsDocument(*document)));
        }
    }
    expectCorrupt(std::string(4096, '\0')); // what a file system may leave after a power cut
}

TEST(ControlsDocument, AWrongTypeAnywhereIsDamage)
{
    const std::vector<std::string> values{
        "null",      "true", "-1", "1.5", "\"x\"", "[]", "[1]", "{}", "{\"a\":1}", "1e400", "18446744073709551616",
        "4294967296"};
    // Each place takes those of `values` whose index it names.
    const std::vector<std::pair<std::string, std::set<std::size_t>>> places{
        {R"(@)", {}},
        {R"({"version":@,"generation":1,"cameras":{}})", {}},
        {R"({"version":1,"generation":@,"cameras":{}})", {}},
        {R"({"version":1,"generation":1,"camera":@,"cameras":{}})", {4}},
        {R"({"version":1,"generation":1,"cameras":@})", {7}},
        {R"({"version":1,"generation":1,"cameras":{"a":@}})", {7, 8}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"values":@}}})", {7, 8}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"values":{"B":@}}}})", {1, 2, 3, 4, 5, 6, 10, 11}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"values":{"B":[@]}}}})", {2, 3, 10, 11}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"restored":@}}})", {5}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"restored":[@]}}})", {4}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"focus":@}}})", {}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"presets":@}}})", {7}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"presets":{"n":@}}}})", {7, 8}},
        {R"({"version":1,"generation":1,"cameras":{"a":{"presets":{"n":{"B":@}}}}})", {1, 2, 3, 4, 5, 6, 10, 11}},
    };
    for (const auto &[place, good] : places)
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::string text = place;
            text.replace(text.find('@'), 1, values[i]);
            EXPECT_EQ(parseControlsDocument(text).has_value(), good.contains(i)) << text;
        }
}

TEST(ControlsDocument, NamesAndTextsAreChecked)
{
    const auto with = [](const std::string &object) {
        return R"({"version":1,"generation":1,"cameras":{"a":)" + object + "}}";
    };
    EXPECT_TRUE(parseControlsDocument(with(R"({"values":{"a.b_1":"text"}})")));
    expectCorrupt(with(R"({"values":{"":1}})"));
    expectCorrupt(with(R"({"values":{"a b":1}})"));
    expectCorrupt(with(R"({"values":{")" + std::string(65, 'n') + R"(":1}})"));
    expectCorrupt(with(R"({"values":{"a":")" + std::string(65, 'n') + R"("}})"));
    expectCorrupt(with(R"({"values":{"a":"x\ny"}})"));
    expectCorrupt(with(R"({"values":{"a":"x\u0000y"}})"));
    expectCorrupt(with("{\"values\":{\"a\":\"\xff\"}}"));
    expectCorrupt(with(R"({"values":{"a":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}})"));
    expectCorrupt(with(R"({"restored":["a b"]})"));
}

std::string nested(std::size_t depth, const std::string &inside = "")
{
    return std::string(depth, '[') + inside + std::string(depth, ']');
}

TEST(ControlsDocument, DeepNestingIsDamageAndNoCrash)
{
    // As deep as the size lets it be.
    constexpr std::size_t kDepth = 130000;
    expectCorrupt(nested(kDepth));
    expectCorrupt(std::string(2 * kDepth, '['));
    for (const std::string name : {"version", "generation", "camera", "cameras"})
        expectCorrupt("{\"" + name + "\":" + nested(kDepth) + "}");
    for (const std::string name : {"version", "generation", "camera", "cameras"})
        expectCorrupt(R"({"version":1,"generation":1,"camera":"","cameras":{},")" + name + "\":" + nested(kDepth) +
                      "}");
    for (const std::string name : {"values", "restored", "focus", "presets"})
        expectCorrupt(R"({"version":1,"generation":1,"cameras":{"a":{")" + name + "\":" + nested(kDepth) + "}}}");
    expectCorrupt(R"({"version":1,"generation":1,"cameras":{"a":{"values":{"B":)" + nested(kDepth) + "}}}}");
    expectCorrupt(R"({"version":1,"generation":1,"cameras":{"a":{"restored":[)" + nested(kDepth) + "]}}}");
    EXPECT_TRUE(parseControlsDocument(R"({"version":1,"generation":1,"cameras":{},"new":)" + nested(kDepth) + "}"));
}

TEST(ControlsDocument, HasALargestSize)
{
    const std::string text = serializeControlsDocument(real());
    EXPECT_TRUE(parseControlsDocument(text + std::string(ControlsDocument::kMaxBytes - text.size(), ' ')));
    expectCorrupt(text + std::string(ControlsDocument::kMaxBytes - text.size() + 1, ' '));
}

TEST(ControlsDocument, WhatIsNoTextIsWrittenAllTheSame)
{
    ControlsDocument document;
    document.cameras["\xff\xfe"].values = {{"Brightness", 0.5}}; // a camera's id is its driver's
    EXPECT_TRUE(parseControlsDocument(serializeControlsDocument(document)));
}

TEST(ControlsRequest, WhatIsWantedIsTheWishElseTheSettings)
{
    const auto request = controlsRequest(real(), {{"Brightness", 0.9}, {"Contrast", 2.0}});
    EXPECT_EQ(request.generation, 4294967295U);
    const auto known = request.wantedOf(real().camera);
    EXPECT_EQ(known.at("Brightness"), ControlValue(0.1));
    EXPECT_EQ(known.at("Contrast"), ControlValue(2.0));
    // A camera of which nothing is known gets what was wanted before any was.
    EXPECT_EQ(request.wantedOf("new"), (ControlValues{{"Zoom", 2.0}, {"Brightness", 0.9}, {"Contrast", 2.0}}));
    EXPECT_EQ(controlsRequest({}, {}).wantedOf("new"), ControlValues{});
    EXPECT_EQ(controlsRequest({}, {}).of("new"), CameraControls{});
}

TEST(ControlsRequest, AWishGoesBeforeTheSettingThatItExcludes)
{
    ControlsDocument document;
    document.cameras["a"].values = {{"ColourGains", Numbers{1.0, 2.0}}};
    const auto request = controlsRequest(document, {{"ColourTemperature", std::int64_t{5000}}, {"AwbEnable", false}});
    EXPECT_EQ(request.wantedOf("a"), (ControlValues{{"ColourGains", Numbers{1.0, 2.0}}, {"AwbEnable", false}}));
    EXPECT_EQ(request.wantedOf("b").at("ColourTemperature"), ControlValue(std::int64_t{5000}));
}

} // namespace
} // namespace picam
