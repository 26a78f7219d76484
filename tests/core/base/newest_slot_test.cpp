#include "core/base/newest_slot.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

namespace picam {
namespace {

using Slot = NewestSlot<std::unique_ptr<int>>;
using std::chrono::steady_clock;

TEST(NewestSlot, TheNewestWins)
{
    Slot slot;
    EXPECT_FALSE(slot.put(std::make_unique<int>(1)));
    EXPECT_TRUE(slot.put(std::make_unique<int>(2)));
    std::optional<std::unique_ptr<int>> out;
    EXPECT_EQ(slot.take(out, steady_clock::time_point::max()), Slot::Wake::kItem);
    EXPECT_EQ(**out, 2);
    EXPECT_EQ(slot.take(out, steady_clock::now()), Slot::Wake::kTimeout);
}

TEST(NewestSlot, AnInterruptionIsToldOnceAndKeepsTheItem)
{
    Slot slot;
    slot.put(std::make_unique<int>(1));
    slot.interrupt();
    std::optional<std::unique_ptr<int>> out;
    EXPECT_EQ(slot.take(out, steady_clock::time_point::max()), Slot::Wake::kInterrupted);
    EXPECT_EQ(slot.take(out, steady_clock::time_point::max()), Slot::Wake::kItem);
}

TEST(NewestSlot, WakesWhoWaits)
{
    Slot slot;
    std::thread putter([&] { slot.put(std::make_unique<int>(5)); });
    std::optional<std::unique_ptr<int>> out;
    EXPECT_EQ(slot.take(out, steady_clock::now() + std::chrono::seconds(20)), Slot::Wake::kItem);
    putter.join();
    std::thread interrupter([&] { slot.interrupt(); });
    EXPECT_EQ(slot.take(out, steady_clock::now() + std::chrono::seconds(20)), Slot::Wake::kInterrupted);
    interrupter.join();
}

} // namespace
} // namespace picam
