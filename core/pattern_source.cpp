#include "core/pattern_source.h"

#include "core/frame_clock.h"
#include "core/pattern_card.h"
#include "core/thread_annotations.h"

#include <chrono>
#include <vector>

namespace picam {
namespace {

constexpr std::size_t kBuffers = 4;

// The buffers that are not lent out. Shared with the frames: they may outlive the source.
class BufferPool {
public:
    explicit BufferPool(const CardPixels &blank) : free_(kBuffers, blank) {}

    std::optional<CardPixels> take()
    {
        const MutexLock lock(mutex_);
        if (free_.empty())
            return std::nullopt;
        CardPixels pixels = std::move(free_.back());
        free_.pop_back();
        return pixels;
    }

    void giveBack(CardPixels pixels)
    {
        const MutexLock lock(mutex_);
        free_.push_back(std::move(pixels));
    }

private:
    Mutex mutex_;
    std::vector<CardPixels> free_ PICAM_GUARDED_BY(mutex_);
};

class PatternSource : public Source {
public:
    ~PatternSource() override { clock_.stop(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        clock_.stop();
        // Like a sensor, the card is upright and knows nothing of how it will be turned.
        const Size size = request.transform.apply(request.size);
        card_.emplace(size);
        pool_ = std::make_shared<BufferPool>(card_->still());
        format_ = {PixelFormat::kYuv420, size, ColorRange::kFull, ColorMatrix::kBt601};
        clock_.start(request.fps, [this, &sink] {
            tick(sink);
            return true;
        });
        return SourceInfo{"pattern", format_, request.transform, request.fps};
    }
    void setFrameRate(double fps) override { clock_.setRate(fps); }
    void stop() override { clock_.stop(); }

private:
    void tick(FrameSink &sink)
    {
        auto taken = pool_->take();
        if (!taken)
            return;
        auto pixels = std::make_shared<CardPixels>(std::move(*taken));
        const auto captured = std::chrono::steady_clock::now();
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        card_->draw(*pixels,
                    static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(wall).count()),
                    ++frames_);
        const std::size_t width = format_.size.width;
        const std::array<Plane, 3> planes{{{pixels->y.data(), width, pixels->y.size()},
                                           {pixels->u.data(), width / 2, pixels->u.size()},
                                           {pixels->v.data(), width / 2, pixels->v.size()}}};
        Frame frame(format_, planes, captured, [pool = pool_, pixels] { pool->giveBack(std::move(*pixels)); });
        frame.metadata().exposure_settled = true;
        frame.metadata().white_balance_settled = true;
        sink.onFrame(std::move(frame));
    }

    // Changed only while the clock stands.
    std::optional<PatternCard> card_;
    std::shared_ptr<BufferPool> pool_;
    FrameFormat format_;
    std::uint64_t frames_ = 0; // clock thread only
    FrameClock clock_;         // last: its thread uses all the others
};

} // namespace

std::unique_ptr<Source> createPatternSource()
{
    return std::make_unique<PatternSource>();
}

} // namespace picam
