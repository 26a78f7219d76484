#include "streamd/controls/wanted_controls.h"

#include "core/base/log.h"
#include "tests/streamd/controls/served_controls.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picam {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ServedControls;
using Numbers = std::vector<double>;

ControlsChange setting(const std::string &name, ControlValue value)
{
    ControlsChange change;
    change.controls[name] = std::move(value);
    return change;
}
ControlsChange resetting(const std::string &name)
{
    ControlsChange change;
    change.controls[name] = std::nullopt;
    return change;
}
ControlsChange keeping(const std::string &preset, ControlValues values)
{
    ControlsChange change;
    change.presets[preset] = std::move(values);
    return change;
}
ControlsChange choosing(const std::string &preset)
{
    ControlsChange change;
    change.preset = preset;
    return change;
}

class WantedControlsTest : public ::testing::Test {
protected:
    // Why not; empty: it was done.
    std::string refusal(const ControlsChange &change)
    {
        const auto refusal = served.wanted->change(change, "picam");
        return refusal ? refusal->error : "";
    }
    ControlValues set() { return served.wanted->view().set.values; }
    std::uint32_t generation() { return served.wanted->view().generation; }
    ControlsDocument published() const { return served.files->load(); }
    // Nothing can be published until it is gone.
    [[nodiscard]] std::string obstacle() const { return served.settings.path(".controls.new"); }

    ServedControls served;
};

TEST_F(WantedControlsTest, AChangeIsPublishedAndAnnounced)
{
    served.open();
    EXPECT_EQ(generation(), 0U);
    EXPECT_EQ(refusal(setting("Brightness", 0.5)), "");
    EXPECT_EQ(generation(), 1U);
    EXPECT_EQ(served.store->requests().controlsGeneration(), 1U);
    const auto document = published();
    EXPECT_EQ(document.generation, 1U);
    EXPECT_EQ(document.camera, "pattern");
    EXPECT_EQ(document.cameras.at("pattern").values, (ControlValues{{"Brightness", 0.5}}));
}

TEST_F(WantedControlsTest, ValuesAreKeptInTheTypeOfTheirControl)
{
    served.open();
    EXPECT_EQ(refusal(setting("Brightness", std::int64_t{1})), "");
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 1.0}}));
}

TEST_F(WantedControlsTest, AllOfAChangeIsMadeOrNothing)
{
    served.open();
    ASSERT_EQ(refusal(setting("Contrast", 2.0)), "");
    const auto before = published();
    const std::string etag = served.wanted->etag();
    ControlsChange change;
    change.controls = {{"Brightness", 0.5}, {"Contrast", std::nullopt}, {"Zoom", 99.0}};
    change.presets = {{"night", ControlValues{}}};
    EXPECT_EQ(refusal(change), "Zoom is 1 to 4");
    change.controls.erase("Zoom");
    change.presets["night"] = ControlValues{{"Foo", 1.0}};
    EXPECT_EQ(refusal(change), "the camera has no control Foo");
    EXPECT_EQ(published(), before);
    EXPECT_EQ(served.wanted->etag(), etag);
    EXPECT_EQ(served.store->requests().controlsGeneration(), 1U);
}

TEST_F(WantedControlsTest, TheTagChangesWhenWhatIsWantedDoesAndOnlyThen)
{
    served.open();
    std::string before = served.wanted->etag();
    const auto same = [&] { return std::exchange(before, served.wanted->etag()) == before; };
    served.camera.opened->in_force.generation = 99;
    served.camera.opened->in_force.metadata.exposure_time = std::chrono::microseconds(5);
    served.camera.opened->in_force.problems = {{"Zoom", "no"}};
    EXPECT_TRUE(same()) << "what the camera reports is outside it";
    served.camera.opened->open = false;
    EXPECT_TRUE(same());
    const auto expect_new = [&](const ControlsChange &change) {
        ASSERT_EQ(refusal(change), "");
        EXPECT_FALSE(same());
        ASSERT_EQ(refusal(change), "");
        EXPECT_TRUE(same()) << "it was so before";
    };
    expect_new(setting("Brightness", 0.5));
    expect_new(setting("Brightness", 0.25));
    expect_new(keeping("night", {{"Brightness", 0.5}}));
    expect_new(choosing("night"));
    expect_new(keeping("night", {}));
    expect_new(resetting("Brightness"));
    EXPECT_EQ(served.wanted->focus(std::nullopt, "picam"), std::nullopt);
    EXPECT_FALSE(same());
    EXPECT_EQ(served.wanted->reset("picam"), std::nullopt);
    EXPECT_FALSE(same());
    EXPECT_EQ(served.wanted->reset("picam"), std::nullopt);
    EXPECT_TRUE(same());
}

