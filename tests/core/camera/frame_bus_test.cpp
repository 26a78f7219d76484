#include "core/camera/frame_bus.h"

#include <atomic>
#include <cmath>
#include <gtest/gtest.h>
#include <thread>

namespace picam {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

class FrameBusTest : public ::testing::Test {
protected:
    // A frame of this moment; `alive_` counts those that are not yet recycled.
    SharedFrame frame(MonotonicTime captured = steady_clock::now())
    {
        ++alive_;
        return std::make_shared<Frame>(FrameFormat{}, std::array<Plane, 3>{}, captured, [this] { --alive_; });
    }
    static SharedFrame taken(FrameBus::Subscription &subscription)
    {
        auto taken = subscription.take(steady_clock::now());
        return taken ? taken->frame : nullptr;
    }

    std::atomic<int> alive_{0};
    std::atomic<int> changes_{0};
    std::atomic<int> rates_{0};
    FrameBus bus_{[this] { ++changes_; }, [this] { ++rates_; }};
};

TEST_F(FrameBusTest, WithoutDemandFramesAreRecycledAtOnce)
{
    const auto subscription = bus_.subscribe(1);
    EXPECT_FALSE(bus_.demand().any);
    bus_.publish(frame());
    EXPECT_EQ(alive_, 0);
    subscription->setDemand(FrameBus::kKeepOpen);
    EXPECT_TRUE(bus_.demand().any);
    bus_.publish(frame());
    EXPECT_EQ(alive_, 0);
    EXPECT_FALSE(taken(*subscription));
}

TEST_F(FrameBusTest, EverySubscriberHasTheNewestFrameAndTheLastHolderRecyclesIt)
{
    const auto first = bus_.subscribe(1);
    const auto second = bus_.subscribe(1);
    first->setDemand(0);
    second->setDemand(0);
    bus_.publish(frame());
    bus_.publish(frame());
    EXPECT_EQ(alive_, 1) << "the older one is replaced in both";
    const auto one = first->take(steady_clock::now());
    ASSERT_TRUE(one);
    EXPECT_EQ(one->replaced_before, 1U);
    const SharedFrame two = taken(*second);
    EXPECT_EQ(one->frame, two) << "shared, not copied";
    EXPECT_FALSE(taken(*first)) << "once";
}

TEST_F(FrameBusTest, ASlowSubscriberDelaysNobody)
{
    const auto slow = bus_.subscribe(1);
    const auto fast = bus_.subscribe(1);
    slow->setDemand(0);
    fast->setDemand(0);
    bus_.publish(frame());
    const SharedFrame held = taken(*slow); // and never returned
    for (int i = 0; i < 100; ++i) {
        bus_.publish(frame());
        ASSERT_TRUE(taken(*fast));
    }
    EXPECT_EQ(alive_, 2) << "the held one, and the newest in the slow one's mailbox";
}

TEST_F(FrameBusTest, ARateLeavesFramesOut)
{
    const auto subscription = bus_.subscribe(1);
    subscription->setDemand(10);
    const auto begun = steady_clock::now();
    int got = 0;
    std::uint64_t paced = 0;
    for (int i = 0; i < 60; ++i) {
        bus_.publish(frame(begun + i * 33333us));
        if (const auto taken = subscription->take(steady_clock::now())) {
            ++got;
            paced += taken->paced_before;
        }
    }
    EXPECT_EQ(got, 20);
    EXPECT_GE(paced, 38U);
    EXPECT_EQ(alive_, 0);
}

TEST_F(FrameBusTest, TheEndOfADemandDropsWhatWaits)
{
    const auto subscription = bus_.subscribe(1);
    subscription->setDemand(0);
    bus_.publish(frame());
    subscription->setDemand(std::nullopt);
    EXPECT_EQ(alive_, 0);
    subscription->setDemand(0);
    EXPECT_FALSE(taken(*subscription)) << "nothing old";
}

TEST_F(FrameBusTest, TheHighestRateIsWhatIsDemanded)
{
    EXPECT_EQ(bus_.demandedRate(), 0.0);
    const auto first = bus_.subscribe(1);
    auto second = bus_.subscribe(1);
    first->setDemand(FrameBus::kKeepOpen);
    EXPECT_EQ(bus_.demandedRate(), 0.0);
    EXPECT_EQ(rates_, 0) << "demand has begun, which is told otherwise";
    first->setDemand(5);
    EXPECT_EQ(rates_, 1);
    second->setDemand(7);
    EXPECT_EQ(rates_, 2);
    EXPECT_EQ(bus_.demandedRate(), 7.0);
    second->setDemand(7);
    EXPECT_EQ(rates_, 2) << "the same as before";
    second->setDemand(0);
    EXPECT_TRUE(std::isinf(bus_.demandedRate()));
    second.reset();
    EXPECT_EQ(bus_.demandedRate(), 5.0);
    EXPECT_EQ(rates_, 4);
    EXPECT_EQ(changes_, 1);
}

TEST_F(FrameBusTest, DemandBeginsAndEndsWithTheFirstAndTheLast)
{
    const auto first = bus_.subscribe(1);
    auto second = bus_.subscribe(1);
    const unsigned before = bus_.demand().generation;
    first->setDemand(5);
    second->setDemand(FrameBus::kKeepOpen);
    first->setDemand(7);
    EXPECT_EQ(changes_, 1);
    EXPECT_EQ(bus_.demand().generation, before + 1);
    first->setDemand(std::nullopt);
    EXPECT_TRUE(bus_.demand().any);
    second.reset();
    EXPECT_FALSE(bus_.demand().any) << "who leaves demands nothing";
    EXPECT_EQ(changes_, 2);
    first->setDemand(0);
    EXPECT_EQ(bus_.demand().generation, before + 2);
}

TEST_F(FrameBusTest, CountsOneBufferForTheMailboxAndThoseInUse)
{
    const auto first = bus_.subscribe(3);
    auto second = bus_.subscribe(1);
    EXPECT_EQ(bus_.buffersHeld(), 6U);
    second.reset();
    EXPECT_EQ(bus_.buffersHeld(), 4U);
}

TEST_F(FrameBusTest, TheDeadlineAndAnInterruptionEndTheWait)
{
    const auto subscription = bus_.subscribe(1);
    subscription->setDemand(0);
    EXPECT_EQ(subscription->take(steady_clock::now()).error().kind, ErrorKind::kTimeout);
    std::thread other([&] { subscription->interrupt(); });
    EXPECT_EQ(subscription->take(MonotonicTime::max()).error().kind, ErrorKind::kInterrupted);
    other.join();
}

TEST_F(FrameBusTest, WakesWhoeverWaits)
{
    const auto subscription = bus_.subscribe(1);
    subscription->setDemand(0);
    std::thread source([&] { bus_.publish(frame()); });
    EXPECT_TRUE(subscription->take(MonotonicTime::max()));
    source.join();
}

} // namespace
} // namespace picam
