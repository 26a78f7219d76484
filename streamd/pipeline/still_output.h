// Stills of their own size beside the stream: while the camera is open with a still output, a thread waits for the wish
// of a snapshot worker (FrameStore::Word::kStillWish), takes one frame of that output, encodes it and publishes it. The
// stream's frames do not wait for it: encoding a large still takes many of their intervals.
#pragma once

#include "core/camera/camera_session.h"
#include "core/image/jpeg_encoder.h"
#include "core/store/frame_store.h"

#include <atomic>
#include <thread>

namespace picam {

class StillOutput {
public:
    // `session`, with a still output, and `store` must outlive this. `quality`: JPEG's, 1 to 100.
    StillOutput(CameraSession &session, FrameStore &store, JpegEncoder encoder, int quality);
    StillOutput(const StillOutput &) = delete;
    StillOutput &operator=(const StillOutput &) = delete;
    ~StillOutput(); // ends the thread: as long as a still takes to be encoded

    // Exposure and white balance have converged: nothing is published before. Any thread.
    void setSettled() { settled_ = true; }

private:
    void run(std::uint32_t seen);
    [[nodiscard]] Expected<void> takeStill();

    CameraSession &session_;
    FrameStore &store_;
    JpegEncoder encoder_; // its own thread only
    const int quality_;
    std::atomic<bool> settled_{false};
    std::atomic<bool> stopping_{false};
    std::thread thread_; // last: it uses all the others
};

} // namespace picam
