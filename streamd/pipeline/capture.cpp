#include "streamd/pipeline/capture.h"

#include "core/base/log.h"
#include "core/camera/settling.h"
#include "streamd/pipeline/frame_pacer.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <malloc.h>
#include <optional>
#include <unistd.h>
#include <utility>

namespace picam {

using std::chrono::steady_clock;

namespace {

// Each worker costs a frame's buffers; who wants more says so.
constexpr unsigned kMaxOwnWorkers = 4;

unsigned workersFor(std::uint32_t setting)
{
    if (setting > 0)
        return setting;
    const unsigned cores = std::thread::hardware_concurrency(); // 0: not known
    return std::clamp(cores, 2U, kMaxOwnWorkers + 1) - 1;       // one core is left to the camera and the viewers
}

// Nothing that our threads do throws but for want of memory; the service manager starts us afresh.
template <class Work>
void guarded(const Work &work)
{
    try {
        work();
    } catch (const std::exception &error) {
        log::error("a capture thread failed: {}", error.what());
        std::_Exit(EXIT_FAILURE);
    }
}

} // namespace

// A frame that is due, and what was known when it was taken.
struct Capture::Taken {
    Frame frame;
    std::uint64_t turn;
    unsigned wish;
    bool settled;
    std::chrono::microseconds interval; // to the next picture, at least
};

// One opening of the camera, as the threads that encode its frames share it.
struct Capture::Streaming {
    Streaming(CameraSession &open_session, StillOutput *still_output, Milliseconds settle, double fps)
        : session(open_session), stills(still_output), settling(open_session.opened(), settle), pacer(fps)
    {
    }

    // The first end counts.
    void end(Expected<void> how) PICAM_REQUIRES(handing)
    {
        if (!ended.exchange(true))
            result = std::move(how);
        session.interrupt(); // whoever waits for a frame
    }

    CameraSession &session;
    StillOutput *const stills;
    std::atomic<bool> ended{false};

    Mutex taking; // held by the one that waits for the next frame
    Settling settling PICAM_GUARDED_BY(taking);
    FramePacer pacer PICAM_GUARDED_BY(taking);
    std::uint64_t turns PICAM_GUARDED_BY(taking) = 0;

