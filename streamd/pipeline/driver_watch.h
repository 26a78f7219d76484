// A camera's driver may never come back from a call, and no thread can be taken out of it: then only a fresh process
// helps. One call at a time is watched by a timer of the loop, which costs nothing between calls.
#pragma once

#include "streamd/loop/scheduler.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace picam {

class DriverWatch : public std::enable_shared_from_this<DriverWatch> {
public:
    // On the loop, when a call takes longer than `patience`: what the call is for.
    using Stuck = std::function<void(const std::string &what)>;

    // The scheduler must outlive every call.
    DriverWatch(Scheduler &scheduler, std::chrono::milliseconds patience, Stuck stuck)
        : scheduler_(scheduler), patience_(patience), stuck_(std::move(stuck))
    {
    }
    DriverWatch(const DriverWatch &) = delete;
    DriverWatch &operator=(const DriverWatch &) = delete;

    // Watches as long as it lives. Any thread.
    class Call {
    public:
        Call(std::shared_ptr<DriverWatch> watch, std::string what);
        Call(const Call &) = delete;
        Call &operator=(const Call &) = delete;
        ~Call();

    private:
        const std::shared_ptr<DriverWatch> watch_;
    };

private:
    void begin(std::string what);
    void end();

    Scheduler &scheduler_;
    const std::chrono::milliseconds patience_;
    const Stuck stuck_;
    std::atomic<bool> calling_{false}; // true at once; the loop may hear of it late
    std::unique_ptr<Timer> timer_;     // loop thread only
};

} // namespace picam
