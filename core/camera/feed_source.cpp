#include "core/camera/feed_source.h"

#include "core/base/file_descriptor.h"
#include "core/base/log.h"
#include "core/base/thread_annotations.h"
#include "core/camera/feed_connection.h"
#include "core/image/encoded_frame.h"
#include "core/image/jpeg_markers.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <optional>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace picam {
namespace {

using std::chrono::steady_clock;

constexpr unsigned kOwnBuffers = 2; // beside those that may be held, as a camera has them

class FeedSource : public Source {
public:
    FeedSource(std::string path, std::chrono::milliseconds max_age, std::chrono::milliseconds first_frame)
        : path_(std::move(path)), max_age_(max_age), first_frame_(first_frame),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
    }
    ~FeedSource() override { endThread(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        endThread();
        if (!wake_)
            return fail(ErrorKind::kIo, "cannot make an eventfd for the feed");
        wants_ = {request.still, request.transform.apply(request.size), request.fps};
        {
            const MutexLock lock(mutex_);
            new_rate_.reset();
        }
        controls_generation_ = request.controls.generation;
        max_lent_ = kOwnBuffers + request.frames_held;
        auto size = connectAndWait(request);
        if (!size) {
            if (size.error().kind == ErrorKind::kNoCamera && connection_)
                startThread([this, &sink] { awaitPicture(sink); });
            else
                disconnect();
            return tl::unexpected<Error>(std::move(size.error()));
        }
        format_.pixels = PixelFormat::kJpeg;
        format_.size = *size;
        startThread([this, &sink] { run(sink); });
        SourceInfo info{"feed " + path_, "feed " + path_, format_, request.transform, 0.0, std::nullopt, {}};
        info.follows_demand = true;
        return info;
    }
    void setFrameRate(double fps) override
    {
        {
            const MutexLock lock(mutex_);
            new_rate_ = fps;
        }
        wake();
    }
    void setControls(const ControlsRequest &controls) override { controls_generation_ = controls.generation; }
    void stop() override
    {
        endThread();
        disconnect();
    }

private:
    using News = FeedConnection::News;
    using Picture = FeedConnection::Picture;

    void wake() const
    {
        const std::uint64_t one = 1;
        static_cast<void>(::write(wake_.get(), &one, sizeof(one)) == 0); // fails only when it is set already
    }

    template <class Function>
    void startThread(Function function)
    {
        thread_ = std::thread([function = std::move(function)] {
            try {
                function();
            } catch (const std::exception &error) {
                log::error("the feed's thread failed: {}", error.what());
                std::_Exit(EXIT_FAILURE);
            }
        });
    }
    void endThread()
    {
        if (!thread_.joinable())
            return;
        stopping_ = true;
        wake();
        thread_.join();
        stopping_ = false;
    }
    void disconnect()
    {
        connection_.reset();
        news_.reset();
    }

    // The size of the first picture, which lies in news_ then.
    Expected<Size> connectAndWait(const SourceRequest &request)
    {
        if (!connection_) {
            auto connection = FeedConnection::open(path_);
            if (!connection)
                return tl::unexpected<Error>(std::move(connection.error()));
            connection_.emplace(std::move(*connection));
        }
        connection_->say(wants_);
        const auto deadline = steady_clock::now() + first_frame_;
        const std::stop_callback on_interrupt(request.interrupted, [this] { wake(); });
        std::optional<SenderClock::Microseconds> too_old;
        while (!news_) {
            if (request.interrupted.stop_requested())
                return fail(ErrorKind::kInterrupted, "interrupted");
            if (steady_clock::now() >= deadline)
                return noPicture(too_old);
            auto news = connection_->next(wake_.get(), deadline);
            if (!news)
                return tl::unexpected<Error>(std::move(news.error()));
            if (*news && isTooOld(**news))
                too_old = std::get<Picture>(**news).age;
            else
                news_ = std::move(*news);
        }
        if (const auto *reason = std::get_if<std::string>(&*news_))
            return fail(ErrorKind::kNoCamera, *reason);
        return sizeOf(std::get<Picture>(*news_), request);
    }

    [[nodiscard]] bool isTooOld(const News &news) const
    {
        const auto *picture = std::get_if<Picture>(&news);
        return picture != nullptr && picture->age > max_age_;
    }

    [[nodiscard]] tl::unexpected<Error> noPicture(std::optional<SenderClock::Microseconds> too_old) const
    {
        if (!too_old)
            return fail(ErrorKind::kCameraFailed,
                        fmt::format("the feed {} is silent: no picture for {} ms", path_, first_frame_.count()));
        return fail(ErrorKind::kCameraFailed,
                    fmt::format("the feed {} sends an old picture, taken {} s ago by its clock", path_,
                                std::chrono::duration_cast<std::chrono::seconds>(*too_old).count()));
    }

    // Of the first picture alone it is looked at: a bad one later is an encoder's to drop.
    Expected<Size> sizeOf(const Picture &picture, const SourceRequest &request) const
    {
        const Size size{picture.header.width, picture.header.height};
        const auto own = readJpegSize(picture.jpeg);
        if (!own)
            return fail(ErrorKind::kCorrupt,
                        fmt::format("the feed {} sends something else than JPEGs: {}", path_, own.error().message));
        if (*own != size)
            return fail(ErrorKind::kCorrupt, fmt::format("the feed {} sends JPEGs of {} and says {}", path_,
                                                         own->toString(), size.toString()));
        if (request.exact_size && size != wants_.size)
            return fail(ErrorKind::kUnsupported,
                        fmt::format("the feed {} has {}, not {}", path_, request.transform.apply(size).toString(),
                                    request.size.toString()));
        return size;
    }

    // The thread while frames are wanted.
    void run(FrameSink &sink)
    {
        while (!stopping_) {
            if (auto done = passOn(sink); !done)
                return sink.onSourceError(std::move(done.error()));
            if (const auto rate = takeNewRate()) {
                wants_.fps = *rate;
                connection_->say(wants_);
            }
            auto news = connection_->next(wake_.get(), MonotonicTime::max());
            if (!news)
                return sink.onSourceError(std::move(news.error()));
            news_ = std::move(*news);
        }
    }

    // The thread after a start() that found a program without a picture.
    void awaitPicture(FrameSink &sink)
    {
        bool told = false;
        while (!stopping_) {
            auto news = connection_->next(wake_.get(), MonotonicTime::max());
            if (!news)
                return disconnect(); // the next start() says why
            if (!*news || isTooOld(**news))
                continue;
            news_ = std::move(*news);
            const bool picture = std::holds_alternative<Picture>(*news_);
            if (picture && !told)
                sink.onCameraAdded();
            told = picture;
        }
    }

    Expected<void> passOn(FrameSink &sink)
    {
        if (!news_)
            return {};
        News news = *std::exchange(news_, std::nullopt);
        if (const auto *reason = std::get_if<std::string>(&news))
            return fail(ErrorKind::kCameraFailed, *reason);
        auto &picture = std::get<Picture>(news);
        const Size size{picture.header.width, picture.header.height};
        if (size != format_.size)
            return fail(ErrorKind::kCameraFailed,
                        fmt::format("the feed {} went from {} to {}", path_, format_.size.toString(), size.toString()));
        if (lent_->load() < max_lent_ && picture.age <= max_age_)
            sink.onFrame(frameOf(std::move(picture)));
        return {};
    }

    [[nodiscard]] std::shared_ptr<Frame> frameOf(Picture picture)
    {
        const FrameHeader header = picture.header;
        auto jpeg = std::make_shared<const std::vector<std::uint8_t>>(std::move(picture.jpeg));
        const std::array<Plane, 3> planes{{{jpeg->data(), 0, jpeg->size()}, {}, {}}};
        lent_->fetch_add(1);
        auto frame =
            std::make_shared<Frame>(format_, planes, picture.captured, [lent = lent_, jpeg] { lent->fetch_sub(1); });
        CaptureMetadata &metadata = frame->metadata();
        metadata.exposure_converged = metadata.white_balance_converged = header.converged;
        metadata.convergence_judged = true;
        if (header.exposure_us > 0)
            metadata.exposure_time = std::chrono::microseconds(header.exposure_us);
        if (header.iso > 0)
            metadata.analogue_gain = gainOf(header.iso);
        // Ours: the sender's controls are its own.
        metadata.controls_generation = controls_generation_;
        return frame;
    }

    std::optional<double> takeNewRate()
    {
        const MutexLock lock(mutex_);
        return std::exchange(new_rate_, std::nullopt);
    }

    const std::string path_;
    const std::chrono::milliseconds max_age_;
    const std::chrono::milliseconds first_frame_;
    const FileDescriptor wake_; // an eventfd
    const std::shared_ptr<std::atomic<unsigned>> lent_ = std::make_shared<std::atomic<unsigned>>(0U);
    std::atomic<std::uint32_t> controls_generation_{0};
    std::atomic<bool> stopping_{false};
    Mutex mutex_;
    std::optional<double> new_rate_ PICAM_GUARDED_BY(mutex_);

    // The thread's while it runs, else the owner's.
    std::optional<FeedConnection> connection_;
    std::optional<News> news_; // not passed on
    FeedWants wants_;
    FrameFormat format_;
    unsigned max_lent_ = 0;
    std::thread thread_;
};

} // namespace

std::unique_ptr<Source> createFeedSource(std::string path, std::chrono::milliseconds max_age,
                                         std::chrono::milliseconds first_frame)
{
    return std::make_unique<FeedSource>(std::move(path), max_age, first_frame);
}

} // namespace picam
