// One libcamera camera from acquire() to release(): configuration, buffers, requests. Internal to libcamera_source.cpp.
// start(), setFrameRate() and stop() belong to the capture thread; frames come in libcamera's thread; a frame may be
// given back from any, even after stop(), which is why the session is shared by its frames.
#pragma once

#include "core/dma_buffer.h"
#include "core/source.h"
#include "core/thread_annotations.h"

#include <chrono>
#include <condition_variable>
#include <libcamera/libcamera.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace picam {

class LibcameraSession : public std::enable_shared_from_this<LibcameraSession> {
public:
    LibcameraSession(std::shared_ptr<libcamera::Camera> camera, std::string name, FrameSink &sink);
    LibcameraSession(const LibcameraSession &) = delete;
    LibcameraSession &operator=(const LibcameraSession &) = delete;
    ~LibcameraSession(); // after stop()

    [[nodiscard]] Expected<SourceInfo> start(const SourceRequest &request, ColorRangeSetting color_range);
    void setFrameRate(double fps);
    void stop();

private:
    using Clock = std::chrono::steady_clock;

    // One buffer with its request and where its planes lie.
    struct Slot {
        std::unique_ptr<libcamera::Request> request;
        std::unique_ptr<libcamera::FrameBuffer> own_buffer; // empty: the allocator's
        libcamera::FrameBuffer *buffer = nullptr;
        std::vector<int> fds; // unique, for cache maintenance
        std::array<Plane, 3> planes{};
    };

    [[nodiscard]] Expected<void> configure(const SourceRequest &request, ColorRangeSetting color_range);
    [[nodiscard]] Expected<void> allocate();
    [[nodiscard]] Expected<void> allocateFromHeap(unsigned int count);
    [[nodiscard]] Expected<void> mapSlot(Slot &slot);
    void setRate(libcamera::ControlList &controls, double fps) const;
    void onRequestCompleted(libcamera::Request *request);
    void onDisconnected();
    [[nodiscard]] bool early(Clock::time_point now) PICAM_REQUIRES(mutex_);
    void deliver(std::size_t index);
    void giveBack(std::size_t index);
    void queue(std::size_t index) PICAM_REQUIRES(mutex_);
    void park(std::size_t index) PICAM_REQUIRES(mutex_);
    void pace();

    // Constant after start().
    std::shared_ptr<libcamera::Camera> camera_;
    const std::string name_;
    FrameSink &sink_;
    std::unique_ptr<libcamera::CameraConfiguration> config_;
    std::unique_ptr<libcamera::FrameBufferAllocator> allocator_;
    MappedFiles maps_;
    std::vector<Slot> slots_;
    FrameFormat format_;
    Transform remaining_;
    bool still_ = false;
    bool acquired_ = false;

    Mutex mutex_;
    bool running_ PICAM_GUARDED_BY(mutex_) = false;
    double fps_ PICAM_GUARDED_BY(mutex_) = 30.0;
    bool rate_changed_ PICAM_GUARDED_BY(mutex_) = false;
    unsigned int cancelled_in_a_row_ PICAM_GUARDED_BY(mutex_) = 0;
    Clock::time_point next_due_ PICAM_GUARDED_BY(mutex_){};
    std::vector<std::size_t> parked_ PICAM_GUARDED_BY(mutex_); // came too early: queued again when one is due
    std::condition_variable pace_wake_;
    std::thread pacer_; // only for cameras that do not keep the rate themselves
};

} // namespace picam
