#include "core/controls/control_plan.h"

#include "core/camera/pattern_controls.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using Changes = std::vector<ControlChange>;
using Names = std::set<std::string, std::less<>>;

ControlValue text(const char *value)
{
    return std::string(value);
}
ControlValue whole(std::int64_t value)
{
    return value;
}

class ControlPlanTest : public ::testing::Test {
protected:
    void plan(const ControlValues &wanted, const Names &restored = {})
    {
        ControlPlan plan = planControls(infos, wanted, restored, told);
        modes = std::move(plan.modes);
        values = std::move(plan.values);
    }

    ControlInfos infos = PatternControls::infos();
    ControlValues told;
    Changes modes;
    Changes values;
};

TEST_F(ControlPlanTest, WhatNobodyWantsIsNotTold)
{
    plan({});
    EXPECT_EQ(modes, Changes{});
    EXPECT_EQ(values, Changes{});
    EXPECT_EQ(told, ControlValues{});
}

TEST_F(ControlPlanTest, ModesComeFirstAndApart)
{
    plan({{"ExposureTime", whole(5000)},
          {"ExposureTimeMode", text("Manual")},
          {"Brightness", 0.5},
          {"AwbEnable", false}});
    EXPECT_EQ(modes, (Changes{{"ExposureTimeMode", text("Manual")}, {"AwbEnable", false}}));
    EXPECT_EQ(values, (Changes{{"Brightness", 0.5}, {"ExposureTime", whole(5000)}}));
}

TEST_F(ControlPlanTest, OnlyWhatChangedIsTold)
{
    plan({{"Brightness", 0.5}, {"Contrast", 2.0}});
    plan({{"Brightness", 0.5}, {"Contrast", 3.0}});
    EXPECT_EQ(values, (Changes{{"Contrast", 3.0}}));
    plan({{"Brightness", 0.5}, {"Contrast", std::int64_t{3}}});
    EXPECT_EQ(values, Changes{}) << "it is the same in another type";
}

TEST_F(ControlPlanTest, WhatIsLockedIsToldWhenItIsNot)
{
    plan({{"ExposureTime", whole(5000)}});
    EXPECT_EQ(values, Changes{});
    const ControlValues by_hand{{"ExposureTime", whole(5000)}, {"ExposureTimeMode", text("Manual")}};
    plan(by_hand);
    EXPECT_EQ(values, (Changes{{"ExposureTime", whole(5000)}}));
    plan({{"ExposureTime", whole(5000)}});
    EXPECT_EQ(modes, (Changes{{"ExposureTimeMode", text("Auto")}}));
    EXPECT_EQ(values, Changes{});
    plan(by_hand);
    EXPECT_EQ(values, (Changes{{"ExposureTime", whole(5000)}})) << "the automatism has changed it meanwhile";
}

TEST_F(ControlPlanTest, AValueIsToldAgainWhenItsModeChanges)
{
    // Of a camera that has lost its mode, but not, as it believes, the value.
    told = {{"AwbEnable", true}, {"ColourGains", std::vector<double>{1.0, 2.0}}};
    plan({{"AwbEnable", false}, {"ColourGains", std::vector<double>{1.0, 2.0}}});
    EXPECT_EQ(modes, (Changes{{"AwbEnable", false}}));
    EXPECT_EQ(values, (Changes{{"ColourGains", std::vector<double>{1.0, 2.0}}}));
}

TEST_F(ControlPlanTest, AResetWhileTheCameraIsOpenTellsTheDefault)
{
    plan({{"Brightness", 0.5}, {"AwbMode", text("Daylight")}});
    plan({});
    EXPECT_EQ(values, (Changes{{"Brightness", 0.0}, {"AwbMode", text("Auto")}}));
    plan({});
    EXPECT_EQ(values, Changes{});
}

TEST_F(ControlPlanTest, WhatWasResetEarlierIsToldItsDefaultOnce)
{
    plan({}, {"Contrast", "AwbEnable", "ExposureTime", "NoSuchControl"});
    EXPECT_EQ(modes, (Changes{{"AwbEnable", true}}));
    EXPECT_EQ(values, (Changes{{"Contrast", 1.0}})) << "the exposure time is locked";
    plan({}, {"Contrast", "AwbEnable"});
    EXPECT_EQ(modes, Changes{});
    EXPECT_EQ(values, Changes{});
}

TEST_F(ControlPlanTest, WhatIsWantedGoesBeforeWhatWasReset)
{
    plan({{"Contrast", 2.0}}, {"Contrast"});
    EXPECT_EQ(values, (Changes{{"Contrast", 2.0}}));
}

TEST_F(ControlPlanTest, WithoutADefaultThereIsNothingToRestore)
{
    for (ControlInfo &info : infos)
        info.default_value.reset();
    plan({{"Brightness", 0.5}});
    plan({}, {"Brightness", "Contrast"});
    EXPECT_EQ(values, Changes{});
}

TEST_F(ControlPlanTest, WhatIsNotAllowedIsNotTold)
{
    plan({{"Brightness", 7.0}, {"AwbMode", text("Moonlight")}, {"Foo", 1.0}, {"AwbEnable", whole(1)}});
    EXPECT_EQ(modes, Changes{});
    EXPECT_EQ(values, Changes{});
    // Not even where the value before was good: then it is the default.
    plan({{"Brightness", 0.5}});
    plan({{"Brightness", 7.0}});
    EXPECT_EQ(values, (Changes{{"Brightness", 0.0}}));
}

TEST_F(ControlPlanTest, OneOfTwoAlternativesIsTold)
{
    ControlInfo temperature = *findControl(infos, "ExposureTime");
    temperature.name = "ColourTemperature";
    temperature.default_value = whole(4000);
    infos.push_back(temperature);
    const ControlValue gains = std::vector<double>{1.0, 2.0};
    plan({{"AwbEnable", false}, {"ColourGains", gains}});
    EXPECT_EQ(values, (Changes{{"ColourGains", gains}}));
    // The default of the one would undo the other.
    plan({{"AwbEnable", false}, {"ColourTemperature", whole(5000)}}, {"ColourGains"});
    EXPECT_EQ(values, (Changes{{"ColourTemperature", whole(5000)}}));
    plan({{"AwbEnable", false}, {"ColourGains", gains}}, {"ColourTemperature"});
    EXPECT_EQ(values, (Changes{{"ColourGains", gains}})) << "again, though it was told before";
}

TEST(Misfits, AreWhatTheCameraDoesNotHaveOrAllow)
{
    const ControlInfos infos = PatternControls::infos();
    EXPECT_EQ(misfitsOf(infos, {{"Brightness", 0.5}, {"ExposureTime", std::int64_t{5000}}}), ControlValues{})
        << "what is locked may be wanted all the same";
    const ControlValues misfits{{"Brightness", 7.0}, {"Foo", true}};
    ControlValues wanted = misfits;
    wanted["Contrast"] = 2.0;
    EXPECT_EQ(misfitsOf(infos, wanted), misfits);
    EXPECT_EQ(misfitsOf({}, wanted), wanted);
}

} // namespace
} // namespace picam
