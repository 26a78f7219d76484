// A source that the test drives: it says which frames come, when, and what goes wrong. Small planar frames.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/source.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace picam::testing {

// What the test and the source share: sources come and go with each opening of the camera.
class FakeCamera {
public:
    // Set before the source is started.
    std::optional<Error> start_error;
    Size size{64, 48};
    std::optional<Size> still_size; // of a still output, for whoever asks for one
    double fps = 30.0;
    ControlInfos controls;
    bool follows_demand = false;
    std::atomic<bool> cut{false}; // frames and stills come with too few bytes

    [[nodiscard]] std::unique_ptr<Source> makeSource();
    [[nodiscard]] SourceFactory factory()
    {
        return [this] { return Expected<std::unique_ptr<Source>>(makeSource()); };
    }

    // A driver that does not return from the calls that open, read or close the camera, until it is released; in
    // kInWait it waits for another's answer, until it is interrupted.
    enum class Hang : std::uint8_t { kNowhere, kInOpen, kInWait, kInRead, kInClose };
    void hang(Hang where)
    {
        {
            const MutexLock lock(mutex_);
            hang_ = where;
        }
        changed_.notify_all();
    }

    // Gives the running source's sink a frame captured now; false: the camera is closed.
    bool emit(CaptureMetadata metadata = convergedMetadata())
    {
        const MutexLock lock(mutex_);
        if (sink_ == nullptr)
            return false;
        metadata.controls_generation = requested_.generation;
        // One buffer is all that a camera may have for them.
        if (still_size && still_wanted_ && stills_lent_ == 0) {
            still_wanted_ = false;
            sink_->onStill(makeFrame(*still_size, metadata, stills_lent_, cut));
        }
        sink_->onFrame(makeFrame(size, metadata, lent_, cut));
        return true;
    }

    // A camera is plugged in: whoever waits for one is told. Without `there` it cannot be opened after all.
    void plugIn(bool there = true)
    {
        const MutexLock lock(mutex_);
        if (there)
            start_error.reset();
        if (waiting_sink_ != nullptr)
            waiting_sink_->onCameraAdded();
    }

    bool fail(Error error)
    {
        const MutexLock lock(mutex_);
        if (sink_ == nullptr)
            return false;
        sink_->onSourceError(std::move(error));
        return true;
    }

    // Waits until the camera is open (or closed); false after the deadline.
    [[nodiscard]] bool waitOpen(bool open, std::chrono::milliseconds limit = std::chrono::seconds(10))
    {
        UniqueLock lock(mutex_);
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while ((sink_ != nullptr) != open)
            if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                return (sink_ != nullptr) == open;
        return true;
    }

    [[nodiscard]] int starts()
    {
        const MutexLock lock(mutex_);
        return starts_;
    }
    // Whether the camera is being opened, in Hang::kInWait.
    [[nodiscard]] bool waits() const { return waits_; }
    // A source is kept to tell of a camera that comes.
    [[nodiscard]] bool isWaiting()
    {
        const MutexLock lock(mutex_);
        return waiting_sink_ != nullptr;
    }
    [[nodiscard]] bool waitWaiting(bool waiting, std::chrono::milliseconds limit = std::chrono::seconds(10))
    {
        UniqueLock lock(mutex_);
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while ((waiting_sink_ != nullptr) != waiting)
            if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                return (waiting_sink_ != nullptr) == waiting;
        return true;
    }
    [[nodiscard]] double rate()
    {
        const MutexLock lock(mutex_);
        return rate_;
    }
    // What readControls() gives from now on, and how often it was called.
    void setActual(ControlValues values)
    {
        const MutexLock lock(mutex_);
        actual_ = std::move(values);
    }
    [[nodiscard]] int reads()
    {
        const MutexLock lock(mutex_);
        return reads_;
    }
    [[nodiscard]] ControlsRequest controlsRequest()
    {
        const MutexLock lock(mutex_);
        return requested_;
    }
    // A frame of the still output is asked for, and has not come yet.
    [[nodiscard]] bool stillWanted()
    {
        const MutexLock lock(mutex_);
        return still_wanted_;
    }
    [[nodiscard]] int lent() const { return lent_ + stills_lent_; } // frames not yet recycled

    [[nodiscard]] static CaptureMetadata convergedMetadata()
    {
        CaptureMetadata metadata;
        metadata.exposure_converged = true;
        metadata.white_balance_converged = true;
        return metadata;
    }

private:
    friend class FakeSource;

    static std::shared_ptr<Frame> makeFrame(Size of, const CaptureMetadata &metadata, std::atomic<int> &lent, bool cut)
    {
        auto pixels =
            std::make_shared<std::vector<std::uint8_t>>(std::size_t{of.width} * of.height * 3 / 2, std::uint8_t{128});
        const std::size_t luma = std::size_t{of.width} * of.height;
        const std::array<Plane, 3> planes{{{pixels->data(), of.width, luma},
                                           {pixels->data() + luma, of.width / 2, luma / 4},
                                           {pixels->data() + luma / 4 * 5, of.width / 2, cut ? 0 : luma / 4}}};
        ++lent;
        auto frame =
            std::make_shared<Frame>(FrameFormat{PixelFormat::kYuv420, of, ColorRange::kFull, ColorMatrix::kBt601},
                                    planes, std::chrono::steady_clock::now(), [&lent, pixels] { --lent; });
        frame->metadata() = metadata;
        return frame;
    }

