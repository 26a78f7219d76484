// StreamPipeline is the way of a frame in the streaming daemon: camera -> frame bus -> encoder pool -> frame store and
// hub, and beside it frame bus -> rung encoders -> hub for H.264. While viewers want the stream it demands frames of
// the camera (CameraController opens it, and tries again what fails); the pool encodes what is due; each picture is
// published to the store and, the newest, posted to the loop; H.264 is encoded when it is asked for. It counts nothing
// on its own (Status) and knows no viewers (Hub).
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/camera_controller.h"
#include "core/loop/scheduler.h"
#include "core/store/frame_store.h"
#include "streamd/controls/controls_camera.h"
#include "streamd/pipeline/camera_switch.h"
#include "streamd/pipeline/encoder_pool.h"
#include "streamd/pipeline/store_stills.h"
#include "streamd/pipeline/stream_mailbox.h"
#include "streamd/pipeline/video_switch.h"
#include "streamd/status/status.h"
#include "streamd/video/rung_encoders.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace picam {

class StreamPipeline : public CameraSwitch,
                       public VideoSwitch,
                       public ControlsCamera,
                       private CameraObserver,
                       private EncodedFrameSink {
public:
    // Stills come from the stream's own frames while at least this many a second are encoded.
    static constexpr double kMinStoreFps = 5.0;

    struct Parts {
        SourceFactory make_source;
        Scheduler &scheduler;
        FrameStore &store;
        const CameraRequests &requests;
        std::function<ControlsRequest()> load_controls; // as CameraController::Options
        Status &status;
        CameraController::GiveUp give_up;                  // only a fresh process helps; need not return; any thread
        std::vector<RungEncoders::Factory> video_encoders; // as RungEncoders::Options; none: no H.264
    };

    // What `parts` refers to must outlive it.
    StreamPipeline(const Settings &settings, Parts parts,
                   std::chrono::milliseconds driver_timeout = CameraController::kDriverTimeout);
    StreamPipeline(const StreamPipeline &) = delete;
    StreamPipeline &operator=(const StreamPipeline &) = delete;
    ~StreamPipeline() override; // stops, as long as the camera takes to close

    void setSink(StreamSink *sink); // loop thread, before the first want()
    void want(bool wanted) override;
    void setDemand(double fps) override;
    void wantVideo(bool wanted) override;
    void requestVideo(unsigned rung, const RungEncoders::Request &request) override;
    void releaseVideo(unsigned rung) override;

    [[nodiscard]] std::optional<Opened> openedCamera() const override; // any thread
    void refreshControls() override { camera_.refreshControls(); }

    // Releases the camera for good. Returns at once; `stopped` is called on the loop when the camera is closed.
    void requestStop(std::function<void()> stopped); // loop thread

private:
    void updateDemand();
    [[nodiscard]] bool needsFrame() const;
    void publish(EncodedFrame &picture);
    [[nodiscard]] std::optional<CameraStatus> news(unsigned generation, Size size);
    void onVideoEncoded(RungEncoders::Result result);

    // CameraObserver: the controller's threads.
    void onCameraOpened(const SourceInfo &info) override;
    void onCameraClosing() override;
    void onCameraUnavailable(const Error &why) override;
    void onFrameRateChanged() override;
    void onStillRequested() override;
    void onCameraStopped() override;
    // EncodedFrameSink: the pool's threads, one at a time but for generation().
    [[nodiscard]] unsigned generation() const override { return generation_; }
    void onEncoded(Result result) override;

    // Constant after construction.
    const Settings settings_;
    Scheduler &scheduler_;
    FrameStore &store_;
    Status &status_;
    const unsigned workers_;
    const std::vector<RungEncoders::Factory> video_encoders_;
    const std::shared_ptr<StreamMailbox> mailbox_;

    // Loop thread only.
    bool wanted_ = false;
    double viewer_fps_ = 0.0; // as setDemand()
    bool video_wanted_ = false;
    std::shared_ptr<std::function<void()>> stopped_ = std::make_shared<std::function<void()>>();

    std::atomic<unsigned> generation_{0};   // of the loop's demand: changes with each want()
    std::atomic<double> jpeg_fps_{kNobody}; // frames a second that the pool is to encode

    mutable Mutex opened_mutex_;
    std::optional<Opened> opened_ PICAM_GUARDED_BY(opened_mutex_);

    // From onCameraOpened() to onCameraClosing().
    SourceInfo info_;
    std::unique_ptr<EncoderPool> pool_;
    Mutex stills_mutex_;
    std::unique_ptr<StoreStills> stills_ PICAM_GUARDED_BY(stills_mutex_);
    Mutex video_mutex_;
    std::unique_ptr<RungEncoders> video_ PICAM_GUARDED_BY(video_mutex_);
    // Not answered yet, and once more the next camera's.
    std::array<std::optional<RungEncoders::Request>, kVideoRungs> video_requests_ PICAM_GUARDED_BY(video_mutex_);
    Mutex reported_mutex_;
    unsigned reported_ PICAM_GUARDED_BY(reported_mutex_) = 0;     // the generation that has heard of this camera
    double reported_fps_ PICAM_GUARDED_BY(reported_mutex_) = 0.0; // … and of this rate
    // Of the thread that commits.
    std::uint64_t last_sequence_ = 0;
    bool publish_failed_ = false;

    // Last, and in this order: their threads use all the others.
    CameraController camera_;
    const std::unique_ptr<FrameBus::Subscription> jpeg_frames_;
    const std::unique_ptr<FrameBus::Subscription> still_frames_;
    const std::unique_ptr<FrameBus::Subscription> video_frames_; // null: no H.264
};

} // namespace picam
