// LibcameraSession is one libcamera camera from acquire() to release(): configuration, requests, pacing. Part of the
// module. start(), setFrameRate(), setControls(), readControls() and stop() belong to the controller's thread; frames
// come in libcamera's thread; a frame may be recycled by any thread, even after stop(), which is why the session is
// shared by its frames.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/libcamera_buffers.h"
#include "core/camera/libcamera_config.h"
#include "core/camera/libcamera_controls.h"
#include "core/camera/source.h"
#include "core/controls/webcam_controls.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <libcamera/libcamera.h>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace picam {

class LibcameraSession : public std::enable_shared_from_this<LibcameraSession> {
public:
    LibcameraSession(std::shared_ptr<libcamera::Camera> camera, std::string name, FrameSink &sink);
    LibcameraSession(const LibcameraSession &) = delete;
    LibcameraSession &operator=(const LibcameraSession &) = delete;
    ~LibcameraSession(); // after stop(), and where it says so, after finish()

    [[nodiscard]] Expected<SourceInfo> start(const SourceRequest &request, ColorRangeSetting color_range);
    void setFrameRate(double fps);
    void setControls(const ControlsRequest &controls);
    [[nodiscard]] ControlValues readControls();
    void requestStill(); // any thread, between start() and stop()
    void stop();
    // To be called when the camera manager has stopped. A camera that was unplugged keeps the requests that were
    // queued, and libcamera's thread may still touch them: until then they live, with their buffers and the camera.
    // True where there was such a camera: it is deleted in that thread, when the manager is started again.
    [[nodiscard]] bool finish();

private:
    using Clock = std::chrono::steady_clock;

    using Buffer = LibcameraBuffers::Buffer;

    // A buffer for frames, the requests that bring it back: alone, or with the still's. A request keeps its buffers
    // as long as it lives: 0.7.1's virtual camera still looks at them when it has completed.
    struct Slot {
        std::unique_ptr<libcamera::Request> request;
        std::unique_ptr<libcamera::Request> with_still; // empty without a still output
        Buffer frame;
        std::optional<LibcameraControls::Step> step; // what the queued request says of the controls
    };

    [[nodiscard]] Expected<void> configure(const SourceRequest &request, ColorRangeSetting color_range);
    [[nodiscard]] Expected<libcamera_config::Chosen> choose(const SourceRequest &request) const;
    [[nodiscard]] std::string noSuchSize(const libcamera::StreamConfiguration &stream,
                                         const SourceRequest &request) const;
    [[nodiscard]] Expected<void> allocate();
    [[nodiscard]] Expected<std::unique_ptr<libcamera::Request>> requestFor(std::size_t index, bool with_still) const;
    void setRate(libcamera::ControlList &controls, double fps) const PICAM_REQUIRES(mutex_);
    void prepareControls() PICAM_EXCLUDES(mutex_);
    void wantControls(const ControlsRequest &controls) PICAM_EXCLUDES(mutex_);
    void noteStep(std::size_t index, bool cancelled) PICAM_REQUIRES(mutex_);
    void reportProblems() PICAM_EXCLUDES(mutex_);
    void onRequestCompleted(libcamera::Request *request);
    void onDisconnected() PICAM_EXCLUDES(mutex_);
    void awaitDisconnected() PICAM_EXCLUDES(mutex_);
    void freeRequests();
    [[nodiscard]] bool early(Clock::time_point now) PICAM_REQUIRES(mutex_);
    void deliver(std::size_t index, libcamera::Request &request, const CaptureMetadata &metadata);
    [[nodiscard]] std::shared_ptr<Frame> frameOf(const Buffer &buffer, const FrameFormat &format,
                                                 libcamera::Request &request, const CaptureMetadata &metadata,
                                                 std::function<void()> recycle) const;
    void recycle(std::size_t index);
    void recycleStill();
    void queue(std::size_t index) PICAM_REQUIRES(mutex_);
    void queueRefused() PICAM_REQUIRES(mutex_);
    void park(std::size_t index) PICAM_REQUIRES(mutex_);
    void pace();

    // Constant after start().
    std::shared_ptr<libcamera::Camera> camera_;
    const std::string name_;
    FrameSink &sink_;
    std::unique_ptr<libcamera::CameraConfiguration> config_;
    LibcameraBuffers buffers_;
    std::vector<Slot> slots_;
    FrameFormat format_;
    Transform remaining_;
    std::optional<FrameFormat> still_format_; // of the still output, if there is one
    Buffer still_buffer_;                     // its only one
    bool still_ = false;
    bool promises_rate_ = false;
    bool acquired_ = false;

    // Controller's thread only.
    std::optional<WebcamControls> webcam_; // a webcam's controls that libcamera does not have

    Mutex mutex_;
    bool running_ PICAM_GUARDED_BY(mutex_) = false;
    bool disconnected_ PICAM_GUARDED_BY(mutex_) = false; // libcamera knows that the camera was unplugged
    std::condition_variable disconnected_changed_;
    double fps_ PICAM_GUARDED_BY(mutex_) = 30.0;
    bool rate_changed_ PICAM_GUARDED_BY(mutex_) = false;
    bool still_wanted_ PICAM_GUARDED_BY(mutex_) = false; // the next request shall bring one
    bool still_out_ PICAM_GUARDED_BY(mutex_) = false;    // its buffer is with the camera or with the sink
    unsigned int queued_ PICAM_GUARDED_BY(mutex_) = 0;   // requests that libcamera has
    std::optional<LibcameraControls> controls_ PICAM_GUARDED_BY(mutex_); // while it is configured
    std::chrono::microseconds exposure_ PICAM_GUARDED_BY(mutex_){};      // set by hand; 0: it is not
    ControlProblems webcam_problems_ PICAM_GUARDED_BY(mutex_);
    bool problems_changed_ PICAM_GUARDED_BY(mutex_) = false;
    unsigned int cancelled_in_a_row_ PICAM_GUARDED_BY(mutex_) = 0; // that said nothing of the controls
    unsigned int refused_in_a_row_ PICAM_GUARDED_BY(mutex_) = 0;   // that did
    Clock::time_point next_due_ PICAM_GUARDED_BY(mutex_){};
    std::vector<std::size_t> refused_ PICAM_GUARDED_BY(mutex_); // queued again with the next that is
    std::vector<std::size_t> parked_ PICAM_GUARDED_BY(mutex_);  // came too early: queued again when one is due
    std::condition_variable pace_wake_;
    std::thread pacer_; // only for cameras that do not keep the rate that they promise
};

} // namespace picam
