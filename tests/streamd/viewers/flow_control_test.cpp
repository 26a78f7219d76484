#include "streamd/viewers/flow_control.h"

#include "tests/streamd/simulated_link.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedLink;
using Time = FlowControl::Time;

constexpr std::size_t kFrameBytes = 60000;
const Time kStart{1h};

TEST(FlowControl, OneFrameAtFirst)
{
    FlowControl flow;
    EXPECT_TRUE(flow.maySend(kStart));
    flow.onSent(7, kFrameBytes, kStart);
    EXPECT_FALSE(flow.maySend(kStart + 1h));
    EXPECT_TRUE(flow.onAcknowledged(7, kStart + 10ms));
    EXPECT_TRUE(flow.maySend(kStart + 10ms));
    EXPECT_EQ(flow.inFlight(), 0U);
}

TEST(FlowControl, AcknowledgementOfWhatWasNeverSentIsRefused)
{
    FlowControl flow;
    EXPECT_FALSE(flow.onAcknowledged(1, kStart));
    flow.onSent(5, kFrameBytes, kStart);
    EXPECT_FALSE(flow.onAcknowledged(0, kStart));
    EXPECT_FALSE(flow.onAcknowledged(6, kStart));
    EXPECT_EQ(flow.inFlight(), 1U);
    EXPECT_TRUE(flow.onAcknowledged(5, kStart));
    EXPECT_TRUE(flow.onAcknowledged(5, kStart)) << "the same again is no news and no offence";
}

TEST(FlowControl, AcknowledgementCoversAllBefore)
{
    FlowControl flow;
    flow.onSent(1, kFrameBytes, kStart);
    flow.onSent(3, kFrameBytes, kStart);
    flow.onSent(4, kFrameBytes, kStart);
    EXPECT_TRUE(flow.onAcknowledged(3, kStart + 5ms));
    EXPECT_EQ(flow.inFlight(), 1U);
    EXPECT_TRUE(flow.onAcknowledged(1, kStart + 6ms)) << "covered already";
    EXPECT_EQ(flow.inFlight(), 1U);
}

TEST(FlowControl, SilenceCountsFromTheOldestOwed)
{
    FlowControl flow;
    EXPECT_EQ(flow.silence(kStart), 0s);
    flow.onSent(1, kFrameBytes, kStart);
    EXPECT_EQ(flow.silence(kStart + 3s), 3s);
    flow.onSent(2, kFrameBytes, kStart + 3s);
    EXPECT_TRUE(flow.onAcknowledged(1, kStart + 4s));
    EXPECT_EQ(flow.silence(kStart + 5s), 1s) << "an acknowledgement is a sign of life";
    flow.clear();
    EXPECT_EQ(flow.silence(kStart + 9s), 0s);
    EXPECT_TRUE(flow.onAcknowledged(2, kStart + 9s)) << "a late one does no harm";
}

TEST(FlowControl, WindowStaysAtOneWhileNothingIsHeldBack)
{
    FlowControl flow;
    Time now = kStart;
    for (std::uint64_t sequence = 1; sequence < 100; ++sequence) {
        flow.onSent(sequence, kFrameBytes, now);
        now += 5ms;
        ASSERT_TRUE(flow.onAcknowledged(sequence, now));
        now += 28ms;
    }
    EXPECT_EQ(flow.window(), 1.0);
}

struct Case {
    const char *name;
    SimulatedLink::Link link;
    double least_fps;
    double most_age; // times (transfer + round trip), at p99
};

class FlowControlOnLink : public ::testing::TestWithParam<Case> {};

// The bars of the design, on a link that is all there is in the way.
TEST_P(FlowControlOnLink, FreshAndBusy)
{
    const Case &c = GetParam();
    SimulatedLink link(c.link, 30.0, kFrameBytes);
    const Time begin = link.now();
    link.run(60s);
    const double unit = std::chrono::duration<double>(link.transferTime() + c.link.round_trip + c.link.paint).count();
    EXPECT_GE(link.framesPerSecond(begin + 5s), c.least_fps);
    EXPECT_LE(link.ageQuantile(0.99, begin), c.most_age * std::max(unit, 0.034));
    EXPECT_EQ(link.refused_acks, 0);
}

INSTANTIATE_TEST_SUITE_P(Links, FlowControlOnLink,
                         ::testing::Values(Case{"local", {1e9, 200us}, 29.9, 1.0},
                                           Case{"local_60hz_screen", {1e9, 200us, 0us, 16ms}, 29.9, 1.0},
                                           Case{"slow", {1e6, 0us}, 2.0, 1.5},
                                           Case{"slow_40ms", {1e6, 40ms}, 1.85, 1.5},
                                           Case{"middling", {10e6, 50ms}, 19.0, 1.5},
                                           Case{"long", {100e6, 100ms}, 29.9, 1.5},
                                           Case{"long_60hz_screen", {100e6, 100ms, 0us, 16ms}, 29.0, 1.5},
                                           Case{"slow_painter", {1e9, 1ms, 100ms}, 9.5, 1.5}),
                         [](const auto &test) { return std::string(test.param.name); });

// A receiver that always acknowledges as seldom as it may, whatever the link: its frames are no older for it.
TEST_P(FlowControlOnLink, FreshWithFewerAcknowledgements)
{
    const Case &c = GetParam();
    SimulatedLink link(c.link, 30.0, kFrameBytes);
    link.ack_batch = 3;
    const Time begin = link.now();
    link.run(60s);
    const double unit = std::chrono::duration<double>(link.transferTime() + c.link.round_trip + c.link.paint).count();
    EXPECT_LE(link.ageQuantile(0.99, begin), c.most_age * std::max(unit, 0.034));
    EXPECT_EQ(link.refused_acks, 0);
    if (unit < 0.017) { // quick enough that receivers are meant to do so
        EXPECT_GE(link.framesPerSecond(begin + 5s), c.least_fps);
        EXPECT_LE(link.acks, 1.1 * static_cast<double>(link.painted.size()) / 3);
    }
}

