#include "core/camera/pattern_source.h"

#include "core/base/thread_annotations.h"
#include "core/camera/frame_clock.h"
#include "core/camera/pattern_card.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

namespace picam {
namespace {

constexpr std::size_t kOwnBuffers = 2; // beside those that may be held

// The buffers that no frame uses. Shared with the frames: they may outlive the source.
class BufferPool {
public:
    BufferPool(const CardPixels &blank, std::size_t buffers) : free_(buffers, blank) {}

    std::optional<CardPixels> take()
    {
        const MutexLock lock(mutex_);
        if (free_.empty())
            return std::nullopt;
        CardPixels pixels = std::move(free_.back());
        free_.pop_back();
        return pixels;
    }

    void recycle(CardPixels pixels)
    {
        const MutexLock lock(mutex_);
        free_.push_back(std::move(pixels));
    }

private:
    Mutex mutex_;
    std::vector<CardPixels> free_ PICAM_GUARDED_BY(mutex_);
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
    std::shared_ptr<Frame> draw(MonotonicTime captured, std::uint64_t wall_us, std::uint64_t number)
    {
        auto taken = pool_->take();
        if (!taken)
            return nullptr;
        auto pixels = std::make_shared<CardPixels>(std::move(*taken));
        card_.draw(*pixels, wall_us, number);
        const std::size_t width = format_.size.width;
        const std::array<Plane, 3> planes{{{pixels->y.data(), width, pixels->y.size()},
                                           {pixels->u.data(), width / 2, pixels->u.size()},
                                           {pixels->v.data(), width / 2, pixels->v.size()}}};
        auto frame = std::make_shared<Frame>(format_, planes, captured,
                                             [pool = pool_, pixels] { pool->recycle(std::move(*pixels)); });
        frame->metadata().exposure_converged = true;
        frame->metadata().white_balance_converged = true;
        return frame;
    }

private:
    PatternCard card_;
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
        SourceInfo info{"pattern", frames_->format(), transform, request.fps, std::nullopt};
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
    void setFrameRate(double fps) override { clock_.setRate(fps); }
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
        if (stills_ && still_wanted_) {
            if (auto still = stills_->draw(captured, wall_us, number_)) {
                still_wanted_ = false;
                sink.onStill(std::move(still));
            }
        }
        if (auto frame = frames_->draw(captured, wall_us, number_))
            sink.onFrame(std::move(frame));
    }

    // Changed only while the clock stands.
    std::optional<Output> frames_;
    std::optional<Output> stills_;
    std::uint64_t number_ = 0; // clock thread only
    std::atomic<bool> still_wanted_{false};
    FrameClock clock_; // last: its thread uses all the others
};

} // namespace

std::unique_ptr<Source> createPatternSource()
{
    return std::make_unique<PatternSource>();
}

} // namespace picam