TEST_F(WantedControlsTest, TheTagIsOneThatHttpAllows)
{
    served.open("usb \"\\\n\xff");
    ASSERT_EQ(refusal(setting("AwbMode", std::string("Daylight"))), "");
    const std::string etag = served.wanted->etag();
    EXPECT_EQ(etag.front(), '"');
    EXPECT_EQ(etag.find('"', 1), etag.size() - 1);
    EXPECT_EQ(etag.find_first_not_of("\"-0123456789abcdef"), std::string::npos) << etag;
}

TEST_F(WantedControlsTest, WhatIsWantedBeforeAnyCameraIsTheFirstOnes)
{
    EXPECT_EQ(refusal(setting("Brightness", 0.5)), "");
    EXPECT_EQ(refusal(setting("Anything", std::int64_t{3})), "") << "it may have it";
    EXPECT_EQ(published().cameras.at("").values.size(), 2U);
    served.open("first");
    EXPECT_EQ(set(), (ControlValues{{"Anything", std::int64_t{3}}, {"Brightness", 0.5}}));
    served.open("second");
    EXPECT_EQ(set(), ControlValues{});
    served.open("first");
    EXPECT_EQ(set().size(), 2U);
    EXPECT_EQ(refusal(resetting("Anything")), "") << "what the camera does not have can be taken back";
    EXPECT_EQ(refusal(resetting("Anything")), "the camera has no control Anything");
}

TEST_F(WantedControlsTest, EveryProgramKnowsWhoseItIs)
{
    ASSERT_EQ(refusal(setting("Brightness", 0.5)), "");
    served.open("first");
    EXPECT_EQ(set().size(), 1U);
    // The others open cameras by what is published.
    const auto request = controlsRequest(published(), {});
    EXPECT_EQ(request.wantedOf("first").size(), 1U);
    EXPECT_EQ(request.wantedOf("second"), ControlValues{}) << "the first has it";
    served.restart();
    served.open("second");
    EXPECT_EQ(set(), ControlValues{});
}

TEST_F(WantedControlsTest, EachCameraHasItsOwn)
{
    served.open("a");
    ASSERT_EQ(refusal(setting("Brightness", 0.1)), "");
    const std::string tag = served.wanted->etag();
    served.open("b");
    EXPECT_NE(served.wanted->etag(), tag) << "it is about another camera";
    ASSERT_EQ(refusal(setting("Brightness", 0.2)), "");
    served.open("a");
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 0.1}}));
    // Nobody has opened one yet: that which was opened last.
    served.camera.opened.reset();
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 0.1}}));
}

