#include "core/controls/control_rules.h"

#include "core/camera/pattern_controls.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

ControlInfo number(const char *name)
{
    return {name, ControlType::kNumber, ControlGroup::kImage, false, 0, 1e6, 0, 1.0, {}, 0};
}
ControlInfo flag(const char *name, bool standard)
{
    return {name, ControlType::kBool, ControlGroup::kImage, false, 0, 0, 0, standard, {}, 0};
}
ControlInfo choice(const char *name, std::vector<std::string> values)
{
    ControlValue standard = values.front();
    return {name, ControlType::kEnum, ControlGroup::kImage, false, 0, 0, 0, std::move(standard), std::move(values), 0};
}

ControlValue text(const char *value)
{
    return std::string(value);
}

// One of everything that a rule is about.
ControlInfos everything()
{
    return {choice("ExposureTimeMode", {"Auto", "Manual"}),
            number("ExposureTime"),
            choice("AnalogueGainMode", {"Auto", "Manual"}),
            number("AnalogueGain"),
            number("ExposureValue"),
            choice("AeMeteringMode", {"Matrix", "Spot"}),
            choice("AeConstraintMode", {"Normal", "Highlight"}),
            choice("AeExposureMode", {"Normal", "Short"}),
            choice("AeFlickerMode", {"Off", "Manual"}),
            number("AeFlickerPeriod"),
            flag("AwbEnable", true),
            choice("AwbMode", {"Auto", "Daylight"}),
            number("ColourGains"),
            number("ColourTemperature"),
            choice("AfMode", {"Continuous", "Auto", "Manual"}),
            choice("AfRange", {"Normal", "Macro"}),
            choice("AfSpeed", {"Normal", "Fast"}),
            choice("AfMetering", {"Auto", "Windows"}),
            number("AfWindows"),
            number("LensPosition"),
            flag("v4l2.white_balance_automatic", true),
            number("v4l2.white_balance_temperature"),
            flag("v4l2.focus_automatic_continuous", true),
            number("v4l2.focus_absolute"),
            choice("v4l2.auto_exposure", {"Aperture Priority Mode", "Manual Mode"}),
            number("v4l2.exposure_time_absolute"),
            number("Zoom"),
            number("ZoomCentre")};
}

std::string reason(const ControlValues &wanted, std::string_view name, const ControlInfos &infos = everything())
{
    const LockedControls locked = lockedControls(infos, wanted);
    const auto found = locked.find(name);
    return found != locked.end() ? found->second : "";
}

TEST(LockedControls, AnAutomatismLocksWhatItDecides)
{
    EXPECT_EQ(reason({}, "ExposureTime"), "ExposureTimeMode is Auto");
    EXPECT_EQ(reason({}, "AnalogueGain"), "AnalogueGainMode is Auto");
    EXPECT_EQ(reason({}, "ColourGains"), "AwbEnable is true");
    EXPECT_EQ(reason({}, "ColourTemperature"), "AwbEnable is true");
    EXPECT_EQ(reason({}, "LensPosition"), "AfMode is Continuous");
    EXPECT_EQ(reason({}, "AfWindows"), "AfMetering is Auto");
    EXPECT_EQ(reason({}, "AeFlickerPeriod"), "AeFlickerMode is Off");
    EXPECT_EQ(reason({}, "v4l2.white_balance_temperature"), "v4l2.white_balance_automatic is true");
    EXPECT_EQ(reason({}, "v4l2.focus_absolute"), "v4l2.focus_automatic_continuous is true");
    EXPECT_EQ(reason({}, "v4l2.exposure_time_absolute"), "v4l2.auto_exposure is Aperture Priority Mode");
    EXPECT_EQ(reason({}, "ZoomCentre"), "Zoom is 1");
    for (const char *free :
         {"AwbMode", "AeFlickerMode", "ExposureValue", "AeMeteringMode", "AfRange", "AfSpeed", "Zoom"})
        EXPECT_EQ(reason({}, free), "") << free;
}

