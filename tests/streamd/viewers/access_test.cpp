#include "streamd/viewers/access.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
const Access::Clock::time_point kStart{100s};

TEST(Access, EverybodyIsAdmittedBeforeAChange)
{
    const Access access([] {});
    EXPECT_TRUE(access.admits("", kStart));
    EXPECT_TRUE(access.admits("1", kStart));
}

TEST(Access, AChangeEndsViewersAndVoidsTickets)
{
    int ended = 0;
    Access access([&ended] { ++ended; });
    const auto ticket = access.tickets().issue(kStart);
    access.change("2", kStart);
    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(access.tickets().redeem(ticket, kStart));
    const auto later = access.tickets().issue(kStart);
    EXPECT_TRUE(access.tickets().redeem(later, kStart));
}

TEST(Access, OldWorkersAreRefusedForAsLongAsTheyReadRequests)
{
    Access access([] {});
    access.change("2", kStart);
    for (const char *other : {"", "1", "22"}) {
        EXPECT_FALSE(access.admits(other, kStart)) << other;
        EXPECT_FALSE(access.admits(other, kStart + Access::kOldWorkers - 1ms)) << other;
        EXPECT_TRUE(access.admits(other, kStart + Access::kOldWorkers)) << other;
    }
    EXPECT_TRUE(access.admits("2", kStart));
    access.change("3", kStart + 1s);
    EXPECT_FALSE(access.admits("2", kStart + Access::kOldWorkers));
}

} // namespace
} // namespace picam