TEST_F(WantedControlsTest, OneAlternativeTakesTheOthersPlace)
{
    served.open();
    ControlInfo temperature = *findControl(PatternControls::infos(), "ExposureTime");
    temperature.name = "ColourTemperature";
    served.camera.opened->infos.push_back(temperature);
    ASSERT_EQ(refusal(setting("ColourGains", Numbers{1.0, 2.0})), "");
    ASSERT_EQ(refusal(setting("ColourTemperature", std::int64_t{5000})), "");
    EXPECT_EQ(set(), (ControlValues{{"ColourTemperature", std::int64_t{5000}}}));
    ASSERT_EQ(refusal(setting("ColourGains", Numbers{1.0, 2.0})), "");
    EXPECT_EQ(set(), (ControlValues{{"ColourGains", Numbers{1.0, 2.0}}}));
    ControlsChange both = setting("ColourGains", Numbers{1.0, 2.0});
    both.controls["ColourTemperature"] = std::int64_t{5000};
    EXPECT_THAT(refusal(both), HasSubstr("exclude each other"));
    both.controls["ColourGains"] = std::nullopt; // one of them goes
    EXPECT_EQ(refusal(both), "");
    EXPECT_EQ(set(), (ControlValues{{"ColourTemperature", std::int64_t{5000}}}));
    // In whichever order their names stand.
    ControlsChange back = setting("ColourGains", Numbers{1.0, 2.0});
    back.controls["ColourTemperature"] = std::nullopt;
    EXPECT_EQ(refusal(back), "");
    EXPECT_EQ(set(), (ControlValues{{"ColourGains", Numbers{1.0, 2.0}}}));
}

TEST_F(WantedControlsTest, WhatIsResetIsRestoredByWhoeverOpensTheCamera)
{
    served.open();
    ASSERT_EQ(refusal(setting("Brightness", 0.5)), "");
    ASSERT_EQ(refusal(resetting("Brightness")), "");
    EXPECT_TRUE(published().cameras.at("pattern").restored.contains("Brightness"));
    ASSERT_EQ(refusal(setting("Brightness", 0.5)), "");
    EXPECT_FALSE(published().cameras.at("pattern").restored.contains("Brightness"));
    ASSERT_EQ(served.wanted->reset("picam"), std::nullopt);
    EXPECT_TRUE(published().cameras.at("pattern").restored.contains("Brightness"));
}

TEST_F(WantedControlsTest, WhatIsResetDoesNotPileUp)
{
    // Of a camera that is not known any name may be a control's.
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(refusal(setting("Control" + std::to_string(i), 1.0)), "");
        ASSERT_EQ(refusal(resetting("Control" + std::to_string(i))), "");
    }
    ASSERT_EQ(refusal(setting("Brightness", 0.5)), "");
    EXPECT_LE(published().cameras.at("").restored.size(), WantedControls::kMaxControls);
    // What the camera that comes does not have makes room for what it has.
    served.open();
    ASSERT_EQ(refusal(resetting("Brightness")), "");
    EXPECT_EQ(published().cameras.at("pattern").restored, (std::set<std::string, std::less<>>{"Brightness"}));
}

TEST_F(WantedControlsTest, APresetIsWhatItWasAndNothingElse)
{
    served.open();
    ASSERT_EQ(refusal(keeping("night", {{"Brightness", 0.5}, {"Zoom", std::int64_t{2}}})), "");
    EXPECT_EQ(set(), ControlValues{}) << "to keep it is not to want it";
    ASSERT_EQ(refusal(setting("Contrast", 2.0)), "");
    ASSERT_EQ(refusal(choosing("night")), "");
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 0.5}, {"Zoom", 2.0}}));
    // What comes with it counts more.
    ControlsChange change = choosing("night");
    change.controls["Zoom"] = 3.0;
    change.controls["Contrast"] = 1.5;
    ASSERT_EQ(refusal(change), "");
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 0.5}, {"Contrast", 1.5}, {"Zoom", 3.0}}));
    EXPECT_EQ(refusal(choosing("day")), "there is no preset day");
    ControlsChange gone;
    gone.presets["night"] = std::nullopt;
    ASSERT_EQ(refusal(gone), "");
    EXPECT_EQ(refusal(choosing("night")), "there is no preset night");
    ASSERT_EQ(refusal(gone), "") << "it is gone";
}