TEST(LockedControls, ByHandItLocksTheAutomatism)
{
    const ControlValues by_hand{{"ExposureTimeMode", text("Manual")},
                                {"AnalogueGainMode", text("Manual")},
                                {"AwbEnable", false},
                                {"AfMode", text("Manual")},
                                {"v4l2.white_balance_automatic", false},
                                {"v4l2.focus_automatic_continuous", false},
                                {"v4l2.auto_exposure", text("Manual Mode")},
                                {"Zoom", 2.0}};
    for (const char *free :
         {"ExposureTime", "AnalogueGain", "ColourGains", "ColourTemperature", "LensPosition",
          "v4l2.white_balance_temperature", "v4l2.focus_absolute", "v4l2.exposure_time_absolute", "ZoomCentre"})
        EXPECT_EQ(reason(by_hand, free), "") << free;
    for (const char *locked :
         {"ExposureValue", "AeMeteringMode", "AeConstraintMode", "AeExposureMode", "AeFlickerMode"})
        EXPECT_EQ(reason(by_hand, locked), "ExposureTimeMode is Manual") << locked;
    EXPECT_EQ(reason(by_hand, "AwbMode"), "AwbEnable is false");
    for (const char *locked : {"AfRange", "AfSpeed", "AfMetering"})
        EXPECT_EQ(reason(by_hand, locked), "AfMode is Manual") << locked;
    EXPECT_NE(reason(by_hand, "AfWindows"), "");
}

TEST(LockedControls, HalfOfTheExposureByHandLeavesTheRestOfTheAutomatism)
{
    const ControlValues time{{"ExposureTimeMode", text("Manual")}};
    EXPECT_EQ(reason(time, "ExposureValue"), "");
    EXPECT_EQ(reason(time, "AnalogueGain"), "AnalogueGainMode is Auto");
    EXPECT_EQ(reason(time, "AeFlickerMode"), "ExposureTimeMode is Manual");
    const ControlValues gain{{"AnalogueGainMode", text("Manual")}};
    EXPECT_EQ(reason(gain, "ExposureValue"), "");
    EXPECT_EQ(reason(gain, "AeFlickerMode"), "AnalogueGainMode is Manual");
}

TEST(LockedControls, ThePeriodOfTheFlickerIsLockedWithItsMode)
{
    EXPECT_EQ(reason({{"AeFlickerMode", text("Manual")}}, "AeFlickerPeriod"), "");
    EXPECT_EQ(reason({{"AeFlickerMode", text("Manual")}, {"ExposureTimeMode", text("Manual")}}, "AeFlickerPeriod"),
              "ExposureTimeMode is Manual");
    EXPECT_EQ(reason({{"AeFlickerMode", text("Manual")}, {"AnalogueGainMode", text("Manual")}}, "AeFlickerPeriod"),
              "AnalogueGainMode is Manual");
}

TEST(LockedControls, FocusOnDemandHasNoSpeed)
{
    EXPECT_EQ(reason({{"AfMode", text("Auto")}}, "AfSpeed"), "AfMode is Auto");
    EXPECT_EQ(reason({{"AfMode", text("Auto")}}, "AfRange"), "");
    EXPECT_EQ(reason({{"AfMode", text("Auto")}, {"AfMetering", text("Windows")}}, "AfWindows"), "");
}

TEST(LockedControls, WithoutTheModeNothingIsLocked)
{
    const ControlInfos infos{number("ExposureTime"),
                             number("AnalogueGain"),
                             number("ColourGains"),
                             number("LensPosition"),
                             number("ExposureValue"),
                             number("ZoomCentre"),
                             choice("AwbMode", {"Auto", "Daylight"})};
    const ControlValues wanted{{"ExposureTimeMode", text("Auto")}, {"AwbEnable", true}, {"AfMode", text("Auto")}};
    EXPECT_EQ(lockedControls(infos, wanted), LockedControls{});
    EXPECT_EQ(lockedControls({}, wanted), LockedControls{});
}

TEST(LockedControls, NameOnlyWhatTheCameraHas)
{
    const ControlInfos infos = PatternControls::infos();
    for (const ControlValues &wanted : {ControlValues{}, ControlValues{{"AfMode", text("Manual")}}})
        for (const auto &[name, why] : lockedControls(infos, wanted)) {
            EXPECT_NE(findControl(infos, name), nullptr) << name;
            EXPECT_FALSE(why.empty());
        }
}

TEST(LockedControls, AModeThatIsNotAllowedCountsAsItsDefault)
{
    EXPECT_EQ(reason({{"ExposureTimeMode", text("manual")}}, "ExposureTime"), "ExposureTimeMode is Auto");
    EXPECT_EQ(reason({{"AwbEnable", std::int64_t{0}}}, "ColourGains"), "AwbEnable is true");
    EXPECT_EQ(reason({{"Zoom", -3.0}}, "ZoomCentre"), "Zoom is 1");
    EXPECT_EQ(reason({{"Zoom", std::int64_t{1}}}, "ZoomCentre"), "Zoom is 1");
}

