// A source that the test drives: it says which frames come, when, and what goes wrong. Small planar frames.
#pragma once

#include "core/source.h"
#include "core/thread_annotations.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <utility>
#include <vector>

namespace picam::testing {

// What the test and the source share: sources come and go with each opening of the camera.
class FakeCamera {
public:
    // Set before the source is started.
    std::optional<Error> start_error;
    Size size{64, 48};
    double fps = 30.0;

    [[nodiscard]] std::unique_ptr<Source> makeSource();

    // Gives the running source's sink a frame captured now; false: the camera is closed.
    bool emit(CaptureMetadata metadata = settledMetadata())
    {
        const MutexLock lock(mutex_);
        if (sink_ == nullptr)
            return false;
        auto pixels = std::make_shared<std::vector<std::uint8_t>>(std::size_t{size.width} * size.height * 3 / 2,
                                                                  std::uint8_t{128});
        const std::size_t luma = std::size_t{size.width} * size.height;
        const std::array<Plane, 3> planes{{{pixels->data(), size.width, luma},
                                           {pixels->data() + luma, size.width / 2, luma / 4},
                                           {pixels->data() + luma / 4 * 5, size.width / 2, luma / 4}}};
        ++lent_;
        Frame frame({PixelFormat::kYuv420, size, ColorRange::kFull, ColorMatrix::kBt601}, planes,
                    std::chrono::steady_clock::now(), [this, pixels] { --lent_; });
        frame.metadata() = metadata;
        sink_->onFrame(std::move(frame));
        return true;
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
    [[nodiscard]] double rate()
    {
        const MutexLock lock(mutex_);
        return rate_;
    }
    [[nodiscard]] int lent() const { return lent_; } // frames not yet given back

    [[nodiscard]] static CaptureMetadata settledMetadata()
    {
        CaptureMetadata metadata;
        metadata.exposure_settled = true;
        metadata.white_balance_settled = true;
        return metadata;
    }

private:
    friend class FakeSource;

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
    int starts_ PICAM_GUARDED_BY(mutex_) = 0;
    double rate_ PICAM_GUARDED_BY(mutex_) = 0.0;
    std::atomic<int> lent_{0};
};

class FakeSource : public Source {
public:
    explicit FakeSource(FakeCamera &camera) : camera_(camera) {}
    ~FakeSource() override { stop(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        if (camera_.start_error)
            return tl::unexpected<Error>(*camera_.start_error);
        started_ = true;
        camera_.setSink(&sink, request.fps);
        return SourceInfo{"fake",
                          {PixelFormat::kYuv420, camera_.size, ColorRange::kFull, ColorMatrix::kBt601},
                          request.transform,
                          camera_.fps};
    }
    void setFrameRate(double fps) override
    {
        const MutexLock lock(camera_.mutex_);
        camera_.rate_ = fps;
    }
    void stop() override
    {
        if (std::exchange(started_, false))
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
