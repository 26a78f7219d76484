// ControlsKeeper writes what is wanted of the controls to the disk when changes have come to rest: a slider that is
// dragged is one write, and a slow card makes nobody wait. A thread of its own, which sleeps while there is nothing to
// write.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/controls/controls_files.h"

#include <atomic>
#include <condition_variable>
#include <optional>
#include <thread>

namespace picam {

class ControlsKeeper {
public:
    // After the last change; and at most so long after the first.
    static constexpr std::chrono::milliseconds kRest{1000};
    static constexpr std::chrono::milliseconds kMaxDelay{5000};
    // After a write that failed, and twice as long after each further one.
    static constexpr std::chrono::milliseconds kFirstPause{5000};
    static constexpr std::chrono::milliseconds kMaxPause{600000};

    explicit ControlsKeeper(const ControlsFiles &files); // which must outlive it
    ControlsKeeper(const ControlsKeeper &) = delete;
    ControlsKeeper &operator=(const ControlsKeeper &) = delete;
    ~ControlsKeeper(); // writes what is left

    void keep(const ControlsDocument &document) PICAM_EXCLUDES(mutex_);
    // Whether the last write succeeded, or none was tried. Any thread.
    [[nodiscard]] bool kept() const { return kept_; }

private:
    using Clock = std::chrono::steady_clock;
    void run();
    void write(const ControlsDocument &document);

    const ControlsFiles &files_;
    std::atomic<bool> kept_{true};

    Mutex mutex_;
    std::condition_variable changed_;
    std::optional<ControlsDocument> waiting_ PICAM_GUARDED_BY(mutex_);
    Clock::time_point first_ PICAM_GUARDED_BY(mutex_){};
    Clock::time_point last_ PICAM_GUARDED_BY(mutex_){};
    Clock::time_point not_before_ PICAM_GUARDED_BY(mutex_){};
    std::chrono::milliseconds pause_ PICAM_GUARDED_BY(mutex_) = kFirstPause; // after the next failure
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;

    std::thread thread_; // last: it uses all the others
};

} // namespace picam
