#include "streamd/capture.h"

#include "core/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <malloc.h>
#include <optional>
#include <unistd.h>
#include <utility>

namespace picam {

using std::chrono::steady_clock;

Capture::Capture(Settings settings, SourceFactory make_source, Scheduler &scheduler, FrameStore &store, Status &status)
    : settings_(std::move(settings)), make_source_(std::move(make_source)), store_(store), status_(status),
      mailbox_(std::make_shared<CaptureMailbox>(scheduler)), backoff_(static_cast<std::uint32_t>(::getpid())),
      thread_([this] { run(); })
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
    try {
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
    } catch (const std::exception &error) {
        // Nothing here throws but for want of memory; the service manager starts us afresh.
        log::error("the capture thread failed: {}", error.what());
        std::_Exit(EXIT_FAILURE);
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
    if (!done)
        failed(done.error());
}

Expected<void> Capture::openAndStream(CameraLock lock)
{
    auto encoder = JpegEncoder::create();
    if (!encoder)
        return tl::unexpected<Error>(std::move(encoder.error()));
    auto source = make_source_();
    if (!source)
        return tl::unexpected<Error>(std::move(source.error()));
    SourceRequest request;
    request.size = settings_.stream.size;
    request.exact_size = settings_.stream.size_given;
    request.fps = settings_.stream.fps;
    request.transform = settings_.camera.transform();
    if (settings_.snapshot.size != settings_.stream.size)
        request.still_output = StillOutputRequest{settings_.snapshot.size, settings_.snapshot.size_given};
    auto session = CameraSession::open(std::move(lock), std::move(*source), request, settings_.camera.stall);
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
    auto done = stream(**session, *encoder, stills ? &*stills : nullptr);
    {
        const MutexLock guard(mutex_);
        session_ = nullptr;
    }
    stills.reset();
    const std::string name = (*session)->info().name;
    session->reset();
    log::info("camera {} closed", name);
    return done;
}

Expected<void> Capture::stream(CameraSession &session, JpegEncoder &encoder, StillOutput *stills)
{
    Settling settling(session.opened(), settings_.snapshot.settle);
    pacer_ = FramePacer(settings_.stream.fps);
    unsigned told = 0; // the wish that has heard of this camera
    int bad_frames = 0;
    while (true) {
        const auto wish = currentWish();
        if (!wish.wanted)
            return {};
        auto next = session.nextFrame(steady_clock::now() + std::chrono::hours(1));
        if (!next) {
            // The wish has changed (and perhaps changed back), or the camera is slower than an hour a frame.
            if (next.error().kind == ErrorKind::kInterrupted || next.error().kind == ErrorKind::kTimeout)
                continue;
            return tl::unexpected<Error>(std::move(next.error()));
        }
        status_.captured(next->dropped_before);
        const bool settled = settling.settled(next->frame.metadata(), steady_clock::now());
        if (settled && stills != nullptr)
            stills->setSettled();
        pacer_.setRate(wish.rate);
        if (!pacer_.take(next->frame.captured())) {
            status_.paced();
            continue;
        }
        auto picture = encode(encoder, next->frame, session.info().remaining);
        next->frame = Frame(); // back to the camera before anything else
        if (!picture) {
            status_.dropped();
            log::debug("a frame was dropped: {}", picture.error().message);
            if (++bad_frames >= kMaxBadFrames)
                return tl::unexpected<Error>(std::move(picture.error()));
            continue;
        }
        bad_frames = 0;
        backoff_.reset();
        picture->settled = settled;
        publish(*picture, session.info().fps, stills != nullptr);
        std::optional<CameraStatus> news;
        if (told != wish.number) {
            told = wish.number;
            news = CameraStatus{CameraState::kStreaming, {}, session.info().name, picture->size, session.info().fps};
        }
        mailbox_->put(wish.number, std::move(news), std::make_shared<const Picture>(std::move(*picture)));
    }
}

Expected<Picture> Capture::encode(JpegEncoder &encoder, const Frame &frame, const Transform &transform)
{
    const auto begun = steady_clock::now();
    auto picture = encoder.encodePicture(frame, {settings_.stream.quality, transform});
    if (picture)
        status_.encoded(steady_clock::now() - begun, picture->jpeg.size());
    return picture;
}

// A store that cannot be written costs the stills, not the stream.
void Capture::publish(Picture &picture, double source_fps, bool still_offered)
{
    StoreTag tag;
    tag.stream = true;
    tag.still_offered = still_offered;
    const double source_interval = source_fps > 0.0 ? 1e6 / source_fps : 0.0;
    tag.interval = std::max(std::chrono::duration_cast<std::chrono::microseconds>(pacer_.interval()),
                            std::chrono::microseconds(static_cast<std::int64_t>(source_interval)));
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