TEST_F(WantedControlsTest, PresetsAreFewAndHaveShortNames)
{
    served.open();
    for (std::size_t i = 0; i < WantedControls::kMaxPresets; ++i)
        ASSERT_EQ(refusal(keeping("preset" + std::to_string(i), {})), "");
    EXPECT_EQ(refusal(keeping("one more", {})), "there are at most 16 presets");
    EXPECT_EQ(refusal(keeping("preset3", {{"Brightness", 0.5}})), "") << "it takes the place of one";
    ControlsChange change = keeping("one more", {});
    change.presets["preset3"] = std::nullopt;
    EXPECT_EQ(refusal(change), "") << "one goes, one comes";
    for (const std::string &bad :
         {std::string(), std::string(33, 'x'), std::string("a\nb"), std::string("\x7f"), std::string(1, '\0')})
        EXPECT_EQ(refusal(keeping(bad, {})), "a preset's name has 1 to 32 bytes");
    ControlsChange deleting;
    deleting.presets["preset4"] = std::nullopt;
    ASSERT_EQ(refusal(deleting), "");
    EXPECT_EQ(refusal(keeping(std::string(32, 'x'), {})), "");
}

TEST_F(WantedControlsTest, UnknownCamerasHaveManyControlsAtMost)
{
    ControlsChange change;
    for (std::size_t i = 0; i <= WantedControls::kMaxControls; ++i)
        change.controls["Control" + std::to_string(i)] = 1.0;
    EXPECT_EQ(refusal(change), "there are at most 128 controls");
    EXPECT_EQ(generation(), 0U);
    change.controls.erase(change.controls.begin());
    EXPECT_EQ(refusal(change), "");
}

TEST_F(WantedControlsTest, WhatIsPublishedCanAlwaysBeReadAgain)
{
    // As large as changes let it become: names, numbers and presets without end.
    ControlValues many;
    for (int i = 0; i < 120; ++i)
        many["Control" + std::string(50, 'x') + std::to_string(i)] = Numbers(16, -1.2345678901234567e-300);
    bool refused = false;
    for (std::size_t i = 0; i < WantedControls::kMaxPresets; ++i) {
        refused = refusal(keeping("preset" + std::to_string(i), many)) != "" || refused;
        ASSERT_TRUE(parseControlsDocument(serializeControlsDocument(published())));
        ASSERT_EQ(published().generation, generation());
    }
    EXPECT_TRUE(refused);
    ControlsChange change;
    change.presets["preset0"] = std::nullopt;
    EXPECT_EQ(refusal(change), "") << "there is a way back";
}

TEST_F(WantedControlsTest, GenerationsWrapAndAreNeverZero)
{
    ControlsDocument document;
    document.generation = 4294967294U;
    ASSERT_TRUE(served.files->publish(document));
    served.store->requests().setControlsGeneration(document.generation);
    served.restart();
    served.open();
    EXPECT_EQ(generation(), 4294967294U);
    ASSERT_EQ(refusal(setting("Brightness", 0.1)), "");
    EXPECT_EQ(generation(), 4294967295U);
    ASSERT_EQ(refusal(setting("Brightness", 0.2)), "");
    EXPECT_EQ(generation(), 1U);
    EXPECT_EQ(served.store->requests().controlsGeneration(), 1U);
    served.restart();
    EXPECT_EQ(generation(), 1U);
    EXPECT_EQ(set(), (ControlValues{{"Brightness", 0.2}}));
}

