#include "streamd/viewers/tickets.h"

#include <gtest/gtest.h>
#include <set>

namespace picam {
namespace {

using namespace std::chrono_literals;
const Tickets::Clock::time_point kStart{100s};

TEST(Tickets, OpenOnce)
{
    Tickets tickets;
    const auto ticket = tickets.issue(kStart);
    EXPECT_EQ(ticket.size(), 32U);
    EXPECT_TRUE(tickets.redeem(ticket, kStart + 1s));
    EXPECT_FALSE(tickets.redeem(ticket, kStart + 1s));
}

TEST(Tickets, ExpireWithoutUse)
{
    Tickets tickets;
    const auto early = tickets.issue(kStart);
    const auto late = tickets.issue(kStart + 1s);
    EXPECT_FALSE(tickets.redeem(early, kStart + Tickets::kLifetime));
    EXPECT_TRUE(tickets.redeem(late, kStart + Tickets::kLifetime));
}

TEST(Tickets, NothingElseOpens)
{
    Tickets tickets;
    EXPECT_FALSE(tickets.redeem("", kStart));
    const auto ticket = tickets.issue(kStart);
    EXPECT_FALSE(tickets.redeem("", kStart));
    EXPECT_FALSE(tickets.redeem(ticket.substr(1), kStart));
    EXPECT_FALSE(tickets.redeem(ticket + "0", kStart));
    EXPECT_TRUE(tickets.redeem(ticket, kStart));
}

TEST(Tickets, AreAllDifferentAndTheNewestOfMany)
{
    Tickets tickets;
    std::set<std::string> all;
    const auto first = tickets.issue(kStart);
    std::string last;
    for (std::size_t i = 0; i < Tickets::kMaxTickets; ++i)
        all.insert(last = tickets.issue(kStart));
    EXPECT_EQ(all.size(), Tickets::kMaxTickets);
    EXPECT_FALSE(tickets.redeem(first, kStart));
    EXPECT_TRUE(tickets.redeem(last, kStart));
}

} // namespace
} // namespace picam
