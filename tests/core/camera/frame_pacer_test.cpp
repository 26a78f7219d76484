#include "core/camera/frame_pacer.h"

#include "core/camera/backoff.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

// Frames let through in `seconds` from a camera of `camera_fps` whose stamps jitter by up to `jitter` of an interval.
int taken(FramePacer &pacer, double camera_fps, int seconds, double jitter = 0.0)
{
    const FramePacer::Time begin{1h};
    unsigned random = 1;
    int count = 0;
    for (int i = 0; i < static_cast<int>(camera_fps * seconds); ++i) {
        random = random * 1664525U + 1013904223U;
        const double shake = jitter * (static_cast<double>(random >> 16U) / 65536.0 - 0.5);
        const std::chrono::duration<double> at((i + shake) / camera_fps);
        count += pacer.take(begin + std::chrono::duration_cast<FramePacer::Duration>(at)) ? 1 : 0;
    }
    return count;
}

TEST(FramePacer, NoLimitTakesAll)
{
    FramePacer pacer;
    EXPECT_EQ(taken(pacer, 120.0, 10), 1200);
}

TEST(FramePacer, CameraOfTheSameRateLosesNothing)
{
    FramePacer pacer(30.0);
    EXPECT_EQ(taken(pacer, 30.0, 60), 1800);
}

TEST(FramePacer, JitterCostsNothing)
{
    FramePacer pacer(30.0);
    EXPECT_GE(taken(pacer, 30.0, 60, 0.4), 1798);
}

struct Rates {
    double camera;
    double limit;
};
class FramePacerRates : public ::testing::TestWithParam<Rates> {};

TEST_P(FramePacerRates, KeepsTheLimit)
{
    const auto [camera, limit] = GetParam();
    FramePacer pacer(limit);
    const double expected = 60.0 * std::min(camera, limit);
    EXPECT_NEAR(taken(pacer, camera, 60, 0.1), expected, 0.02 * expected + 1);
}

INSTANTIATE_TEST_SUITE_P(Rates, FramePacerRates,
                         ::testing::Values(Rates{60, 30}, Rates{50, 30}, Rates{45, 30}, Rates{31, 30}, Rates{30, 25},
                                           Rates{30, 5}, Rates{1000, 30}, Rates{30, 0.5}, Rates{10, 30}));

TEST(FramePacer, AfterAGapTheNextFrameIsDueAtOnceAndNoBurstFollows)
{
    FramePacer pacer(10.0);
    const FramePacer::Time begin{1h};
    EXPECT_TRUE(pacer.take(begin));
    EXPECT_TRUE(pacer.take(begin + 5s));
    EXPECT_FALSE(pacer.take(begin + 5s + 10ms));
    EXPECT_FALSE(pacer.take(begin + 5s + 60ms));
    EXPECT_TRUE(pacer.take(begin + 5s + 100ms));
}

TEST(FramePacer, AClockThatStepsBackDoesNotStopIt)
{
    FramePacer pacer(10.0);
    const FramePacer::Time begin{1h};
    EXPECT_TRUE(pacer.take(begin));
    EXPECT_TRUE(pacer.take(begin - 10min));
    EXPECT_FALSE(pacer.take(begin - 10min + 20ms));
}

TEST(FramePacer, AHigherRateTakesEffectAtOnce)
{
    FramePacer pacer(0.1);
    const FramePacer::Time begin{1h};
    EXPECT_TRUE(pacer.take(begin));
    EXPECT_FALSE(pacer.take(begin + 1s));
    pacer.setRate(10.0);
    EXPECT_TRUE(pacer.take(begin + 1s + 1ms));
    EXPECT_FALSE(pacer.take(begin + 1s + 34ms));
}

TEST(Backoff, DoublesWithJitterUpToItsLimit)
{
    Backoff backoff(7);
    auto most = Backoff::kFirst;
    for (int i = 0; i < 12; ++i) {
        const auto wait = backoff.next();
        EXPECT_GE(wait, most / 2);
        EXPECT_LE(wait, most);
        most = std::min(most * 2, Backoff::kLongest);
    }
    EXPECT_EQ(most, Backoff::kLongest);
    backoff.reset();
    EXPECT_LE(backoff.next(), Backoff::kFirst);
}

TEST(Backoff, TwoProgramsDoNotStayInStep)
{
    Backoff one(1);
    Backoff other(2);
    int equal = 0;
    for (int i = 0; i < 10; ++i)
        equal += one.next() == other.next() ? 1 : 0;
    EXPECT_LT(equal, 5);
}

} // namespace
} // namespace picam
