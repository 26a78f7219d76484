// FrameClock is the thread of a source without hardware that keeps the rate: it calls back at each frame's time,
// without drift. start(), setRate() and stop() belong to the source's owner; the callback runs in the clock's thread.
#pragma once

#include "core/base/thread_annotations.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <thread>

namespace picam {

class FrameClock {
public:
    FrameClock() = default;
    FrameClock(const FrameClock &) = delete;
    FrameClock &operator=(const FrameClock &) = delete;
    ~FrameClock() { stop(); }

    // False from the callback ends the clock.
    void start(double fps, std::function<bool()> tick);
    void setRate(double fps);
    void stop();

private:
    using Clock = std::chrono::steady_clock;

    void run(const std::function<bool()> &tick);
    [[nodiscard]] Clock::duration interval() const PICAM_REQUIRES(mutex_);

    Mutex mutex_;
    std::condition_variable wake_;
    double fps_ PICAM_GUARDED_BY(mutex_) = 30.0;
    bool rate_changed_ PICAM_GUARDED_BY(mutex_) = false;
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

} // namespace picam
