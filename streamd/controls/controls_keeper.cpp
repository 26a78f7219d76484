#include "streamd/controls/controls_keeper.h"

#include "core/base/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {

ControlsKeeper::ControlsKeeper(const ControlsFiles &files)
    : files_(files), thread_([this] {
          try {
              run();
          } catch (const std::exception &error) {
              log::error("the thread that keeps the controls failed: {}", error.what());
              std::_Exit(EXIT_FAILURE);
          }
      })
{
}

ControlsKeeper::~ControlsKeeper()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void ControlsKeeper::keep(const ControlsDocument &document)
{
    {
        const MutexLock lock(mutex_);
        last_ = Clock::now();
        if (!waiting_)
            first_ = last_;
        waiting_ = document;
    }
    changed_.notify_all();
}

void ControlsKeeper::run()
{
    UniqueLock lock(mutex_);
    while (true) {
        if (!waiting_) {
            if (stopping_)
                return;
            changed_.wait(lock.native());
            continue;
        }
        const auto due = std::max<Clock::time_point>(std::min(last_ + kRest, first_ + kMaxDelay), not_before_);
        if (!stopping_ && Clock::now() < due) {
            changed_.wait_until(lock.native(), due);
            continue;
        }
        const ControlsDocument document = *std::exchange(waiting_, std::nullopt);
        lock.unlock();
        write(document);
        lock.lock();
        if (kept_) {
            not_before_ = {};
            pause_ = kFirstPause;
        } else if (!stopping_) { // a full disk may have room again
            not_before_ = Clock::now() + pause_;
            pause_ = std::min(pause_ * 2, kMaxPause);
            if (!waiting_)
                waiting_ = document;
        }
    }
}

void ControlsKeeper::write(const ControlsDocument &document)
{
    const auto done = files_.keep(document);
    if (!done && kept_)
        log::warning("the controls hold until the next reboot only: {}", done.error().message);
    kept_ = done.has_value();
}

} // namespace picam
