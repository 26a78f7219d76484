#include "core/camera/sender_clock.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

class SenderClockTest : public ::testing::Test {
protected:
    // Of what was taken `delay` before it arrived, 100 ms after the one before; the sender's clock is ahead by ahead_.
    // Rounded: drift is allowed for.
    std::chrono::milliseconds age(microseconds delay)
    {
        passed_ += 100ms;
        const auto wall = wall_ + passed_;
        const auto sent = wall - delay + ahead_;
        return std::chrono::round<std::chrono::milliseconds>(
            clock_.age(static_cast<std::uint64_t>(sent.count()), WallTime(wall), MonotonicTime(passed_)));
    }
    void tell(microseconds delay)
    {
        const auto sent = wall_ + passed_ - delay + ahead_;
        clock_.tell(static_cast<std::uint64_t>(sent.count()), MonotonicTime(passed_));
    }

    SenderClock clock_;
    microseconds wall_ = 1'800'000'000s;
    microseconds ahead_{0};
    microseconds passed_{0};
};

TEST_F(SenderClockTest, ASenderWithThisMachinesClockIsTakenAtItsWord)
{
    EXPECT_EQ(age(30ms), 30ms);
    EXPECT_EQ(age(20ms), 20ms);
    EXPECT_EQ(age(1h), 1h) << "an old picture is an old picture";
    EXPECT_EQ(age(-5ms), 0ms) << "rounded up";
    EXPECT_EQ(age(30ms), 30ms);
    wall_ -= 24h; // set, for both
    EXPECT_EQ(age(30ms), 30ms);
}

TEST_F(SenderClockTest, OneThatTellsItsTimeMayBeHoursOff)
{
    for (const microseconds ahead : {microseconds(5h), microseconds(-5h), microseconds(-400'000h), microseconds(0)}) {
        clock_ = {};
        ahead_ = ahead;
        tell(1ms);
        EXPECT_EQ(age(31ms), 30ms);
        EXPECT_EQ(age(81ms), 80ms);
        passed_ += 10s;
        EXPECT_GT(age(9s), 8990ms) << "an old picture is an old picture";
        EXPECT_EQ(age(0ms), 0ms) << "quicker than the state was";
        EXPECT_EQ(age(30ms), 30ms);
        wall_ += 3h; // set, and not the sender's
        ahead_ -= 3h;
        EXPECT_EQ(age(40ms), 40ms);
    }
}

TEST_F(SenderClockTest, AClockAheadShowsInItsPictures)
{
    ahead_ = 1h;
    EXPECT_EQ(age(30ms), 0ms) << "the quickest is new";
    EXPECT_EQ(age(80ms), 50ms);
    EXPECT_EQ(age(10ms), 0ms);
    EXPECT_EQ(age(30ms), 20ms);
}

TEST_F(SenderClockTest, AClockThatIsSetIsFollowed)
{
    tell(0ms);
    EXPECT_EQ(age(30ms), 30ms);
    ahead_ = -24h;
    EXPECT_EQ(age(35ms), 30ms) << "as the one before";
    EXPECT_EQ(age(45ms), 40ms);
    ahead_ = 24h;
    EXPECT_EQ(age(30ms), 0ms);
    tell(0ms);
    EXPECT_EQ(age(30ms), 30ms);
    ahead_ = -24h;
    tell(0ms);
    EXPECT_EQ(age(60ms), 60ms) << "told before a picture was seen";
}

TEST_F(SenderClockTest, DriftIsForgotten)
{
    ahead_ = -1h;
    tell(0ms);
    for (int i = 0; i < 100'000; ++i) {
        const auto seen = age(20ms);
        ASSERT_GE(seen, 0ms);
        ASSERT_LE(seen, 21ms) << i;
        ahead_ -= 5us; // 50 in a million: a bad crystal
    }
    for (int i = 0; i < 100'000; ++i) {
        const auto seen = age(20ms);
        ASSERT_LE(seen, 21ms) << i;
        ahead_ += 5us;
    }
}

TEST_F(SenderClockTest, WithoutATimeThereIsNoAge)
{
    EXPECT_EQ(clock_.age(0, WallTime(wall_), MonotonicTime(1h)), 0ms);
    clock_.tell(0, MonotonicTime(1h));
    EXPECT_EQ(age(30ms), 30ms) << "nothing was learnt from it";
}

TEST_F(SenderClockTest, EveryNumberHasAnAgeWithinBounds)
{
    const std::uint64_t numbers[] = {1, std::uint64_t{1} << 60U, std::uint64_t{1} << 63U, ~std::uint64_t{0}};
    for (const std::uint64_t told : numbers)
        for (const std::uint64_t first : numbers)
            for (const std::uint64_t second : numbers) {
                clock_ = {};
                if (told != numbers[0])
                    clock_.tell(told, MonotonicTime(1h));
                for (const std::uint64_t sent : {first, second, first}) {
                    const auto age = clock_.age(sent, WallTime(wall_), MonotonicTime(2h));
                    EXPECT_GE(age, 0ms);
                    EXPECT_LE(age, SenderClock::kOldest);
                }
            }
}

} // namespace
} // namespace picam
