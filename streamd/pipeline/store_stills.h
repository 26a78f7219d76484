// StoreStills answers the requests of snapshot workers while the stream has the camera: a thread of its own takes a
// frame of the still output, where the camera has one, encodes it and publishes it to the frame store. While too few of
// the stream's own frames are encoded, it does so with one of these too. The stream's frames do not wait for it: a
// large still takes many of their intervals. It lives as long as the camera is open.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/camera_controller.h"
#include "core/image/encoder.h"
#include "core/store/frame_store.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>

namespace picam {

class StoreStills {
public:
    struct Parts {
        std::unique_ptr<Encoder> frame_encoder; // of the stream's frames
        std::unique_ptr<Encoder> still_encoder; // of the still output's; null: the camera has none
        // Whether the stream's own frames are encoded so seldom that a request needs one of its own. Any thread.
        std::function<bool()> needs_frame;
    };

    // `frames` is this object's subscription. All must outlive it.
    StoreStills(CameraController &camera, FrameBus::Subscription &frames, FrameStore &store, Parts parts);
    StoreStills(const StoreStills &) = delete;
    StoreStills &operator=(const StoreStills &) = delete;
    ~StoreStills(); // ends the thread: as long as a still takes to be encoded

    // A picture is requested. Any thread; returns at once. Requests that come while one is answered are one more.
    void request() PICAM_EXCLUDES(mutex_);

private:
    void run();
    template <class Take>
    [[nodiscard]] Expected<EncodedFrame> encodeNext(Encoder &encoder, Take take);
    [[nodiscard]] Expected<void> publishFrame();
    [[nodiscard]] Expected<void> publishStill();

    CameraController &camera_;
    FrameBus::Subscription &frames_;
    FrameStore &store_;
    const Parts parts_;
    std::atomic<bool> stopping_{false};

    Mutex mutex_;
    std::condition_variable requested_changed_;
    bool requested_ PICAM_GUARDED_BY(mutex_) = false;

    std::thread thread_; // last: it uses all the others
};

} // namespace picam