TEST_F(WantedControlsTest, WhatIsSetByHandWithoutAValueKeepsTheOneThatWasFound)
{
    served.open();
    served.camera.opened->in_force.metadata.exposure_time = std::chrono::microseconds(12345);
    served.camera.opened->in_force.metadata.color_gains = {2.5F, 1.5F};
    ASSERT_EQ(refusal(setting("ExposureTimeMode", std::string("Manual"))), "");
    EXPECT_EQ(set().at("ExposureTime"), ControlValue(std::int64_t{12345}));
    ASSERT_EQ(refusal(setting("AwbEnable", false)), "");
    EXPECT_EQ(set().at("ColourGains"), ControlValue(std::vector<double>{2.5, 1.5}));
    // Of a webcam by V4L2, where it was read lately.
    ControlInfos &infos = served.camera.opened->infos;
    infos.push_back(
        {.name = "v4l2.focus_automatic_continuous", .type = ControlType::kBool, .default_value = true, .values = {}});
    infos.push_back(
        {.name = "v4l2.focus_absolute", .type = ControlType::kInteger, .max = 250, .default_value = {}, .values = {}});
    served.camera.opened->in_force.read = {{"v4l2.focus_absolute", std::int64_t{120}}};
    ASSERT_EQ(refusal(setting("v4l2.focus_automatic_continuous", false)), "");
    EXPECT_FALSE(set().contains("v4l2.focus_absolute"));
    ASSERT_EQ(refusal(setting("v4l2.focus_automatic_continuous", true)), "");
    served.camera.opened->in_force.read_lately = true;
    ASSERT_EQ(refusal(setting("v4l2.focus_automatic_continuous", false)), "");
    EXPECT_EQ(set().at("v4l2.focus_absolute"), ControlValue(std::int64_t{120}));
    // A value that somebody wants is not what was found.
    served.camera.opened->in_force.metadata.exposure_time = std::chrono::microseconds(20000);
    ASSERT_EQ(refusal(setting("ExposureTimeMode", std::string("Manual"))), "");
    EXPECT_EQ(set().at("ExposureTime"), ControlValue(std::int64_t{12345}));
}

TEST_F(WantedControlsTest, ARestartKeepsWhatWasWanted)
{
    served.open();
    ASSERT_EQ(refusal(setting("Brightness", 0.5)), "");
    ASSERT_EQ(refusal(keeping("night", {{"Zoom", 2.0}})), "");
    const std::string etag = served.wanted->etag();
    served.restart();
    EXPECT_EQ(served.wanted->etag(), etag) << "who had the page open may go on";
    // A reboot takes the runtime directory: the destructor has written the rest.
    std::filesystem::remove(served.settings.path(".controls"));
    std::filesystem::remove(served.settings.storePath());
    served.restart();
    EXPECT_EQ(served.wanted->etag(), etag);
    EXPECT_EQ(served.store->requests().controlsGeneration(), 1U) << "a preset changes nothing in the pictures";
}

TEST_F(WantedControlsTest, PicturesOfBeforeALossAreNotOfAfterIt)
{
    served.open();
    for (const double brightness : {0.1, 0.2, 0.3})
        ASSERT_EQ(refusal(setting("Brightness", brightness)), "");
    const std::string etag = served.wanted->etag();
    served.wanted.reset(); // which writes
    std::filesystem::remove(served.settings.path(".controls"));
    std::filesystem::remove_all(served.settings.state_dir);
    served.restart();
    EXPECT_EQ(set(), ControlValues{});
    EXPECT_NE(served.wanted->etag(), etag) << "of the same generation, but not of the same state";
    EXPECT_EQ(generation(), 3U);
    ASSERT_EQ(refusal(setting("Brightness", 0.4)), "");
    EXPECT_EQ(generation(), 4U);
    EXPECT_EQ(served.store->requests().controlsGeneration(), 4U);
}

TEST_F(WantedControlsTest, WhatCannotBePublishedIsNotWanted)
{
    served.open();
    ASSERT_EQ(refusal(setting("Brightness", 0.1)), "");
    const std::string etag = served.wanted->etag();
    std::filesystem::create_directory(obstacle());
    const auto refused = served.wanted->change(setting("Brightness", 0.2), "picam");
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->ours);
    EXPECT_FALSE(refused->error.empty());
    EXPECT_TRUE(served.wanted->reset("picam")->ours);
    EXPECT_TRUE(served.wanted->focus(std::nullopt, "picam")->ours);
    EXPECT_EQ(served.wanted->etag(), etag);
    EXPECT_EQ(published().cameras.at("pattern").values, (ControlValues{{"Brightness", 0.1}}));
    EXPECT_EQ(served.store->requests().controlsGeneration(), 1U);
    // What is not to be is the change's own fault all the same.
    EXPECT_FALSE(served.wanted->change(setting("Brightness", 7.0), "picam")->ours);
    std::filesystem::remove(obstacle());
    EXPECT_EQ(refusal(setting("Brightness", 0.2)), "");
}

