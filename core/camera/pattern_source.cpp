#include "core/camera/pattern_source.h"

#include "core/base/thread_annotations.h"
#include "core/camera/frame_clock.h"
#include "core/camera/pattern_card.h"
#include "core/camera/pattern_controls.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

namespace picam {
namespace {

constexpr std::size_t kOwnBuffers = 2; // beside those that may be held

struct CardBuffer {
    CardPixels pixels;
    bool has_effects = false; // in what does not move
};

// The buffers that no frame uses. Shared with the frames: they may outlive the source.
class BufferPool {
public:
    BufferPool(const CardPixels &blank, std::size_t buffers) : free_(buffers, CardBuffer{blank}) {}

    std::optional<CardBuffer> take()
    {
        const MutexLock lock(mutex_);
        if (free_.empty())
            return std::nullopt;
        CardBuffer buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
    }

    void recycle(CardBuffer buffer)
    {
        const MutexLock lock(mutex_);
        free_.push_back(std::move(buffer));
    }

private:
    Mutex mutex_;
    std::vector<CardBuffer> free_ PICAM_GUARDED_BY(mutex_);
};

// A card of one size, and the frames that show it.
class Output {
public:
    // Like a sensor, the card is upright and knows nothing of how it will be turned: `size` is before that.
    Output(Size size, std::size_t frames_held)
        : card_(size),
          pool_(std::make_shared<BufferPool>(card_.still(), kOwnBuffers + frames_held)), format_{PixelFormat::kYuv420,
                                                                                                 size,
                                                                                                 ColorRange::kFull,
                                                                                                 ColorMatrix::kBt601}
    {
    }

    [[nodiscard]] const FrameFormat &format() const { return format_; }

    // Null when frames use all buffers.
    std::shared_ptr<Frame> draw(MonotonicTime captured, std::uint64_t wall_us, std::uint64_t number,
                                const PatternEffects &effects)
    {
        auto taken = pool_->take();
        if (!taken)
            return nullptr;
        auto buffer = std::make_shared<CardBuffer>(std::move(*taken));
        CardPixels *pixels = &buffer->pixels;
        const bool has_effects = effects != PatternEffects{};
        if (std::exchange(buffer->has_effects, has_effects) && !has_effects)
            *pixels = card_.still();
        card_.draw(*pixels, wall_us, number);
        if (has_effects) {
            if (plain_.y.empty())
                plain_ = card_.still();
            card_.draw(plain_, wall_us, number);
            drawEffects(plain_, effects, card_.pictureRows(), *pixels);
        }
        const std::size_t width = format_.size.width;
        const std::array<Plane, 3> planes{{{pixels->y.data(), width, pixels->y.size()},
                                           {pixels->u.data(), width / 2, pixels->u.size()},
                                           {pixels->v.data(), width / 2, pixels->v.size()}}};
        return std::make_shared<Frame>(format_, planes, captured,
                                       [pool = pool_, buffer] { pool->recycle(std::move(*buffer)); });
    }

private:
    PatternCard card_;
    CardPixels plain_; // the card without effects, while there are some
    std::shared_ptr<BufferPool> pool_;
    FrameFormat format_;
};

class PatternSource : public Source {
public:
    ~PatternSource() override { clock_.stop(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        clock_.stop();
        const Transform &transform = request.transform;
        frames_.emplace(transform.apply(request.size), request.frames_held);
        stills_.reset();
        still_wanted_ = false;
        SourceInfo info{"pattern",   PatternControls::kId, frames_->format(),       transform,
                        request.fps, std::nullopt,         PatternControls::infos()};
        {
            const MutexLock lock(mutex_);
            fps_ = rate_ = request.fps;
            controls_.start(request.controls, transform);
            sink.onControlProblems(controls_.problems());
        }
        sink_ = &sink;
        if (request.still_output) {
            stills_.emplace(transform.apply(request.still_output->size), 1);
            info.still_output = stills_->format();
        }
        clock_.start(request.fps, [this, &sink] {
            tick(sink);
            return true;
        });
        return info;
    }
    void setFrameRate(double fps) override
    {
        const MutexLock lock(mutex_);
        fps_ = fps;
        keepRate();
    }
    void setControls(const ControlsRequest &controls) override
    {
        const MutexLock lock(mutex_);
        controls_.set(controls);
        keepRate();
        sink_->onControlProblems(controls_.problems());
    }
    void requestStill() override { still_wanted_ = true; }
    void stop() override { clock_.stop(); }

private:
    void tick(FrameSink &sink)
    {
        const auto captured = std::chrono::steady_clock::now();
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        const auto wall_us =
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(wall).count());
        ++number_;
        CaptureMetadata metadata;
        PatternEffects effects;
        {
            const MutexLock lock(mutex_);
            effects = controls_.next(metadata);
            keepRate();
        }
        if (stills_ && still_wanted_) {
            if (auto still = stills_->draw(captured, wall_us, number_, effects)) {
                still->metadata() = metadata;
                still_wanted_ = false;
                sink.onStill(std::move(still));
            }
        }
        if (auto frame = frames_->draw(captured, wall_us, number_, effects)) {
            frame->metadata() = metadata;
            sink.onFrame(std::move(frame));
        }
    }

    // No frame is exposed while the one before still is.
    void keepRate() PICAM_REQUIRES(mutex_)
    {
        const double rate = controls_.rateWithin(fps_);
        if (std::exchange(rate_, rate) != rate)
            clock_.setRate(rate);
    }

    // Changed only while the clock stands.
    std::optional<Output> frames_;
    std::optional<Output> stills_;
    FrameSink *sink_ = nullptr;
    std::uint64_t number_ = 0; // clock thread only
    std::atomic<bool> still_wanted_{false};
    Mutex mutex_;
    PatternControls controls_ PICAM_GUARDED_BY(mutex_);
    double fps_ PICAM_GUARDED_BY(mutex_) = 30.0;
    double rate_ PICAM_GUARDED_BY(mutex_) = 0.0; // of the clock
    FrameClock clock_;                           // last: its thread uses all the others
};

} // namespace

std::unique_ptr<Source> createPatternSource()
{
    return std::make_unique<PatternSource>();
}

} // namespace picam
