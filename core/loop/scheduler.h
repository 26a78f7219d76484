// Scheduler is the loop's time and queue, as its objects see them: EventLoop implements it, and tests advance a fake
// one. Timers and now() belong to the loop thread; post() to any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace picam {

class Timer {
public:
    virtual ~Timer() = default; // cancels
    // Calls `then` once after `delay`; a start replaces the one before.
    virtual void start(std::chrono::steady_clock::duration delay, std::function<void()> then) = 0;
    virtual void cancel() = 0; // after it returns `then` is not called
};

class Scheduler {
public:
    virtual ~Scheduler() = default;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Timer> makeTimer() = 0; // must die before the scheduler
    virtual void post(std::function<void()> work) = 0;
};

} // namespace picam
