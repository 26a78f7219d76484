// StreamMailbox carries the newest picture and the camera's status from the pipeline's threads to the loop: a
// single-element overwriting mailbox for each, never a queue. Frames of H.264, which refer to each other, are passed on
// one by one: each has been asked for. It drops what belongs to a demand that the loop has withdrawn.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/image/encoded_frame.h"
#include "core/loop/scheduler.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/video/rung_encoders.h"

#include <memory>
#include <optional>

namespace picam {

// Receives what the pipeline makes. Loop thread. Nothing arrives after want(false), nor from the time before it.
class StreamSink {
public:
    virtual ~StreamSink() = default;
    virtual void onPicture(const PicturePtr &picture) = 0;
    virtual void onCameraStatus(const CameraStatus &camera) = 0; // any state but kIdle
    virtual void onVideo(const RungEncoders::Result &result) = 0;
};

class StreamMailbox : public std::enable_shared_from_this<StreamMailbox> {
public:
    // The scheduler must outlive every put().
    explicit StreamMailbox(Scheduler &scheduler) : scheduler_(scheduler) {}
    StreamMailbox(const StreamMailbox &) = delete;
    StreamMailbox &operator=(const StreamMailbox &) = delete;

    // Loop thread. Null: nobody receives any more.
    void setSink(StreamSink *sink) { sink_ = sink; }
    // Loop thread: empties the mailbox; from now on it takes what is put for this generation of the demand, or nothing.
    void restart(unsigned generation, bool wanted);
    // Any thread. A new status drops the picture of the one before; it is delivered before `picture`.
    void put(unsigned generation, std::optional<CameraStatus> status, PicturePtr picture);
    void putVideo(unsigned generation, RungEncoders::Result result);

private:
    void deliver();
    [[nodiscard]] bool takes(unsigned generation);

    Scheduler &scheduler_;
    StreamSink *sink_ = nullptr; // loop thread only

    Mutex mutex_;
    unsigned generation_ PICAM_GUARDED_BY(mutex_) = 0;
    bool open_ PICAM_GUARDED_BY(mutex_) = false;
    bool posted_ PICAM_GUARDED_BY(mutex_) = false;
    std::optional<CameraStatus> status_ PICAM_GUARDED_BY(mutex_);
    PicturePtr picture_ PICAM_GUARDED_BY(mutex_);
};

} // namespace picam
