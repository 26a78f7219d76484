// The camera as the snapshot worker has it: opened for the first who asks, settled, one capture for all who ask
// meanwhile, kept open for `snapshot.linger` after the last still without encoding anything, given up at once when
// another process wishes for it. A thread of its own owns the camera; capture() may be called from any.
#pragma once

#include "core/base/settings.h"
#include "core/base/thread_annotations.h"
#include "core/camera/camera_session.h"
#include "core/camera/settling.h"
#include "core/image/jpeg_encoder.h"
#include "core/store/frame_store.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace picam {

class StillCamera {
public:
    using SourceFactory = std::function<Expected<std::unique_ptr<Source>>()>;

    // `store` must outlive the camera.
    [[nodiscard]] static std::unique_ptr<StillCamera> create(const Settings &settings, FrameStore &store,
                                                             SourceFactory factory);
    StillCamera(const StillCamera &) = delete;
    StillCamera &operator=(const StillCamera &) = delete;
    ~StillCamera(); // after stop(), or stops

    // Gives the camera up; whoever waits, or asks from now on, gets kCameraFailed.
    void stop();

    // A settled picture captured at `since` or later; waits for it. Errors: kInterrupted when another process holds
    // the camera lock (its pictures are in the store), kTimeout, or why the camera gave nothing.
    [[nodiscard]] Expected<PicturePtr> capture(MonotonicTime since, MonotonicTime deadline);

    // The time between two frames at the full rate: how old a picture "of now" may be.
    [[nodiscard]] std::chrono::microseconds interval() const;

private:
    StillCamera(const Settings &settings, FrameStore &store, SourceFactory factory);

    // One who waits; lies on the waiter's stack and is listed while it waits.
    struct Ask {
        MonotonicTime since;
        bool answered = false;
        Expected<PicturePtr> result = PicturePtr();
    };

    void run();
    [[nodiscard]] Expected<void> holdCamera();
    [[nodiscard]] Expected<void> takePicture(CameraSession &session, JpegEncoder &encoder, Settling &settling,
                                             MonotonicTime since);
    void watchWishes(std::uint32_t camera_wish, std::uint32_t still_wish);
    void answer(const Expected<PicturePtr> &result) PICAM_EXCLUDES(mutex_);

    const Settings settings_;
    FrameStore &store_;
    const SourceFactory factory_;

    Mutex mutex_;
    std::condition_variable camera_wake_; // the camera thread waits here
    std::condition_variable asker_wake_;
    std::vector<Ask *> asks_ PICAM_GUARDED_BY(mutex_);
    bool remote_ask_ PICAM_GUARDED_BY(mutex_) = false; // another worker asks, through the store
    bool yield_ PICAM_GUARDED_BY(mutex_) = false;      // another process wants the camera
    bool closing_ PICAM_GUARDED_BY(mutex_) = false;    // the wish watcher shall end
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    PicturePtr latest_ PICAM_GUARDED_BY(mutex_);
    CameraSession *session_ PICAM_GUARDED_BY(mutex_) = nullptr;

    std::thread thread_; // last: it uses all the others
};

} // namespace picam
