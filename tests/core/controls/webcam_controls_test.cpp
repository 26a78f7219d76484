#include "core/controls/webcam_controls.h"

#include "tests/fakes/fake_webcam.h"

#include <gtest/gtest.h>
#include <memory>

namespace picam {
namespace {

using testing::FakeControl;
using testing::FakeDevice;
using testing::FakeWebcam;
using testing::menu;
using testing::switched;

using Set = std::vector<std::pair<std::uint32_t, std::int32_t>>;
using Problems = std::map<std::string, std::string, std::less<>>;

class WebcamControlsTest : public ::testing::Test {
protected:
    WebcamControlsTest()
    {
        webcam.controls[V4L2_CID_BRIGHTNESS] = {};
        webcam.controls[V4L2_CID_SHARPNESS] = {};
        webcam.controls[V4L2_CID_AUTO_WHITE_BALANCE] = switched(true);
        webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE] = {.min = 2000, .max = 7000, .default_value = 4000};
        webcam.controls[V4L2_CID_EXPOSURE_AUTO] = menu({{1, "Manual Mode"}, {3, "Aperture Priority Mode"}});
        webcam.controls[V4L2_CID_EXPOSURE_AUTO].default_value = 3;
        webcam.controls[V4L2_CID_EXPOSURE_ABSOLUTE] = {.max = 5000, .default_value = 250};
        controls = std::make_unique<WebcamControls>(V4l2Controls(std::make_unique<FakeDevice>(webcam)),
                                                    [](std::string_view name) { return name == "Brightness"; });
        webcam.set.clear();
    }
    // What the camera was told for it.
    Set want(const ControlValues &wanted, const std::set<std::string, std::less<>> &restored = {})
    {
        controls->want(wanted, restored);
        return std::exchange(webcam.set, {});
    }

    // How often each was asked for since.
    std::map<std::uint32_t, int> reads()
    {
        std::map<std::uint32_t, int> counts;
        for (auto &[id, control] : webcam.controls)
            if (const int count = std::exchange(control.reads, 0); count > 0)
                counts[id] = count;
        return counts;
    }

    FakeWebcam webcam;
    std::unique_ptr<WebcamControls> controls;
};

using Reads = std::map<std::uint32_t, int>;

TEST_F(WebcamControlsTest, WhatLibcameraHasIsNotItsOwn)
{
    EXPECT_EQ(findControl(controls->infos(), "v4l2.brightness"), nullptr);
    EXPECT_NE(findControl(controls->infos(), "v4l2.sharpness"), nullptr);
    EXPECT_EQ(want({{"v4l2.brightness", std::int64_t{3}}, {"Brightness", 0.5}}), Set{});
}

TEST_F(WebcamControlsTest, ModesAreSetBeforeTheValuesThatDependOnThem)
{
    const ControlValues wanted{{"v4l2.exposure_time_absolute", std::int64_t{100}},
                               {"v4l2.auto_exposure", std::string("Manual Mode")},
                               {"v4l2.sharpness", std::int64_t{7}},
                               {"v4l2.white_balance_automatic", false},
                               {"v4l2.white_balance_temperature", std::int64_t{5000}}};
    EXPECT_EQ(want(wanted), (Set{{V4L2_CID_EXPOSURE_AUTO, 1},
                                 {V4L2_CID_AUTO_WHITE_BALANCE, 0},
                                 {V4L2_CID_SHARPNESS, 7},
                                 {V4L2_CID_EXPOSURE_ABSOLUTE, 100},
                                 {V4L2_CID_WHITE_BALANCE_TEMPERATURE, 5000}}));
    EXPECT_EQ(want(wanted), Set{}) << "nothing has changed";
    EXPECT_EQ(controls->problems(), Problems{});
}

TEST_F(WebcamControlsTest, WhatIsLockedIsLeftAlone)
{
    EXPECT_EQ(want({{"v4l2.white_balance_temperature", std::int64_t{5000}}}), Set{});
    EXPECT_EQ(controls->problems(), Problems{});
}

TEST_F(WebcamControlsTest, ARefusalIsAProblemAndNotTriedAgainUntilItChanges)
{
    webcam.controls[V4L2_CID_SHARPNESS].refusal = EINVAL;
    const ControlValues wanted{{"v4l2.sharpness", std::int64_t{7}}};
    EXPECT_EQ(want(wanted), Set{});
    EXPECT_EQ(controls->problems(), (Problems{{"v4l2.sharpness", "the camera refused 7"}}));
    webcam.controls[V4L2_CID_SHARPNESS].refusal = 0;
    EXPECT_EQ(want(wanted), Set{}) << "it is not asked again";
    EXPECT_EQ(controls->problems().size(), 1U);
    EXPECT_EQ(want({{"v4l2.sharpness", std::int64_t{8}}}), (Set{{V4L2_CID_SHARPNESS, 8}}));
    EXPECT_EQ(controls->problems(), Problems{});
}

TEST_F(WebcamControlsTest, ARefusalOfOneDoesNotKeepTheOthersBack)
{
    for (const int error : {EINVAL, EBUSY, EACCES, EIO, ENODEV, ERANGE}) {
        webcam.controls[V4L2_CID_EXPOSURE_AUTO].refusal = error;
        const auto number = std::int64_t{error % 10};
        const Set told =
            want({{"v4l2.auto_exposure", std::string(error % 2 == 0 ? "Manual Mode" : "Aperture Priority Mode")},
                  {"v4l2.sharpness", number}});
        EXPECT_EQ(told, (Set{{V4L2_CID_SHARPNESS, static_cast<std::int32_t>(number)}})) << error;
    }
}

TEST_F(WebcamControlsTest, AProblemOfWhatIsLockedNowIsNone)
{
    webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE].refusal = EACCES;
    const ControlValue temperature = std::int64_t{5000};
    want({{"v4l2.white_balance_automatic", false}, {"v4l2.white_balance_temperature", temperature}});
    EXPECT_EQ(controls->problems().size(), 1U);
    want({{"v4l2.white_balance_temperature", temperature}});
    EXPECT_EQ(controls->problems(), Problems{});
    // And is tried again when it is free.
    webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE].refusal = 0;
    EXPECT_EQ(want({{"v4l2.white_balance_automatic", false}, {"v4l2.white_balance_temperature", temperature}}),
              (Set{{V4L2_CID_AUTO_WHITE_BALANCE, 0}, {V4L2_CID_WHITE_BALANCE_TEMPERATURE, 5000}}));
}

