// DriverWatchdog watches a call into a camera's driver. Such a call may never return, and no thread can be taken out of
// it: then only a fresh process helps. It needs no event loop, and costs nothing between calls.
#pragma once

#include "core/base/thread_annotations.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <string>
#include <thread>

namespace picam {

class DriverWatchdog {
public:
    // Called once, in a thread of the watchdog's, with what the call was for. Usually ends the process.
    using OnStuck = std::function<void(const std::string &what)>;

    // Watches from now until it is destroyed, by a thread of its own.
    DriverWatchdog(std::string what, std::chrono::milliseconds timeout, const OnStuck &on_stuck);
    DriverWatchdog(const DriverWatchdog &) = delete;
    DriverWatchdog &operator=(const DriverWatchdog &) = delete;
    ~DriverWatchdog();

private:
    Mutex mutex_;
    std::condition_variable returned_changed_;
    bool returned_ PICAM_GUARDED_BY(mutex_) = false;
    std::thread thread_; // last: it uses all the others
};

} // namespace picam