TEST(LockedControls, AModeThatTheCameraDecidesLocksNothing)
{
    ControlInfos infos = everything();
    for (ControlInfo &info : infos)
        info.default_value.reset();
    EXPECT_EQ(lockedControls(infos, {}), LockedControls{});
}

TEST(ControlRules, ModesAreThoseOnWhichOthersDepend)
{
    for (const char *mode :
         {"ExposureTimeMode", "AnalogueGainMode", "AeFlickerMode", "AwbEnable", "AfMode", "AfMetering",
          "v4l2.auto_exposure", "v4l2.white_balance_automatic", "v4l2.focus_automatic_continuous"})
        EXPECT_TRUE(isModeControl(mode)) << mode;
    for (const char *value : {"ExposureTime", "AwbMode", "Zoom", "Brightness", ""})
        EXPECT_FALSE(isModeControl(value)) << value;
    EXPECT_EQ(modeOf("ExposureTime"), "ExposureTimeMode");
    EXPECT_EQ(modeOf("ColourGains"), "AwbEnable");
    EXPECT_EQ(modeOf("AeFlickerPeriod"), "AeFlickerMode");
    EXPECT_EQ(modeOf("v4l2.focus_absolute"), "v4l2.focus_automatic_continuous");
    EXPECT_EQ(modeOf("Brightness"), "");
    EXPECT_EQ(alternativeTo(alternativeTo("ColourGains")), "ColourGains");
    EXPECT_EQ(alternativeTo("Brightness"), "");
}

TEST(ControlRules, WhatIsWantedIsTheWishElseTheDefault)
{
    const ControlInfos infos = PatternControls::infos();
    EXPECT_EQ(wantedValue(infos, {}, "Brightness"), ControlValue(0.0));
    EXPECT_EQ(wantedValue(infos, {{"Brightness", std::int64_t{1}}}, "Brightness"), ControlValue(1.0));
    EXPECT_EQ(wantedValue(infos, {{"Brightness", 7.0}}, "Brightness"), ControlValue(0.0)) << "it is not allowed";
    EXPECT_EQ(wantedValue(infos, {{"Nothing", 7.0}}, "Nothing"), std::nullopt);
    EXPECT_FALSE(isWanted(infos, {}, "Nothing", 7.0));
}

TEST(ControlRules, ByHandIsWhatHasNothingToConverge)
{
    const ControlInfos all = everything();
    EXPECT_FALSE(isExposureManual(all, {}));
    EXPECT_FALSE(isExposureManual(all, {{"ExposureTimeMode", text("Manual")}}));
    EXPECT_FALSE(isExposureManual(all, {{"AnalogueGainMode", text("Manual")}}));
    const ControlValues both{{"ExposureTimeMode", text("Manual")}, {"AnalogueGainMode", text("Manual")}};
    EXPECT_TRUE(isExposureManual(all, both));
    // A camera whose gain is not to be set has only the time.
    EXPECT_TRUE(isExposureManual({choice("ExposureTimeMode", {"Auto", "Manual"})}, both));
    EXPECT_FALSE(isExposureManual({choice("AnalogueGainMode", {"Auto", "Manual"})}, both));
    EXPECT_FALSE(isExposureManual({}, both));
    EXPECT_TRUE(isWhiteBalanceManual(all, {{"AwbEnable", false}}));
    EXPECT_FALSE(isWhiteBalanceManual(all, {}));
    EXPECT_FALSE(isWhiteBalanceManual({}, {{"AwbEnable", false}}));
    EXPECT_TRUE(isFocusManual(all, {{"AfMode", text("Manual")}}));
    EXPECT_FALSE(isFocusManual(all, {{"AfMode", text("Auto")}}));
}

TEST(ControlRules, TheExposureTimeCountsWhereItIsInForce)
{
    using namespace std::chrono_literals;
    const ControlInfos infos = PatternControls::infos();
    EXPECT_EQ(manualExposure(infos, {{"ExposureTime", std::int64_t{5000}}}), 0us);
    EXPECT_EQ(manualExposure(infos, {{"ExposureTimeMode", text("Manual")}, {"ExposureTime", std::int64_t{5000}}}),
              5000us);
    EXPECT_EQ(manualExposure(infos, {{"ExposureTimeMode", text("Manual")}, {"ExposureTime", 6000.0}}), 6000us);
    EXPECT_EQ(manualExposure(infos, {{"ExposureTimeMode", text("Manual")}, {"ExposureTime", 1e300}}), 20000us)
        << "the default";
    EXPECT_EQ(manualExposure({}, {{"ExposureTimeMode", text("Manual")}, {"ExposureTime", std::int64_t{5000}}}), 0us);
}

} // namespace
} // namespace picam
