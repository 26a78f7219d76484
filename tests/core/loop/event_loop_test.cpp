#include "core/loop/event_loop.h"

#include <csignal>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace picam {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, RunsWhatOtherThreadsPost)
{
    EventLoop loop;
    int ran = 0;
    std::thread other([&] {
        for (int i = 0; i < 100; ++i)
            loop.post([&ran] { ++ran; });
        loop.post([&loop] { loop.stop(); });
    });
    loop.run();
    other.join();
    EXPECT_EQ(ran, 100);
}

TEST(EventLoop, TimersRunInTheirOrderAndOnce)
{
    EventLoop loop;
    std::vector<int> order;
    const auto one = loop.makeTimer();
    const auto two = loop.makeTimer();
    const auto end = loop.makeTimer();
    two->start(2ms, [&] { order.push_back(2); });
    one->start(1ms, [&] { order.push_back(1); });
    end->start(20ms, [&] { loop.stop(); });
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(EventLoop, ACancelledTimerStaysSilentEvenWhenItIsDue)
{
    EventLoop loop;
    bool rang = false;
    auto cancelled = loop.makeTimer();
    auto replaced = loop.makeTimer();
    auto destroyed = loop.makeTimer();
    const auto end = loop.makeTimer();
    int replacements = 0;
    cancelled->start(0ms, [&] { rang = true; });
    replaced->start(0ms, [&] { rang = true; });
    destroyed->start(0ms, [&] { rang = true; });
    // All are due by now; this runs before their handlers do.
    loop.post([&] {
        cancelled->cancel();
        replaced->start(1ms, [&] { ++replacements; });
        destroyed.reset();
        end->start(20ms, [&] { loop.stop(); });
    });
    loop.run();
    EXPECT_FALSE(rang);
    EXPECT_EQ(replacements, 1);
}

TEST(EventLoop, ATimerMayStartItselfAgain)
{
    EventLoop loop;
    int rounds = 0;
    const auto timer = loop.makeTimer();
    std::function<void()> again = [&] {
        if (++rounds == 3)
            loop.stop();
        else
            timer->start(0ms, again);
    };
    timer->start(0ms, again);
    loop.run();
    EXPECT_EQ(rounds, 3);
}

TEST(EventLoop, SignalsComeThroughTheLoop)
{
    EventLoop loop;
    int heard = 0;
    loop.onSignals([&] {
        if (++heard == 2)
            loop.stop();
        else
            std::raise(SIGINT);
    });
    loop.post([] { std::raise(SIGTERM); });
    loop.run();
    EXPECT_EQ(heard, 2);
}

} // namespace
} // namespace picam
