// StillCapture takes pictures for requests: one capture answers all who ask meanwhile. It demands frames of the camera
// while somebody asks and for `snapshot.linger` after the last still, in which nothing is encoded. CameraController
// opens the camera, and releases it at once when another process requests it. capture() may be called from any thread.
#pragma once

#include "core/base/settings.h"
#include "core/base/thread_annotations.h"
#include "core/camera/camera_controller.h"
#include "core/image/jpeg_encoder.h"
#include "core/store/frame_store.h"

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace picam {

class StillCapture : private CameraObserver {
public:
    // `store` and `requests` must outlive it. `load_controls`, `give_up`: as CameraController has them.
    StillCapture(const Settings &settings, FrameStore &store, const CameraRequests &requests, SourceFactory make_source,
                 std::function<ControlsRequest()> load_controls, CameraController::GiveUp give_up,
                 std::chrono::milliseconds driver_timeout = CameraController::kDriverTimeout);
    StillCapture(const StillCapture &) = delete;
    StillCapture &operator=(const StillCapture &) = delete;
    ~StillCapture() override; // stops

    // Releases the camera, as long as that takes; whoever waits, or asks from now on, gets kCameraFailed at once.
    void stop();

    // Waits for a picture captured at `since` or later, with exposure and white balance converged, and with the
    // controls in force that are wanted at the call, or later ones. Errors: kInterrupted when another process holds the
    // camera lock (its pictures are in the store), kTimeout, or why the camera gave nothing.
    [[nodiscard]] Expected<PicturePtr> capture(MonotonicTime since, MonotonicTime deadline);

    // The time between two frames at the full rate: how old a picture "of now" may be.
    [[nodiscard]] std::chrono::microseconds interval() const;

private:
    // One who waits; lies on the waiter's stack and is listed while it waits.
    struct Request {
        MonotonicTime since;
        std::uint32_t controls_generation = 0;
        bool answered = false;
        Expected<PicturePtr> result = PicturePtr();
    };
    enum class Next : std::uint8_t { kTake, kSlowDown, kRelease };

    void run();
    void useCamera();
    [[nodiscard]] Next waitForRequest(MonotonicTime last_request, bool slow, Request &oldest) PICAM_EXCLUDES(mutex_);
    void takePicture(const Request &oldest);
    [[nodiscard]] static bool answers(const Picture &picture, const Request &request);
    void answer(const Expected<PicturePtr> &result) PICAM_EXCLUDES(mutex_);

    // CameraObserver: the controller's threads.
    void onCameraOpened(const SourceInfo &info) override;
    void onCameraClosing() override;
    void onCameraUnavailable(const Error &why) override;
    void onStillRequested() override;

    const Settings settings_;
    FrameStore &store_;
    const CameraRequests &camera_requests_;

    Mutex mutex_;
    std::condition_variable capture_wake_; // the capture thread waits here
    std::condition_variable request_wake_;
    std::vector<Request *> requests_ PICAM_GUARDED_BY(mutex_);
    bool remote_request_ PICAM_GUARDED_BY(mutex_) = false; // of another worker, through the store
    bool unavailable_ PICAM_GUARDED_BY(mutex_) = false;    // the camera is not to be had for the present demand
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    std::optional<Transform> remaining_ PICAM_GUARDED_BY(mutex_); // of the open camera, for the encoder
    PicturePtr latest_ PICAM_GUARDED_BY(mutex_);                  // while the camera is open

    std::optional<JpegEncoder> encoder_; // capture thread only

    // Last, and in this order: their threads use all the others.
    CameraController camera_;
    const std::unique_ptr<FrameBus::Subscription> frames_;
    std::thread thread_;
};

} // namespace picam
