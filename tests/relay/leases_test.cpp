#include "relay/leases.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace picam::relay {
namespace {

using namespace std::chrono_literals;

TEST(Leases, TheHighestRateCounts)
{
    Leases leases;
    const Leases::Time now{};
    EXPECT_EQ(leases.fps(), 0.0);
    EXPECT_TRUE(leases.add({"a", 5.0, 5s, 0}, now));
    EXPECT_TRUE(leases.add({"b", 30.0, 5s, 0}, now));
    EXPECT_EQ(leases.fps(), 30.0);
    EXPECT_TRUE(leases.add({"b", 2.0, 5s, 0}, now));
    EXPECT_EQ(leases.fps(), 5.0) << "the new rate of an edge is in the old one's place";
    EXPECT_EQ(leases.count(), 2U);
    EXPECT_TRUE(leases.add({"a", 0.0, 5s, 0}, now));
    EXPECT_TRUE(leases.add({"b", 10.0, 0s, 0}, now));
    EXPECT_EQ(leases.count(), 0U) << "given back";
}

TEST(Leases, EndByThemselves)
{
    Leases leases;
    const Leases::Time now{};
    EXPECT_TRUE(leases.add({"a", 5.0, 5s, 0}, now));
    EXPECT_TRUE(leases.add({"b", 30.0, 2s, 0}, now + 1s));
    EXPECT_EQ(leases.nextEnd(), now + 3s);
    leases.expire(now + 3s);
    EXPECT_EQ(leases.fps(), 5.0);
    EXPECT_TRUE(leases.add({"a", 5.0, 5s, 0}, now + 4s));
    leases.expire(now + 5s);
    EXPECT_EQ(leases.count(), 1U) << "it was renewed";
    leases.expire(now + 9s);
    EXPECT_FALSE(leases.nextEnd());
}

TEST(Leases, OfAnyNumberOfEdgesTakeLittleMemory)
{
    Leases leases;
    for (std::size_t i = 0; i < 2 * Leases::kMaxEdges; ++i)
        EXPECT_EQ(leases.add({fmt::format("{}", i), 5.0, 5s, 0}, {}), i < Leases::kMaxEdges);
    EXPECT_EQ(leases.count(), Leases::kMaxEdges);
    EXPECT_TRUE(leases.add({"0", 6.0, 5s, 0}, {})) << "renewed";
}

} // namespace
} // namespace picam::relay