    Mutex handing; // held by the one that hands its picture on
    std::condition_variable handed;
    std::uint64_t turn PICAM_GUARDED_BY(handing) = 0; // whose picture is next
    unsigned told PICAM_GUARDED_BY(handing) = 0;      // the wish that has heard of this camera
    int bad_frames PICAM_GUARDED_BY(handing) = 0;
    bool gave_pictures PICAM_GUARDED_BY(handing) = false;
    Expected<void> result PICAM_GUARDED_BY(handing);
};

Capture::Capture(Settings settings, SourceFactory make_source, Scheduler &scheduler, FrameStore &store, Status &status,
                 GiveUp give_up, std::chrono::milliseconds driver_patience)
    : settings_(std::move(settings)), make_source_(std::move(make_source)), store_(store), status_(status),
      give_up_(std::move(give_up)), mailbox_(std::make_shared<CaptureMailbox>(scheduler)),
      driver_(std::make_shared<DriverWatch>(
          scheduler, driver_patience,
          [this](const std::string &what) { give_up_("the camera's driver does not come back: " + what); })),
      backoff_(static_cast<std::uint32_t>(::getpid())), thread_([this] { guarded([this] { run(); }); })
{
}

Capture::~Capture()
{
    stop();
}

void Capture::setSink(CaptureSink *sink)
{
    mailbox_->setSink(sink);
}

void Capture::want(bool wanted)
{
    // The mailbox first: it drops the mail of wishes that it has not heard of.
    const unsigned number = ++wishes_;
    mailbox_->restart(number, wanted);
    {
        const MutexLock lock(mutex_);
        wanted_ = wanted && !stopping_;
        wish_ = number;
        if (session_ != nullptr)
            session_->interrupt();
    }
    changed_.notify_all();
    // The thread may sleep on the store for the camera lock.
    if (!wanted)
        store_.signal(FrameStore::Word::kEvent);
}

void Capture::setDemand(double fps)
{
    const MutexLock lock(mutex_);
    demand_ = fps;
}

void Capture::stop()
{
    if (!thread_.joinable())
        return;
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    want(false);
    mailbox_->setSink(nullptr);
    thread_.join();
}

void Capture::run()
{
    while (true) {
        {
            UniqueLock lock(mutex_);
            while (!wanted_ && !stopping_)
                changed_.wait(lock.native());
            if (stopping_)
                return;
        }
        backoff_.reset();
        busy_since_.reset();
        while (wanted())
            useCamera();
        // What frames and encoder took lies in the allocator's hands; idle, we are as small as at the start.
        ::malloc_trim(0);
    }
}

// One try, from the lock to the last frame, and the wait before the next.
void Capture::useCamera()
{
    trying_for_ = currentWish().number;
    // Before the try: what changes after it wakes us.
    const auto seen = store_.value(FrameStore::Word::kEvent);
    auto lock = CameraLock::tryTake(settings_.lockPath(), "picam-streamd");
    if (!lock)
        return failed(lock.error());
    if (!*lock)
        return waitForLock(seen);
    store_.wishIsGranted();
    busy_since_.reset();

    const auto done = openAndStream(std::move(**lock));
    // The lock is free again, and whoever waits for it (or for a picture of ours) should look.
    store_.signal(FrameStore::Word::kEvent);
    if (done)
        return;
    hangs_ = done.error().kind == ErrorKind::kStalled ? hangs_ + 1 : 0;
    if (hangs_ >= kMaxHangs)
        give_up_(fmt::format("{}, {} times in a row", done.error().message, hangs_));
    // Most cameras that stop in the middle go on when they are started again: viewers need not hear of it.
    if (hangs_ == 1 && streamed_)
        log::warning("{}; starting it again", done.error().message);
    else
        failed(done.error());
}

Expected<std::unique_ptr<CameraSession>> Capture::openCamera(CameraLock lock)
{
    const DriverWatch::Call call(driver_, "opening the camera");
    auto source = make_source_();
    if (!source)
        return tl::unexpected<Error>(std::move(source.error()));
    SourceRequest request;
    request.size = settings_.stream.size;
    request.exact_size = settings_.stream.size_given;
    request.fps = settings_.stream.fps;
    request.transform = settings_.camera.transform();
    request.frames_held = workersFor(settings_.stream.workers) + 1;
    if (settings_.snapshot.size != settings_.stream.size)
        request.still_output = StillOutputRequest{settings_.snapshot.size, settings_.snapshot.size_given};
    return CameraSession::open(std::move(lock), std::move(*source), request, settings_.camera.stall);
}

Expected<void> Capture::openAndStream(CameraLock lock)
{
    streamed_ = false;
    std::vector<JpegEncoder> encoders;
    for (unsigned i = workersFor(settings_.stream.workers); i > 0; --i) {
        auto encoder = JpegEncoder::create();
        if (!encoder)
            return tl::unexpected<Error>(std::move(encoder.error()));
        encoders.push_back(std::move(*encoder));
    }
    auto session = openCamera(std::move(lock));
    if (!session)
        return tl::unexpected<Error>(std::move(session.error()));
    status_.cameraStarted();
    const SourceInfo &info = (*session)->info();
    log::info("camera {} opened for the stream, {} at {:.1f} fps", info.name,
              info.remaining.apply(info.format.size).toString(), info.fps);

    {
        const MutexLock guard(mutex_);
        session_ = session->get();
    }
    std::optional<StillOutput> stills;
    if (info.still_output) {
        auto still_encoder = JpegEncoder::create();
        if (still_encoder)
            stills.emplace(**session, store_, std::move(*still_encoder), settings_.snapshot.quality);
    }
    auto done = stream(**session, encoders, stills ? &*stills : nullptr);
    {
        const MutexLock guard(mutex_);
        session_ = nullptr;
    }
    stills.reset();
    const std::string name = (*session)->info().name;
    {
        const DriverWatch::Call call(driver_, "closing the camera");
        session->reset();
    }
    log::info("camera {} closed", name);
    return done;
}

Expected<void> Capture::stream(CameraSession &session, std::vector<JpegEncoder> &encoders, StillOutput *stills)
{
    Streaming streaming(session, stills, settings_.snapshot.settle, settings_.stream.fps);
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < encoders.size(); ++i)
        helpers.emplace_back([&, i] { guarded([&] { work(streaming, encoders[i]); }); });
    work(streaming, encoders[0]);
    for (std::thread &helper : helpers)
        helper.join();
    const MutexLock lock(streaming.handing);
    streamed_ = streaming.gave_pictures;
    if (streamed_) {
        backoff_.reset();
        hangs_ = 0;
    }
    return std::move(streaming.result);
}

void Capture::work(Streaming &streaming, JpegEncoder &encoder)
{
    while (auto taken = take(streaming)) {
        const auto begun = steady_clock::now();
        auto picture =
            encoder.encodePicture(taken->frame, {settings_.stream.quality, streaming.session.info().remaining});
        taken->frame = Frame(); // back to the camera before anything else
        if (picture)
            status_.encoded(steady_clock::now() - begun, picture->jpeg.size());
        handOn(streaming, *taken, std::move(picture));
    }
}

