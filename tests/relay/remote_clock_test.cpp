#include "relay/remote_clock.h"

#include <gtest/gtest.h>

namespace picam::relay {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

// A camera's host whose wall clock is at kEpoch where this machine's monotonic clock is at zero.
constexpr std::int64_t kEpoch = 1'795'731'244'891'000;

class RemoteClockTest : public testing::Test {
protected:
    [[nodiscard]] std::uint64_t there(RemoteClock::Time at) const
    {
        return static_cast<std::uint64_t>(
            kEpoch + std::chrono::duration_cast<microseconds>(at.time_since_epoch() + set).count());
    }
    // A request that takes `out` to the host and `back` from it.
    void ask(microseconds out, microseconds back)
    {
        clock.add(now, there(now + out), now + out + back);
        now += out + back;
    }

    RemoteClock::Time now{10s};
    microseconds set{0}; // by how much it was set
    RemoteClock clock;
};

TEST_F(RemoteClockTest, TellsAges)
{
    EXPECT_FALSE(clock.isKnown());
    ask(10ms, 10ms);
    ASSERT_TRUE(clock.isKnown());
    EXPECT_EQ(clock.age(there(now - 150ms), now), 150ms);
    EXPECT_EQ(clock.age(there(now + 5ms), now), 0ms) << "nothing is from the future";
    EXPECT_EQ(clock.age(UINT64_MAX, now), 0ms);
    EXPECT_GT(clock.age(1, now), 24h);
}

TEST_F(RemoteClockTest, TheQuickestAnswerCounts)
{
    ask(300ms, 20ms); // a full uplink
    EXPECT_LE(clock.age(there(now), now), 160ms) << "wrong by at most a half of the way there and back";
    ask(10ms, 10ms);
    ask(20ms, 400ms);
    EXPECT_EQ(clock.age(there(now - 100ms), now), 100ms);
}

TEST_F(RemoteClockTest, AClockThatIsSetIsNoticed)
{
    for (int i = 0; i < 20; ++i)
        ask(10ms, 10ms);
    set = -7h;
    ask(30ms, 10ms);
    EXPECT_NEAR(static_cast<double>(clock.age(there(now - 100ms), now).count()), 100e3, 10e3);
    set = 9h;
    ask(10ms, 10ms);
    EXPECT_EQ(clock.age(there(now - 100ms), now), 100ms);
}

TEST_F(RemoteClockTest, ASlowDriftIsFollowed)
{
    for (int i = 0; i < 1000; ++i) {
        ask(10ms, 10ms);
        set += 200us; // of two seconds: more than clocks do
        now += 2s;
    }
    EXPECT_NEAR(static_cast<double>(clock.age(there(now - 100ms), now).count()), 100e3, 2e3);
}

TEST_F(RemoteClockTest, NonsenseIsLeftOut)
{
    clock.add(now, 0, now);
    clock.add(now, UINT64_MAX, now);
    clock.add(now, there(now), now - 1s);
    EXPECT_FALSE(clock.isKnown());
}

} // namespace
} // namespace picam::relay