TEST(FlowControl, PresumesNoMoreThanABatchDelivered)
{
    FlowControl flow;
    Time now = kStart;
    flow.onSent(1, kFrameBytes, now);
    ASSERT_TRUE(flow.onAcknowledged(1, now + 2ms, 3));
    for (std::uint64_t sequence = 2; sequence <= 4; ++sequence) {
        now += 33ms;
        ASSERT_TRUE(flow.maySend(now)) << sequence;
        flow.onSent(sequence, kFrameBytes, now);
        EXPECT_FALSE(flow.maySend(now + 1ms)) << "younger than a round trip";
    }
    now += 33ms;
    EXPECT_FALSE(flow.maySend(now)) << "the acknowledgement is due";
    ASSERT_TRUE(flow.onAcknowledged(4, now + 67ms, 3));
    now += 67ms;
    flow.onSent(5, kFrameBytes, now);
    EXPECT_FALSE(flow.maySend(now + 10s)) << "the last was late: nothing is presumed";
    ASSERT_TRUE(flow.onAcknowledged(5, now + 66ms, 1)) << "the viewer waited for two more in vain";
    now += 66ms;
    flow.onSent(6, kFrameBytes, now);
    ASSERT_TRUE(flow.onAcknowledged(6, now + 2ms, 3));
    flow.onSent(7, kFrameBytes, now + 33ms);
    EXPECT_TRUE(flow.maySend(now + 66ms)) << "on time again";
    flow.clear();
    flow.onSent(8, kFrameBytes, now + 99ms);
    EXPECT_FALSE(flow.maySend(now + 10s)) << "what it said before a pause does not count";
}

TEST(FlowControl, AnAcknowledgementThatWaitedForTheNextFrameTeachesNothing)
{
    FlowControl flow;
    Time now = kStart;
    flow.onSent(1, kFrameBytes, now);
    ASSERT_TRUE(flow.onAcknowledged(1, now + 2ms, 3));
    flow.onSent(2, kFrameBytes, now += 33ms);
    ASSERT_TRUE(flow.onAcknowledged(2, now + 100ms, 1)) << "no third frame came in time";
    // Neither the round trip nor its jitter has changed: what is presumed is presumed as early as before.
    flow.onSent(3, kFrameBytes, now += 133ms);
    ASSERT_TRUE(flow.onAcknowledged(3, now + 2ms, 3));
    flow.onSent(4, kFrameBytes, now += 33ms);
    EXPECT_TRUE(flow.maySend(now + 33ms));
    EXPECT_EQ(flow.shortestRoundTrip(), 2ms);
    // The same when the server had taken the agreement back meanwhile, of which the viewer knows nothing.
    flow.onSent(5, kFrameBytes, now += 33ms);
    flow.onSent(6, kFrameBytes, now += 33ms);
    ASSERT_TRUE(flow.onAcknowledged(6, now + 60ms, 3)) << "late";
    flow.onSent(7, kFrameBytes, now += 66ms);
    EXPECT_FALSE(flow.maySend(now + 33ms));
    ASSERT_TRUE(flow.onAcknowledged(7, now + 100ms, 1));
    flow.onSent(8, kFrameBytes, now += 133ms);
    ASSERT_TRUE(flow.onAcknowledged(8, now + 2ms, 3));
    flow.onSent(9, kFrameBytes, now += 33ms);
    EXPECT_TRUE(flow.maySend(now + 33ms));
}

TEST(FlowControl, ALinkThatBecomesSlowGetsOneBatchAtMost)
{
    SimulatedLink link({1e9, 200us}, 30.0, kFrameBytes);
    link.ack_batch = 3;
    link.run(10s);
    const std::size_t before = link.painted.size();
    link.setLink({1e6, 40ms}); // half a second for each frame
    link.run(60s);
    double oldest = 0.0;
    for (std::size_t i = before; i < link.painted.size(); ++i)
        oldest = std::max(oldest, std::chrono::duration<double>(link.painted[i].age).count());
    EXPECT_LE(oldest, 3 * 0.52 + 0.1);
    EXPECT_LE(link.ageQuantile(0.99, link.now() - 55s), 1.5 * 0.52);
}

TEST(FlowControl, FollowsALinkThatChanges)
{
    SimulatedLink link({100e6, 100ms}, 30.0, kFrameBytes);
    link.run(20s);
    EXPECT_GE(link.flow.window(), 3.0);

    link.setLink({1e6, 40ms});
    link.run(20s);
    const Time slow = link.now();
    link.run(40s);
    EXPECT_LE(link.ageQuantile(0.99, slow), 1.5 * 0.52);
    EXPECT_GE(link.framesPerSecond(slow), 1.8);

    link.setLink({100e6, 100ms});
    link.run(40s); // the longest hold may have to pass
    const Time fast = link.now();
    link.run(20s);
    EXPECT_GE(link.framesPerSecond(fast), 29.5);
}

TEST(FlowControl, FramesOfUnequalSizeAreNoCongestion)
{
    SimulatedLink link({10e6, 50ms}, 30.0, kFrameBytes);
    link.size_of = [](std::uint64_t sequence) { return kFrameBytes * (80 + sequence * 7919 % 41) / 100; };
    const Time begin = link.now();
    link.run(60s);
    EXPECT_GE(link.framesPerSecond(begin + 5s), 18.0);
    EXPECT_LE(link.ageQuantile(0.99, begin), 1.5 * 0.098);
}

} // namespace
} // namespace picam