// Waits for the newest frame that is due; empty when the streaming has ended.
std::optional<Capture::Taken> Capture::take(Streaming &streaming)
{
    const MutexLock lock(streaming.taking);
    const auto end = [&streaming](Expected<void> how) {
        const MutexLock handing(streaming.handing);
        streaming.end(std::move(how));
        return std::nullopt;
    };
    while (!streaming.ended) {
        const auto wish = currentWish();
        if (!wish.wanted)
            return end({});
        auto next = streaming.session.nextFrame(steady_clock::now() + std::chrono::hours(1));
        if (!next) {
            // The wish has changed (and perhaps changed back), or the camera is slower than an hour a frame.
            if (next.error().kind == ErrorKind::kInterrupted || next.error().kind == ErrorKind::kTimeout)
                continue;
            return end(tl::unexpected<Error>(std::move(next.error())));
        }
        status_.captured(next->dropped_before);
        const bool settled = streaming.settling.settled(next->frame.metadata(), steady_clock::now());
        if (settled && streaming.stills != nullptr)
            streaming.stills->setSettled();
        streaming.pacer.setRate(wish.rate);
        if (!streaming.pacer.take(next->frame.captured())) {
            status_.paced();
            continue;
        }
        const double source_fps = streaming.session.info().fps;
        const double source_interval = source_fps > 0.0 ? 1e6 / source_fps : 0.0;
        return Taken{std::move(next->frame), streaming.turns++, wish.number, settled,
                     std::max(std::chrono::duration_cast<std::chrono::microseconds>(streaming.pacer.interval()),
                              std::chrono::microseconds(static_cast<std::int64_t>(source_interval)))};
    }
    return std::nullopt;
}

// Publishes the picture and hands it to the loop, after all that were taken before it.
void Capture::handOn(Streaming &streaming, const Taken &taken, Expected<Picture> picture)
{
    UniqueLock lock(streaming.handing);
    while (streaming.turn != taken.turn)
        streaming.handed.wait(lock.native());
    ++streaming.turn;
    streaming.handed.notify_all(); // they see it when we are through
    if (!picture) {
        status_.dropped();
        log::debug("a frame was dropped: {}", picture.error().message);
        if (++streaming.bad_frames >= kMaxBadFrames)
            streaming.end(tl::unexpected<Error>(std::move(picture.error())));
        return;
    }
    streaming.bad_frames = 0;
    streaming.gave_pictures = true;
    picture->settled = taken.settled;
    publish(*picture, taken, streaming.stills != nullptr);
    std::optional<CameraStatus> news;
    if (streaming.told != taken.wish) {
        streaming.told = taken.wish;
        const SourceInfo &info = streaming.session.info();
        news = CameraStatus{CameraState::kStreaming, {}, info.name, picture->size, info.fps};
    }
    mailbox_->put(taken.wish, std::move(news), std::make_shared<const Picture>(std::move(*picture)));
}

// A store that cannot be written costs the stills, not the stream.
void Capture::publish(Picture &picture, const Taken &taken, bool still_offered)
{
    StoreTag tag;
    tag.stream = true;
    tag.still_offered = still_offered;
    tag.interval = taken.interval;
    const auto sequence = store_.publish(picture, tag);
    if (!sequence && !publish_failed_)
        log::warning("pictures do not reach the frame store: {}", sequence.error().message);
    publish_failed_ = !sequence;
    // Viewers count on a sequence that grows, whatever happens to the store.
    last_sequence_ = std::max(sequence.value_or(0), last_sequence_ + 1);
    picture.sequence = last_sequence_;
}

void Capture::waitForLock(std::uint32_t seen)
{
    const auto now = steady_clock::now();
    if (!busy_since_)
        busy_since_ = now;
    store_.wishForCamera();
    if (now - *busy_since_ >= kBusyGrace) {
        const auto holder = CameraLock::holder(settings_.lockPath());
        report(CameraState::kUnavailable, "the camera is in use" + (holder.empty() ? "" : " by " + holder));
    }
    // Giving it up changes kEvent; a holder that was killed says nothing, so look again now and then.
    const auto deadline = now + kLockPoll;
    while (wanted() && steady_clock::now() < deadline && store_.value(FrameStore::Word::kEvent) == seen)
        store_.waitChanged(FrameStore::Word::kEvent, seen, deadline);
}

void Capture::failed(const Error &error)
{
    if (!wanted())
        return;
    status_.cameraFailed();
    const auto delay = backoff_.next();
    log::warning("camera unavailable: {}; next try in {} ms", error.message, delay.count());
    report(CameraState::kUnavailable, error.message);
    UniqueLock lock(mutex_);
    const auto deadline = steady_clock::now() + delay;
    while (wanted_ && wish_ == trying_for_ && changed_.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
    }
}

void Capture::report(CameraState state, std::string reason)
{
    CameraStatus status;
    status.state = state;
    status.reason = std::move(reason);
    mailbox_->put(trying_for_, std::move(status), nullptr);
}

bool Capture::wanted() const
{
    const MutexLock lock(mutex_);
    return wanted_;
}

Capture::Wish Capture::currentWish() const
{
    const MutexLock lock(mutex_);
    const double most = settings_.stream.fps;
    const double rate = demand_ == 0.0 ? most : std::max(demand_, kStoreFps);
    return {wanted_, wish_, std::min(rate, most)};
}

} // namespace picam
