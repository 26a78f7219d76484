#include "core/camera/driver_watchdog.h"

#include <utility>

namespace picam {

DriverWatchdog::DriverWatchdog(std::string what, std::chrono::milliseconds timeout, const OnStuck &on_stuck)
    : thread_([this, what = std::move(what), deadline = std::chrono::steady_clock::now() + timeout, &on_stuck] {
          {
              UniqueLock lock(mutex_);
              while (!returned_ && std::chrono::steady_clock::now() < deadline)
                  returned_changed_.wait_until(lock.native(), deadline);
              if (returned_)
                  return;
          }
          on_stuck(what);
      })
{
}

DriverWatchdog::~DriverWatchdog()
{
    {
        const MutexLock lock(mutex_);
        returned_ = true;
    }
    returned_changed_.notify_all();
    thread_.join();
}

} // namespace picam
