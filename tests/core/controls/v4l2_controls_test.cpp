#include "core/controls/v4l2_controls.h"

#include "tests/fakes/fake_webcam.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <linux/videodev2.h>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace picam {
namespace {

using testing::FakeControl;
using testing::FakeDevice;
using testing::FakeWebcam;
using testing::menu;
using testing::switched;

bool libcameraHasNone(std::string_view)
{
    return false;
}

std::vector<std::string> names(const ControlInfos &infos)
{
    std::vector<std::string> result;
    for (const ControlInfo &info : infos)
        result.push_back(info.name);
    return result;
}

class V4l2ControlsTest : public ::testing::Test {
protected:
    FakeWebcam webcam;
    V4l2Controls controls{std::make_unique<FakeDevice>(webcam)};

    ControlInfos infos() { return controls.infos(libcameraHasNone); }

    std::string errorOf(const std::string &name, const ControlValue &value)
    {
        const Expected<void> result = controls.set(name, value);
        return result ? "" : result.error().message;
    }
};

TEST_F(V4l2ControlsTest, DescribesEachTypeByItsNumberAndNotTheDriversText)
{
    webcam.controls[V4L2_CID_SHARPNESS] = {};
    webcam.controls[V4L2_CID_AUTO_WHITE_BALANCE] = switched(true);
    webcam.controls[V4L2_CID_POWER_LINE_FREQUENCY] = menu({{0, "Disabled"}, {1, "50 Hz"}, {2, "60 Hz"}});
    webcam.controls[V4L2_CID_FOCUS_ABSOLUTE] = {.max = 250, .step = 5, .default_value = 0};
    webcam.controls[V4L2_CID_ZOOM_ABSOLUTE] = {.min = 100, .max = 400, .default_value = 100};
    webcam.controls[V4L2_CID_CAMERA_CLASS_BASE + 77] = {}; // unknown
    const ControlInfos all = infos();
    ASSERT_EQ(names(all),
              (std::vector<std::string>{"v4l2.sharpness", "v4l2.power_line_frequency", "v4l2.white_balance_automatic",
                                        "v4l2.focus_absolute", "v4l2.zoom_absolute"}));
    EXPECT_EQ(all[0], (ControlInfo{.name = "v4l2.sharpness",
                                   .type = ControlType::kInteger,
                                   .group = ControlGroup::kImage,
                                   .expert = true,
                                   .min = 0,
                                   .max = 10,
                                   .step = 1,
                                   .default_value = std::int64_t{5},
                                   .values = {},
                                   .size = 0}));
    EXPECT_EQ(all[1], (ControlInfo{.name = "v4l2.power_line_frequency",
                                   .type = ControlType::kEnum,
                                   .group = ControlGroup::kExposure,
                                   .expert = false,
                                   .default_value = std::string("50 Hz"),
                                   .values = {"Disabled", "50 Hz", "60 Hz"},
                                   .size = 0}));
    EXPECT_EQ(all[2], (ControlInfo{.name = "v4l2.white_balance_automatic",
                                   .type = ControlType::kBool,
                                   .group = ControlGroup::kColour,
                                   .expert = false,
                                   .default_value = true,
                                   .values = {},
                                   .size = 0}));
    EXPECT_EQ(all[3].group, ControlGroup::kFocus);
    EXPECT_EQ(all[3].step, 5.0);
    EXPECT_EQ(all[4].group, ControlGroup::kZoom);
    EXPECT_EQ(all[4].min, 100.0);
}

TEST_F(V4l2ControlsTest, LeavesOutWhatLibcameraHas)
{
    const std::vector<std::pair<std::uint32_t, std::string>> both{
        {V4L2_CID_BRIGHTNESS, "Brightness"},          {V4L2_CID_CONTRAST, "Contrast"},
        {V4L2_CID_SATURATION, "Saturation"},          {V4L2_CID_GAMMA, "Gamma"},
        {V4L2_CID_EXPOSURE_AUTO, "AeEnable"},         {V4L2_CID_EXPOSURE_AUTO, "ExposureTimeMode"},
        {V4L2_CID_EXPOSURE_ABSOLUTE, "ExposureTime"}, {V4L2_CID_GAIN, "AnalogueGain"},
    };
    for (const auto &[id, name] : both) {
        webcam.controls = {{id, {}}, {V4L2_CID_HUE, {}}};
        EXPECT_EQ(infos().size(), 2U) << name;
        const auto left = controls.infos([&name = name](std::string_view asked) { return asked == name; });
        EXPECT_EQ(names(left), std::vector<std::string>{"v4l2.hue"}) << name;
    }
    EXPECT_EQ(errorOf("v4l2.gain", std::int64_t{5}), "the camera has no v4l2.gain"); // as it was left out last
    EXPECT_TRUE(webcam.set.empty());
}

TEST_F(V4l2ControlsTest, LeavesOutWhatIsNoChoice)
{
    const auto offered = [&](const FakeControl &control) {
        webcam.controls = {{V4L2_CID_SHARPNESS, control}};
        return !infos().empty();
    };
    EXPECT_TRUE(offered({}));
    EXPECT_TRUE(offered({.flags = V4L2_CTRL_FLAG_INACTIVE | V4L2_CTRL_FLAG_GRABBED | V4L2_CTRL_FLAG_VOLATILE}));
    for (const std::uint32_t flag :
         std::vector<std::uint32_t>{V4L2_CTRL_FLAG_DISABLED, V4L2_CTRL_FLAG_READ_ONLY, V4L2_CTRL_FLAG_WRITE_ONLY})
        EXPECT_FALSE(offered({.flags = flag})) << flag;
    for (const std::uint32_t type :
         std::vector<std::uint32_t>{V4L2_CTRL_TYPE_BUTTON, V4L2_CTRL_TYPE_INTEGER64, V4L2_CTRL_TYPE_STRING,
                                    V4L2_CTRL_TYPE_BITMASK, V4L2_CTRL_TYPE_U8, 999})
        EXPECT_FALSE(offered({.type = type})) << type;
    EXPECT_FALSE(offered({.min = 5, .max = 5}));
    EXPECT_FALSE(offered({.min = 6, .max = 5}));
    EXPECT_FALSE(offered(menu({})));
    EXPECT_FALSE(offered(menu({{1, "the only one"}})));
    EXPECT_FALSE(offered(menu({{0, "a"}, {1, "b"}}, std::numeric_limits<std::int32_t>::max())));
    webcam.gone = ENODEV;
    EXPECT_TRUE(infos().empty());
}

TEST_F(V4l2ControlsTest, MendsWhatACameraGetsWrong)
{
    webcam.controls[V4L2_CID_SHARPNESS] = {.step = 0, .default_value = 4000};
    webcam.controls[V4L2_CID_HUE] = {
        .min = std::numeric_limits<std::int32_t>::min(), .max = std::numeric_limits<std::int32_t>::max(), .step = -3};
    webcam.controls[V4L2_CID_GAIN] = {.step = 100};
    webcam.controls[V4L2_CID_POWER_LINE_FREQUENCY] =
        menu({{0, "50 Hz"}, {2, "50 Hz"}, {3, ""}, {5, "50 Hz (2)"}, {6, std::string(40, 'a')}, {7, "\xff\n\"t"}}, 7);
    for (const bool old : {false, true}) {
        webcam.old_calls_only = old;
        const ControlInfos all = infos();
        EXPECT_EQ(findControl(all, "v4l2.sharpness")->step, 1.0);
        EXPECT_EQ(findControl(all, "v4l2.sharpness")->default_value, std::nullopt);
        EXPECT_EQ(findControl(all, "v4l2.gain")->step, 1.0);
        EXPECT_GE(findControl(all, "v4l2.hue")->step, 1.0);
        EXPECT_EQ(
            findControl(all, "v4l2.power_line_frequency")->values,
            (std::vector<std::string>{"50 Hz", "50 Hz (2)", "3", "50 Hz (2) (2)", std::string(32, 'a'), "??\"t"}));
        EXPECT_EQ(findControl(all, "v4l2.power_line_frequency")->default_value, std::nullopt);
    }
}

TEST_F(V4l2ControlsTest, SetsAndGetsEachType)
{
    webcam.controls[V4L2_CID_SHARPNESS] = {.min = -7};
    webcam.controls[V4L2_CID_AUTO_WHITE_BALANCE] = switched(true);
    webcam.controls[V4L2_CID_POWER_LINE_FREQUENCY] = menu({{0, "Disabled"}, {2, "60 Hz"}, {3, "Auto"}});
    webcam.controls[V4L2_CID_BACKLIGHT_COMPENSATION] = menu({{0, "-100"}, {1, "0"}, {2, "9000000000"}});
    webcam.controls[V4L2_CID_BACKLIGHT_COMPENSATION].type = V4L2_CTRL_TYPE_INTEGER_MENU;
    const std::vector<std::pair<std::string, ControlValue>> wanted{
        {"v4l2.sharpness", std::int64_t{-7}},
        {"v4l2.sharpness", std::int64_t{10}},
        {"v4l2.white_balance_automatic", false},
        {"v4l2.white_balance_automatic", true},
        {"v4l2.power_line_frequency", std::string("60 Hz")},
        {"v4l2.backlight_compensation", std::string("9000000000")},
    };
    for (const bool old : {false, true}) {
        webcam.old_calls_only = old;
        webcam.set.clear();
        EXPECT_EQ(infos().size(), 4U);
        for (const auto &[name, value] : wanted) {
            EXPECT_EQ(errorOf(name, value), "");
            EXPECT_EQ(controls.get(name), value) << name;
        }
        EXPECT_EQ(webcam.set, (std::vector<std::pair<std::uint32_t, std::int32_t>>{
                                  {V4L2_CID_SHARPNESS, -7},
                                  {V4L2_CID_SHARPNESS, 10},
                                  {V4L2_CID_AUTO_WHITE_BALANCE, 0},
                                  {V4L2_CID_AUTO_WHITE_BALANCE, 1},
                                  {V4L2_CID_POWER_LINE_FREQUENCY, 2},
                                  {V4L2_CID_BACKLIGHT_COMPENSATION, 2},
                              }));
    }
    webcam.controls[V4L2_CID_POWER_LINE_FREQUENCY].value = 1; // not in the menu
    EXPECT_EQ(controls.get("v4l2.power_line_frequency"), std::nullopt);
    EXPECT_EQ(controls.get("v4l2.hue"), std::nullopt);
    EXPECT_EQ(controls.get(""), std::nullopt);
    EXPECT_FALSE(controls.isUnplugged());
    webcam.gone = EIO; // it answers nothing, and may again
    EXPECT_EQ(controls.get("v4l2.sharpness"), std::nullopt);
    EXPECT_FALSE(controls.isUnplugged());
    webcam.gone = ENODEV;
    EXPECT_EQ(controls.get("v4l2.sharpness"), std::nullopt);
    EXPECT_TRUE(controls.isUnplugged());
}

TEST_F(V4l2ControlsTest, AnyValueOfAnyTypeIsSafe)
{
    webcam.controls[V4L2_CID_SHARPNESS] = {};
    webcam.controls[V4L2_CID_AUTO_WHITE_BALANCE] = switched(true);
    webcam.controls[V4L2_CID_POWER_LINE_FREQUENCY] = menu({{0, "Disabled"}, {1, "50 Hz"}});
    EXPECT_EQ(errorOf("v4l2.sharpness", std::int64_t{5}), "the camera has no v4l2.sharpness"); // before infos()
    infos();
    const std::vector<ControlValue> values{
        true,
        std::int64_t{11},
        std::int64_t{-1},
        std::int64_t{5} + (std::int64_t{1} << 32),
        std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min(),
        5.0,
        std::nan(""),
        std::numeric_limits<double>::infinity(),
        std::string(),
        std::string("5"),
        std::string(4096, 'x'),
        std::vector<double>{},
        std::vector<double>{5.0, 5.0},
    };
    for (const ControlValue &value : values)
        for (const char *name :
             {"v4l2.sharpness", "v4l2.white_balance_automatic", "v4l2.power_line_frequency", "?", ""}) {
            if (std::holds_alternative<bool>(value) && std::string_view(name) == "v4l2.white_balance_automatic")
                continue;
            const Expected<void> result = controls.set(name, value);
            ASSERT_FALSE(result) << name << " " << value.index();
            EXPECT_EQ(result.error().kind, ErrorKind::kUnsupported);
        }
    EXPECT_TRUE(webcam.set.empty());
    EXPECT_EQ(errorOf("v4l2.sharpness", std::int64_t{11}), "v4l2.sharpness cannot be 11");
    EXPECT_EQ(errorOf("v4l2.sharpness", true), "v4l2.sharpness cannot be of such a value");
}

TEST_F(V4l2ControlsTest, SaysHowTheCameraRefused)
{
    webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE] = {.min = 2800, .max = 6500, .value = 4600};
    infos();
    const auto refusal = [&](int error) {
        webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE].refusal = error;
        const Expected<void> result = controls.set("v4l2.white_balance_temperature", std::int64_t{4000});
        return result ? Error{} : result.error();
    };
    const std::vector<std::tuple<int, ErrorKind, std::string>> cases{
        {EACCES, ErrorKind::kUnsupported, "the camera refused 4000 for the state that it is in"},
        {EILSEQ, ErrorKind::kUnsupported, "the camera refused 4000 for the state that it is in"},
        {ERANGE, ErrorKind::kUnsupported, "the camera refused 4000"},
        {EINVAL, ErrorKind::kUnsupported, "the camera refused 4000"},
        {EBUSY, ErrorKind::kCameraBusy, "the camera was too busy for 4000"},
        {ENODEV, ErrorKind::kCameraFailed, "the camera was unplugged before 4000 was set"},
        {EIO, ErrorKind::kIo, "the camera did not take 4000: Input/output error"},
        {EPIPE, ErrorKind::kIo, "the camera did not take 4000: Broken pipe"},
    };
    for (const auto &[error, kind, message] : cases) {
        EXPECT_EQ(refusal(error).kind, kind) << error;
        EXPECT_EQ(refusal(error).message, message);
    }
    EXPECT_EQ(controls.get("v4l2.white_balance_temperature"), ControlValue(std::int64_t{4600}));
    EXPECT_EQ(refusal(0).message, "");
}

TEST(V4l2Controls, OpensOnlyAVideoDevice)
{
    for (const char *path : {"/nowhere/video0", "/dev/null", "/", ""}) {
        const Expected<V4l2Controls> controls = V4l2Controls::open(path);
        ASSERT_FALSE(controls) << path;
        EXPECT_EQ(controls.error().kind, ErrorKind::kCameraFailed);
    }
}

} // namespace
} // namespace picam