TEST_F(WebcamControlsTest, AResetTellsTheDriversDefault)
{
    want({{"v4l2.sharpness", std::int64_t{7}}});
    EXPECT_EQ(want({}), (Set{{V4L2_CID_SHARPNESS, 5}}));
    EXPECT_EQ(want({}), Set{});
}

TEST_F(WebcamControlsTest, WhatAnotherProcessLeftIsRestored)
{
    EXPECT_EQ(want({}, {"v4l2.sharpness", "v4l2.white_balance_temperature", "Brightness"}),
              (Set{{V4L2_CID_SHARPNESS, 5}}));
}

TEST_F(WebcamControlsTest, AnUnpluggedCameraIsAProblemOfEach)
{
    webcam.gone = ENODEV;
    EXPECT_EQ(want({{"v4l2.sharpness", std::int64_t{7}}, {"v4l2.white_balance_automatic", false}}), Set{});
    EXPECT_EQ(controls->problems().size(), 2U);
}

TEST_F(WebcamControlsTest, AllIsReadOnceAndThenWhatAnAutomatismMoves)
{
    webcam.controls[V4L2_CID_EXPOSURE_AUTO].value = 3;
    want({});
    EXPECT_EQ(controls->read(), (ControlValues{{"v4l2.sharpness", std::int64_t{5}},
                                               {"v4l2.white_balance_automatic", true},
                                               {"v4l2.white_balance_temperature", std::int64_t{5}},
                                               {"v4l2.auto_exposure", std::string("Aperture Priority Mode")},
                                               {"v4l2.exposure_time_absolute", std::int64_t{5}}}));
    EXPECT_EQ(reads().size(), 5U) << "and not the brightness, which is libcamera's";
    webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE].value = 3200;
    webcam.controls[V4L2_CID_EXPOSURE_ABSOLUTE].value = 77;
    webcam.controls[V4L2_CID_SHARPNESS].value = 9;
    const ControlValues values = controls->read();
    EXPECT_EQ(values.at("v4l2.white_balance_temperature"), ControlValue(std::int64_t{3200}));
    EXPECT_EQ(values.at("v4l2.exposure_time_absolute"), ControlValue(std::int64_t{77}));
    EXPECT_EQ(reads(), (Reads{{V4L2_CID_WHITE_BALANCE_TEMPERATURE, 1}, {V4L2_CID_EXPOSURE_ABSOLUTE, 1}}));
}

TEST_F(WebcamControlsTest, WhatWasSetIsReadBackAndWhatAnAutomatismLeft)
{
    want({});
    controls->read();
    reads();
    webcam.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE].value = 3200;
    want({{"v4l2.white_balance_automatic", false}, {"v4l2.sharpness", std::int64_t{7}}});
    webcam.controls[V4L2_CID_SHARPNESS].value = 6; // as it was taken
    const ControlValues values = controls->read();
    EXPECT_EQ(values.at("v4l2.sharpness"), ControlValue(std::int64_t{6}));
    EXPECT_EQ(values.at("v4l2.white_balance_automatic"), ControlValue(false));
    EXPECT_EQ(values.at("v4l2.white_balance_temperature"), ControlValue(std::int64_t{3200}));
    reads();
    controls->read();
    EXPECT_EQ(reads(), (Reads{{V4L2_CID_EXPOSURE_ABSOLUTE, 1}})) << "nothing else moves by itself now";
}

TEST_F(WebcamControlsTest, OneThatGivesNoAnswerIsWaitedForOnceAndKeepsNothingBack)
{
    for (auto &[id, control] : webcam.controls)
        control.silence = ETIMEDOUT;
    want({});
    EXPECT_EQ(controls->read(), ControlValues{});
    int asked = 0;
    for (const auto &[id, count] : reads())
        asked += count;
    EXPECT_EQ(asked, 1) << "a round waits once";

    for (auto &[id, control] : webcam.controls)
        control.silence = 0;
    webcam.controls[V4L2_CID_EXPOSURE_ABSOLUTE].silence = EIO;
    want({});
    for (int round = 0; round < 3; ++round)
        controls->read();
    EXPECT_EQ(reads()[V4L2_CID_EXPOSURE_ABSOLUTE], 1);
    EXPECT_FALSE(controls->read().contains("v4l2.exposure_time_absolute"));
    EXPECT_TRUE(controls->read().contains("v4l2.white_balance_temperature"));
    EXPECT_TRUE(controls->read().contains("v4l2.sharpness"));
    // What it is told it is asked for again.
    webcam.controls[V4L2_CID_EXPOSURE_ABSOLUTE].silence = 0;
    want({{"v4l2.auto_exposure", std::string("Manual Mode")}, {"v4l2.exposure_time_absolute", std::int64_t{100}}});
    EXPECT_EQ(controls->read().at("v4l2.exposure_time_absolute"), ControlValue(std::int64_t{100}));
}

} // namespace
} // namespace picam
