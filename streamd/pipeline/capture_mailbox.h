// From the capture thread to the loop: the newest picture and status, never a queue of them.
// Mail of a wish that the loop has taken back is dropped.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/image/encoded_frame.h"
#include "streamd/loop/scheduler.h"
#include "streamd/pipeline/camera_status.h"

#include <memory>
#include <optional>

namespace picam {

// Hears from the capture thread, on the loop. Nothing arrives after a want(false), nor of the time before it.
class CaptureSink {
public:
    virtual ~CaptureSink() = default;
    virtual void onPicture(const PicturePtr &picture) = 0;
    virtual void onCameraStatus(const CameraStatus &camera) = 0; // any state but kIdle
};

class CaptureMailbox : public std::enable_shared_from_this<CaptureMailbox> {
public:
    // The scheduler must outlive every put().
    explicit CaptureMailbox(Scheduler &scheduler) : scheduler_(scheduler) {}
    CaptureMailbox(const CaptureMailbox &) = delete;
    CaptureMailbox &operator=(const CaptureMailbox &) = delete;

    // Loop thread. Null: nobody hears any more.
    void setSink(CaptureSink *sink) { sink_ = sink; }
    // Loop thread: empties the box; from now on it takes mail of this wish, or of none.
    void restart(unsigned wish, bool wanted);
    // Any thread. A new status drops the picture of the one before; it is delivered before `picture`.
    void put(unsigned wish, std::optional<CameraStatus> status, PicturePtr picture);

private:
    void deliver();
    [[nodiscard]] bool takes(unsigned wish);

    Scheduler &scheduler_;
    CaptureSink *sink_ = nullptr; // loop thread only

    Mutex mutex_;
    unsigned wish_ PICAM_GUARDED_BY(mutex_) = 0;
    bool open_ PICAM_GUARDED_BY(mutex_) = false;
    bool posted_ PICAM_GUARDED_BY(mutex_) = false;
    std::optional<CameraStatus> status_ PICAM_GUARDED_BY(mutex_);
    PicturePtr picture_ PICAM_GUARDED_BY(mutex_);
};

} // namespace picam
