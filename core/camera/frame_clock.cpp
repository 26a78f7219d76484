#include "core/camera/frame_clock.h"

#include "core/base/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace picam {

void FrameClock::start(double fps, std::function<bool()> tick)
{
    stop();
    {
        const MutexLock lock(mutex_);
        fps_ = fps;
        stopping_ = false;
    }
    thread_ = std::thread([this, tick = std::move(tick)] {
        try {
            run(tick);
        } catch (const std::exception &error) {
            log::error("the source's thread failed: {}", error.what());
            std::_Exit(EXIT_FAILURE);
        }
    });
}

void FrameClock::setRate(double fps)
{
    {
        const MutexLock lock(mutex_);
        fps_ = fps;
        rate_changed_ = true;
    }
    wake_.notify_all();
}

void FrameClock::stop()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

FrameClock::Clock::duration FrameClock::interval() const
{
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1.0 / fps_));
}

void FrameClock::run(const std::function<bool()> &tick)
{
    auto due = Clock::now();
    UniqueLock lock(mutex_);
    while (!stopping_) {
        const auto now = Clock::now();
        if (rate_changed_) {
            rate_changed_ = false;
            due = std::min(due, now + interval());
        }
        if (now < due) {
            wake_.wait_until(lock.native(), due);
            continue;
        }
        // After a long halt (a debugger, a suspended machine) go on from now instead of catching up.
        due = std::max(due + interval(), now);
        lock.unlock();
        const bool go_on = tick();
        lock.lock();
        if (!go_on)
            return;
    }
}

} // namespace picam