    void passUnlessHanging(Hang where)
    {
        UniqueLock lock(mutex_);
        while (hang_ == where)
            changed_.wait(lock.native());
    }

    [[nodiscard]] bool waitInterrupted(const std::stop_token &interrupted)
    {
        const std::stop_callback on_interrupt(interrupted, [this] { changed_.notify_all(); });
        UniqueLock lock(mutex_);
        while (hang_ == Hang::kInWait && !interrupted.stop_requested()) {
            waits_ = true;
            changed_.wait_for(lock.native(), std::chrono::milliseconds(10)); // the callback holds no lock
        }
        waits_ = false;
        return interrupted.stop_requested();
    }

    // As libcamera: a source that found no camera tells of one that comes, until it is started again or ends.
    [[nodiscard]] std::optional<Error> beginStart(FrameSink &sink)
    {
        setWaiting(start_error && start_error->kind == ErrorKind::kNoCamera ? &sink : nullptr);
        const MutexLock lock(mutex_);
        return start_error;
    }
    void setWaiting(FrameSink *sink)
    {
        {
            const MutexLock lock(mutex_);
            waiting_sink_ = sink;
        }
        changed_.notify_all();
    }

    void setSink(FrameSink *sink, double rate)
    {
        {
            const MutexLock lock(mutex_);
            sink_ = sink;
            rate_ = rate;
            starts_ += sink != nullptr ? 1 : 0;
        }
        changed_.notify_all();
    }

    Mutex mutex_;
    std::condition_variable changed_;
    FrameSink *sink_ PICAM_GUARDED_BY(mutex_) = nullptr;
    FrameSink *waiting_sink_ PICAM_GUARDED_BY(mutex_) = nullptr;
    Hang hang_ PICAM_GUARDED_BY(mutex_) = Hang::kNowhere;
    int starts_ PICAM_GUARDED_BY(mutex_) = 0;
    double rate_ PICAM_GUARDED_BY(mutex_) = 0.0;
    ControlsRequest requested_ PICAM_GUARDED_BY(mutex_);
    ControlValues actual_ PICAM_GUARDED_BY(mutex_);
    int reads_ PICAM_GUARDED_BY(mutex_) = 0;
    bool still_wanted_ PICAM_GUARDED_BY(mutex_) = false;
    std::atomic<bool> waits_{false};
    std::atomic<int> lent_{0};
    std::atomic<int> stills_lent_{0};
};

class FakeSource : public Source {
public:
    explicit FakeSource(FakeCamera &camera) : camera_(camera) {}
    ~FakeSource() override
    {
        stop();
        camera_.setWaiting(nullptr);
    }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        camera_.passUnlessHanging(FakeCamera::Hang::kInOpen);
        if (camera_.waitInterrupted(request.interrupted))
            return fail(ErrorKind::kInterrupted, "interrupted");
        if (auto error = camera_.beginStart(sink))
            return tl::unexpected<Error>(std::move(*error));
        started_ = true;
        camera_.setSink(&sink, request.fps);
        const FrameFormat format{PixelFormat::kYuv420, camera_.size, ColorRange::kFull, ColorMatrix::kBt601};
        SourceInfo info{"fake", "fake", format, request.transform, camera_.fps, std::nullopt, camera_.controls};
        info.follows_demand = camera_.follows_demand;
        setControls(request.controls);
        if (request.still_output && camera_.still_size) {
            info.still_output = format;
            info.still_output->size = *camera_.still_size;
        }
        return info;
    }
    void requestStill() override
    {
        const MutexLock lock(camera_.mutex_);
        camera_.still_wanted_ = true;
    }
    void setControls(const ControlsRequest &controls) override
    {
        const MutexLock lock(camera_.mutex_);
        camera_.requested_ = controls;
    }
    ControlValues readControls() override
    {
        camera_.passUnlessHanging(FakeCamera::Hang::kInRead);
        const MutexLock lock(camera_.mutex_);
        ++camera_.reads_;
        return camera_.actual_;
    }
    void setFrameRate(double fps) override
    {
        const MutexLock lock(camera_.mutex_);
        camera_.rate_ = fps;
    }
    void stop() override
    {
        if (!std::exchange(started_, false))
            return;
        camera_.passUnlessHanging(FakeCamera::Hang::kInClose);
        camera_.setSink(nullptr, 0.0);
    }

private:
    FakeCamera &camera_;
    bool started_ = false;
};

inline std::unique_ptr<Source> FakeCamera::makeSource()
{
    return std::make_unique<FakeSource>(*this);
}

} // namespace picam::testing