TEST_F(WantedControlsTest, TheSettingsAreWantedWhereNobodyWishes)
{
    served.settings.camera.controls = {{"Brightness", 0.3}, {"ColourTemperature", std::int64_t{5000}}};
    served.restart();
    served.open();
    ASSERT_EQ(refusal(setting("Contrast", 2.0)), "");
    EXPECT_EQ(served.wanted->view().wanted.at("Brightness"), ControlValue(0.3));
    EXPECT_EQ(set(), (ControlValues{{"Contrast", 2.0}}));
    ASSERT_EQ(refusal(setting("Brightness", 0.4)), "");
    EXPECT_EQ(served.wanted->view().wanted.at("Brightness"), ControlValue(0.4));
    ASSERT_EQ(refusal(setting("ColourGains", Numbers{1.0, 2.0})), "");
    EXPECT_FALSE(served.wanted->view().wanted.contains("ColourTemperature")) << "they exclude each other";
    EXPECT_FALSE(published().cameras.at("pattern").values.contains("ColourTemperature")) << "settings are not kept";
}

TEST_F(WantedControlsTest, FocusesThereWhereTheCameraCan)
{
    served.open();
    ControlInfos &infos = served.camera.opened->infos;
    infos.push_back({"AfMetering",
                     ControlType::kEnum,
                     ControlGroup::kFocus,
                     true,
                     0,
                     0,
                     0,
                     std::string("Auto"),
                     {"Auto", "Windows"},
                     0});
    infos.push_back({"AfWindows", ControlType::kNumbers, ControlGroup::kFocus, true, 0, 1, 0, std::nullopt, {}, 4});
    for (const auto &[x, y] : std::vector<std::pair<double, double>>{{0, 0}, {1, 1}, {0.3, 0.6}}) {
        ASSERT_EQ(served.wanted->focus(std::pair{x, y}, "picam"), std::nullopt);
        EXPECT_EQ(set().at("AfMode"), ControlValue(std::string("Auto")));
        EXPECT_EQ(set().at("AfMetering"), ControlValue(std::string("Windows")));
        const auto window = std::get<Numbers>(set().at("AfWindows"));
        ASSERT_EQ(window.size(), 4U);
        EXPECT_LE(window[0], x);
        EXPECT_GE(window[0] + window[2] + 1e-9, x);
        EXPECT_LE(window[1], y);
        EXPECT_GE(window[1] + window[3] + 1e-9, y);
        EXPECT_LE(window[0] + window[2], 1.0 + 1e-9);
    }
    EXPECT_EQ(published().cameras.at("pattern").focus, 3U);
    std::erase_if(infos, [](const ControlInfo &info) { return info.name == "AfMode"; });
    EXPECT_EQ(served.wanted->focus(std::nullopt, "picam")->error, "the camera does not focus on demand");
}

TEST_F(WantedControlsTest, TheLogSaysWhoSetWhat)
{
    served.open();
    ControlsChange change;
    change.controls = {{"AwbMode", std::nullopt}, {"Brightness", 0.2}};
    change.presets = {{"day", std::nullopt}, {"night", ControlValues{{"Zoom", 2.0}}}};
    EXPECT_EQ(change.text(), "AwbMode=default, Brightness=0.2, preset day=deleted, preset night=(Zoom=2)");
    EXPECT_EQ(choosing("night").text(), "preset=night");
    ::testing::internal::CaptureStderr();
    ASSERT_EQ(served.wanted->change(change, "gar\ndener"), std::nullopt);
    ASSERT_EQ(served.wanted->change(change, "again"), std::nullopt);
    ASSERT_TRUE(served.wanted->change(setting("Brightness", 7.0), "refused"));
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, HasSubstr("controls set by gar?dener: AwbMode=default, Brightness=0.2"));
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << "nothing that is not new: " << log;
}

} // namespace
} // namespace picam
