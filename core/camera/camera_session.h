// A camera held by this process: the lock, then the source, then its frames through the newest-frame slot; given up
// in the reverse order. Created, used and destroyed by one thread (the capture thread); interrupt() by any. The still
// output may be another thread's, which ends before the session.
#pragma once

#include "core/base/newest_slot.h"
#include "core/base/settings.h"
#include "core/camera/camera_lock.h"
#include "core/camera/source.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

namespace picam {

struct CameraFrame {
    Frame frame;
    std::uint64_t dropped_before = 0; // frames that newer ones replaced, unread, since the last one taken
};

class CameraSession : private FrameSink {
public:
    // Starts `source` under `lock`. Errors: as Source::start(); the lock is released then.
    [[nodiscard]] static Expected<std::unique_ptr<CameraSession>>
    open(CameraLock lock, std::unique_ptr<Source> source, const SourceRequest &request, Milliseconds stall);

    CameraSession(const CameraSession &) = delete;
    CameraSession &operator=(const CameraSession &) = delete;
    ~CameraSession() override;

    [[nodiscard]] const SourceInfo &info() const { return info_; }
    [[nodiscard]] MonotonicTime opened() const { return opened_; }
    void setFrameRate(double fps) { source_->setFrameRate(fps); }

    // Waits for a frame newer than the last. Errors: kStalled when the camera gave none for `stall`, kTimeout at the
    // deadline, kInterrupted, or what the source reported. One thread at a time.
    [[nodiscard]] Expected<CameraFrame> nextFrame(MonotonicTime deadline);
    // Makes the present or next nextFrame() return kInterrupted.
    void interrupt() { slot_.interrupt(); }

    // A frame of the still output (info().still_output) that is exposed from now on. Errors: kTimeout at the deadline,
    // kInterrupted, or what the source reported. One thread.
    [[nodiscard]] Expected<Frame> takeStill(MonotonicTime deadline);
    // Makes the present or next takeStill() return kInterrupted. Any thread.
    void interruptStill() { stills_.interrupt(); }

private:
    using Item = tl::expected<Frame, Error>;

    CameraSession(CameraLock lock, std::unique_ptr<Source> source, Milliseconds stall);
    void onFrame(Frame frame) override;
    void onStill(Frame frame) override;
    void onSourceError(Error error) override;

    const Milliseconds stall_;
    const MonotonicTime opened_;
    CameraLock lock_; // before source_: released after it
    NewestSlot<Item> slot_;
    NewestSlot<Item> stills_;
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<bool> failed_{false}; // no frame may take the place of the error
    std::once_flag failing_;
    Error error_;              // the first; constant once failed_
    MonotonicTime last_frame_; // of whoever is in nextFrame()
    SourceInfo info_;          // constant after open()
    std::unique_ptr<Source> source_;
};

} // namespace picam
