// NewestSlot is a single-element overwriting mailbox between two threads: the producer never blocks, and a newer item
// replaces an older one; the consumer sleeps until there is an item or it is interrupted.
#pragma once

#include "core/base/thread_annotations.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace picam {

template <class T>
class NewestSlot {
public:
    enum class Wake : std::uint8_t { kItem, kInterrupted, kTimeout };

    // Any thread. The replaced item is destroyed outside the lock. True: an older item was dropped unread.
    bool put(T item)
    {
        std::optional<T> old;
        {
            const MutexLock lock(mutex_);
            old = std::exchange(item_, std::optional<T>(std::move(item)));
        }
        ready_.notify_one();
        return old.has_value();
    }

    // Waits until the deadline. kItem: `out` is set. An interruption is reported once, before an item.
    Wake take(std::optional<T> &out, std::chrono::steady_clock::time_point deadline)
    {
        UniqueLock lock(mutex_);
        while (!item_ && !interrupted_) {
            if (ready_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                break;
        }
        if (std::exchange(interrupted_, false))
            return Wake::kInterrupted;
        if (!item_)
            return Wake::kTimeout;
        out = std::exchange(item_, std::nullopt);
        return Wake::kItem;
    }

    // Any thread: the next (or present) take() returns kInterrupted.
    void interrupt()
    {
        {
            const MutexLock lock(mutex_);
            interrupted_ = true;
        }
        ready_.notify_one();
    }

    void clear()
    {
        std::optional<T> old;
        const MutexLock lock(mutex_);
        old.swap(item_);
    }

    // As new: an interruption that nobody was there for is forgotten, too.
    void reset()
    {
        std::optional<T> old;
        const MutexLock lock(mutex_);
        old.swap(item_);
        interrupted_ = false;
    }

private:
    Mutex mutex_;
    std::condition_variable ready_;
    std::optional<T> item_ PICAM_GUARDED_BY(mutex_);
    bool interrupted_ PICAM_GUARDED_BY(mutex_) = false;
};

} // namespace picam
