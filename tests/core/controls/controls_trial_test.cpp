#include "core/controls/controls_trial.h"

#include "tests/fakes/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace picam {
namespace {

using testing::TempDir;

class ControlsTrialTest : public ::testing::Test {
protected:
    void leave(const std::string &text) const { std::ofstream(path) << text; }
    [[nodiscard]] bool isLeft() const { return std::filesystem::exists(path); }

    TempDir dir;
    const std::string path = dir.file("trial");
};

TEST_F(ControlsTrialTest, AProcessThatEndsDuringATrialIsNoticedOnce)
{
    {
        ControlsTrial trial(path);
        EXPECT_FALSE(trial.takeFailed(7));
        trial.begin(7);
        EXPECT_TRUE(trial.isOn());
        EXPECT_TRUE(isLeft());
    }
    ControlsTrial next(path);
    EXPECT_FALSE(isLeft()) << "or the process after the next would hear of it";
    EXPECT_TRUE(next.takeFailed(7));
    EXPECT_FALSE(next.takeFailed(7));
    EXPECT_FALSE(ControlsTrial(path).takeFailed(7));
}

TEST_F(ControlsTrialTest, OtherControlsAreNotToBlame)
{
    ControlsTrial(path).begin(7);
    ControlsTrial next(path);
    EXPECT_FALSE(next.takeFailed(8));
    EXPECT_FALSE(next.takeFailed(7)) << "it was asked for already";
}

TEST_F(ControlsTrialTest, WhatPassedIsNotTriedAgainBySomeLaterProcessEither)
{
    {
        ControlsTrial trial(path);
        trial.begin(7);
        trial.pass();
        EXPECT_FALSE(trial.isOn());
        trial.begin(7);
        EXPECT_FALSE(trial.isOn());
    }
    ControlsTrial next(path);
    next.begin(7);
    EXPECT_FALSE(next.isOn()) << "whoever ends it now, these controls are not to blame";
    next.begin(8);
    EXPECT_TRUE(next.isOn());
    next.end();
    next.begin(7);
    EXPECT_FALSE(next.isOn());
}

TEST_F(ControlsTrialTest, ACameraThatHangsFailsTheTrial)
{
    ControlsTrial trial(path);
    trial.begin(7);
    trial.fail();
    EXPECT_FALSE(isLeft());
    EXPECT_TRUE(trial.takeFailed(7));
    EXPECT_FALSE(trial.takeFailed(7));
    trial.fail();
    EXPECT_FALSE(trial.takeFailed(7)) << "no trial was on";
}

TEST(ControlsTrialKey, IsOfTheValuesAlone)
{
    ControlsRequest one;
    EXPECT_EQ(trialKey(one), 0U);
    one.generation = 7;
    one.cameras["a"].presets["night"] = {{"Brightness", 0.5}};
    one.cameras["a"].restored = {"Contrast"};
    EXPECT_EQ(trialKey(one), 0U);
    one.cameras["a"].values = {{"Brightness", 0.5}};
    const auto key = trialKey(one);
    EXPECT_NE(key, 0U);
    one.generation = 8;
    one.cameras["a"].presets.clear();
    EXPECT_EQ(trialKey(one), key);
    one.cameras["a"].values = {{"Brightness", 0.25}};
    EXPECT_NE(trialKey(one), key);
    one.cameras.clear();
    one.defaults = {{"Brightness", 0.5}};
    EXPECT_NE(trialKey(one), 0U) << "settings may be to blame, too";
}

TEST_F(ControlsTrialTest, WhatWasClosedInGoodOrderHasNeitherFailedNorPassed)
{
    ControlsTrial trial(path);
    trial.begin(7);
    trial.end();
    EXPECT_FALSE(isLeft());
    EXPECT_FALSE(ControlsTrial(path).takeFailed(7));
    trial.begin(7);
    EXPECT_TRUE(trial.isOn());
    trial.end();
    trial.end();
}

TEST_F(ControlsTrialTest, TheNewestIsOnTrial)
{
    {
        ControlsTrial trial(path);
        trial.begin(7);
        trial.begin(8);
    }
    EXPECT_TRUE(ControlsTrial(path).takeFailed(8));
}

TEST_F(ControlsTrialTest, NothingIsWantedYet)
{
    ControlsTrial trial(path);
    trial.begin(0);
    EXPECT_FALSE(trial.isOn());
    EXPECT_FALSE(isLeft());
    leave("tried 0");
    EXPECT_FALSE(ControlsTrial(path).takeFailed(0));
}

TEST_F(ControlsTrialTest, ADamagedFileBlamesNobody)
{
    for (const char *text : {"", "7", "tried", "tried x7", "tried -7", "tried  7", "tried 7x", "passed 7",
                             "tried 99999999999999999999999999"}) {
        leave(text);
        ControlsTrial trial(path);
        EXPECT_FALSE(trial.takeFailed(7)) << text;
    }
    leave("tried 18446744073709551615");
    EXPECT_TRUE(ControlsTrial(path).takeFailed(UINT64_MAX));
}

TEST_F(ControlsTrialTest, WithoutAPathNothingIsNoticed)
{
    ControlsTrial trial{std::string()};
    trial.begin(7);
    EXPECT_FALSE(trial.isOn());
    EXPECT_FALSE(trial.takeFailed(7));
    trial.pass();
    trial.end();
}

TEST_F(ControlsTrialTest, WhereItCannotWriteTheCameraRunsAllTheSame)
{
    ControlsTrial trial(dir.file("no/such/folder"));
    trial.begin(7);
    EXPECT_TRUE(trial.isOn());
    trial.pass();
    EXPECT_FALSE(trial.isOn());
}

} // namespace
} // namespace picam
