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

TEST_F(ControlsTrialTest, WhatPassedIsNotTriedAgain)
{
    ControlsTrial trial(path);
    trial.begin(7);
    trial.pass();
    EXPECT_FALSE(trial.isOn());
    EXPECT_FALSE(isLeft());
    trial.begin(7);
    EXPECT_FALSE(trial.isOn());
    EXPECT_FALSE(isLeft());
    trial.begin(8);
    EXPECT_TRUE(trial.isOn());
    EXPECT_TRUE(isLeft());
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
    leave("0");
    EXPECT_FALSE(ControlsTrial(path).takeFailed(0));
}

TEST_F(ControlsTrialTest, ADamagedFileBlamesNobody)
{
    for (const char *text : {"", "x7", "-7", " 7", "4294967303", "99999999999999999999999999"}) {
        leave(text);
        ControlsTrial trial(path);
        EXPECT_FALSE(trial.takeFailed(7)) << text;
        EXPECT_FALSE(isLeft()) << text;
    }
    leave("4294967295");
    EXPECT_TRUE(ControlsTrial(path).takeFailed(4294967295U));
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
