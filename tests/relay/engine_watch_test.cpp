#include "relay/engine_watch.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using Next = EngineWatch::Next;

TEST(EngineWatch, AsksWhileNothingIsOnItsWay)
{
    EngineWatch watch(7);
    EngineWatch::Time now{100s};
    EXPECT_EQ(watch.next(now), Next::kAsk);
    const auto token = watch.sent(now);
    EXPECT_EQ(watch.next(now + 1s), Next::kNothing);
    EXPECT_TRUE(watch.echoed(token, now + 10ms));
    EXPECT_EQ(watch.next(now + 100ms), Next::kNothing) << "one has just come";
    EXPECT_EQ(watch.next(now + 500ms), Next::kAsk);
}

TEST(EngineWatch, GivesUpWhatIsSilent)
{
    EngineWatch watch(7);
    const EngineWatch::Time now{100s};
    watch.sent(now);
    watch.sent(now + 1s);
    EXPECT_EQ(watch.next(now + 2s), Next::kNothing);
    EXPECT_EQ(watch.next(now + 2001ms), Next::kGiveUp);
    watch.reset();
    EXPECT_EQ(watch.next(now + 2001ms), Next::kAsk) << "the next server";
}

TEST(EngineWatch, APauseOfItsOwnCostsAnEngineNoTime)
{
    EngineWatch watch(7);
    const EngineWatch::Time now{100s};
    const auto token = watch.sent(now);
    EXPECT_EQ(watch.next(now + 500ms), Next::kNothing);
    EXPECT_EQ(watch.next(now + 9s), Next::kNothing) << "the echo may have come meanwhile";
    EXPECT_TRUE(watch.echoed(token, now + 9s));
    EXPECT_LT(watch.timeout(), 5s) << "nor did the link take so long";
    watch.sent(now + 9s);
    EXPECT_EQ(watch.next(now + 9500ms), Next::kNothing);
    EXPECT_NE(watch.next(now + 90s), Next::kGiveUp);
}

TEST(EngineWatch, WhoAlwaysLooksLateGivesUpAllTheSame)
{
    EngineWatch watch(7);
    EngineWatch::Time now{100s};
    watch.sent(now);
    int looks = 0;
    for (; looks < 20 && watch.next(now) != Next::kGiveUp; ++looks)
        now += 3s;
    EXPECT_LE(looks, 10);
}

TEST(EngineWatch, AnEchoStandsForThoseBeforeIt)
{
    EngineWatch watch(7);
    const EngineWatch::Time now{100s};
    const auto first = watch.sent(now);
    const auto second = watch.sent(now);
    EXPECT_TRUE(watch.echoed(second, now + 1s));
    EXPECT_FALSE(watch.echoed(first, now + 1s));
    EXPECT_FALSE(watch.echoed(4711, now + 1s)) << "somebody else's";
}

TEST(EngineWatch, ForOneThatMayBeLostAnotherIsAskedForOnce)
{
    EngineWatch watch(7);
    const EngineWatch::Time now{100s};
    const auto lost = watch.sent(now);
    EXPECT_EQ(watch.next(now + 900ms), Next::kNothing);
    EXPECT_EQ(watch.next(now + 1100ms), Next::kAsk);
    const auto second = watch.sent(now + 1100ms);
    EXPECT_EQ(watch.next(now + 1900ms), Next::kNothing);
    EXPECT_TRUE(watch.echoed(second, now + 1950ms));
    EXPECT_FALSE(watch.echoed(lost, now + 1960ms));
    EXPECT_NE(watch.next(now + 2500ms), Next::kGiveUp);
}

TEST(EngineWatch, AThinLineHasMoreTime)
{
    EngineWatch watch(7);
    EngineWatch::Time now{100s};
    EXPECT_TRUE(watch.echoed(watch.sent(now), now + 1500ms));
    now += 2s;
    watch.sent(now);
    auto passed = 0ms;
    while (passed < 20s && watch.next(now + passed) != Next::kGiveUp)
        passed += EngineWatch::kInterval;
    EXPECT_EQ(passed, 6500ms) << "more than four times the last one";
}

TEST(EngineWatch, WhereOneWasGivenUpTheNextHasMoreTime)
{
    EngineWatch watch(7);
    EngineWatch::Time now{100s};
    watch.sent(now);
    EXPECT_EQ(watch.next(now + 3s), Next::kGiveUp);
    watch.gaveUp();
    watch.reset();
    EXPECT_TRUE(watch.echoed(watch.sent(now), now + 1ms)) << "a small one is quick";
    EXPECT_GE(watch.timeout(), 3s);
    for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(watch.echoed(watch.sent(now), now + 1ms));
    EXPECT_EQ(watch.timeout(), EngineWatch::kTimeout);
}

} // namespace
} // namespace picam
