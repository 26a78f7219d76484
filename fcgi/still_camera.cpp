#include "fcgi/still_camera.h"

#include "core/base/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <malloc.h>

namespace picam {
namespace {

using Clock = std::chrono::steady_clock;

// Nothing is encoded at this rate; it only keeps exposure and white balance going.
constexpr double kIdleFps = 5.0;
constexpr auto kIdleAfter = std::chrono::seconds(3); // longer than most pages' refresh
// Whoever waits for the camera takes so long at most to be woken and to lock it. Else a worker that is asked all the
// time could take it back each time before that one looks (tests/model: NO_WAY).
constexpr auto kMakeWay = std::chrono::milliseconds(250);

// Tells whoever waits for the camera lock that it is free; lives longer than the session that holds it.
class LockRelease {
public:
    explicit LockRelease(const FrameStore &store) : store_(store) {}
    LockRelease(const LockRelease &) = delete;
    LockRelease &operator=(const LockRelease &) = delete;
    ~LockRelease() { store_.signal(FrameStore::Word::kEvent); }

private:
    const FrameStore &store_;
};

} // namespace

std::unique_ptr<StillCamera> StillCamera::create(const Settings &settings, FrameStore &store, SourceFactory factory)
{
    std::unique_ptr<StillCamera> camera(new StillCamera(settings, store, std::move(factory)));
    camera->thread_ = std::thread([raw = camera.get()] {
        try {
            raw->run();
        } catch (const std::exception &error) {
            log::error("the camera thread failed: {}", error.what());
            std::_Exit(EXIT_FAILURE);
        }
    });
    return camera;
}

StillCamera::StillCamera(const Settings &settings, FrameStore &store, SourceFactory factory)
    : settings_(settings), store_(store), factory_(std::move(factory))
{
}

StillCamera::~StillCamera()
{
    stop();
}

void StillCamera::stop()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
        if (session_ != nullptr)
            session_->interrupt();
    }
    camera_wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

std::chrono::microseconds StillCamera::interval() const
{
    return std::chrono::microseconds(static_cast<std::int64_t>(1e6 / settings_.stream.fps));
}

Expected<PicturePtr> StillCamera::capture(MonotonicTime since, MonotonicTime deadline)
{
    UniqueLock lock(mutex_);
    if (stopping_)
        return fail(ErrorKind::kCameraFailed, "the snapshot worker stops");
    if (latest_ && latest_->captured >= since)
        return latest_;
    Ask ask{since};
    asks_.push_back(&ask);
    camera_wake_.notify_all();
    while (!ask.answered && asker_wake_.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
    }
    if (ask.answered)
        return ask.result;
    asks_.erase(std::find(asks_.begin(), asks_.end(), &ask));
    return fail(ErrorKind::kTimeout, "the camera gave no picture within the deadline");
}

// A picture answers those to whom it is new enough, an error everybody.
void StillCamera::answer(const Expected<PicturePtr> &result)
{
    {
        const MutexLock lock(mutex_);
        if (result)
            latest_ = *result;
        const auto is_answered = [&](Ask *ask) {
            ask->answered = !result || (*result)->captured >= ask->since;
            if (ask->answered)
                ask->result = result;
            return ask->answered;
        };
        asks_.erase(std::remove_if(asks_.begin(), asks_.end(), is_answered), asks_.end());
    }
    asker_wake_.notify_all();
}

void StillCamera::run()
{
    while (true) {
        {
            UniqueLock lock(mutex_);
            while (!stopping_ && asks_.empty())
                camera_wake_.wait(lock.native());
            if (stopping_)
                break;
        }
        if (auto held = holdCamera(); !held)
            answer(tl::unexpected<Error>(std::move(held.error())));
        // What frames and encoder took lies in the allocator's hands; idle, we are as small as at the start.
        ::malloc_trim(0);
    }
    answer(fail(ErrorKind::kCameraFailed, "the snapshot worker stops"));
}

Expected<void> StillCamera::holdCamera()
{
    // Before the lock is tried: a wish that is uttered while we take it must not be missed (tests/model: LATE_WORDS).
    const std::uint32_t camera_wish = store_.value(FrameStore::Word::kCameraWish);
    const std::uint32_t still_wish = store_.value(FrameStore::Word::kStillWish);
    if (store_.isCameraWished(kMakeWay))
        return fail(ErrorKind::kInterrupted, "another process wants the camera");
    auto lock = CameraLock::tryTake(settings_.lockPath(), "picam-snapshot");
    if (!lock)
        return tl::unexpected<Error>(std::move(lock.error()));
    if (!*lock)
        return fail(ErrorKind::kInterrupted, "another process has the camera");
    const LockRelease release(store_);
    auto encoder = JpegEncoder::create();
    if (!encoder)
        return tl::unexpected<Error>(std::move(encoder.error()));
    auto source = factory_();
    if (!source)
        return tl::unexpected<Error>(std::move(source.error()));
    SourceRequest request;
    request.size = settings_.snapshot.size;
    request.exact_size = settings_.snapshot.size_given;
    request.fps = settings_.stream.fps;
    request.still = true;
    request.transform = settings_.camera.transform();
    auto opened = CameraSession::open(std::move(**lock), std::move(*source), request, settings_.camera.stall);
    if (!opened)
        return tl::unexpected<Error>(std::move(opened.error()));
    std::unique_ptr<CameraSession> session = std::move(*opened);
    log::info("camera {} opened for stills, {}", session->info().name,
              session->info().remaining.apply(session->info().format.size).toString());
    {
        const MutexLock guard(mutex_);
        session_ = session.get();
        yield_ = closing_ = remote_ask_ = false;
        if (stopping_)
            session->interrupt();
    }
    std::thread watcher([this, camera_wish, still_wish] { watchWishes(camera_wish, still_wish); });

    Settling settling(session->opened(), settings_.snapshot.settle);
    Expected<void> result;
    bool idle = false;
    auto last_asked = Clock::now();
    const char *reason = "nobody asked for a while";
    while (true) {
        bool asked = false;
        MonotonicTime since;
        {
            UniqueLock guard(mutex_);
            const auto linger_ends = last_asked + settings_.snapshot.linger;
            const auto until = idle ? linger_ends : std::min(linger_ends, last_asked + kIdleAfter);
            while (!stopping_ && !yield_ && asks_.empty() && !remote_ask_ && Clock::now() < until)
                camera_wake_.wait_until(guard.native(), until);
            if (yield_)
                reason = "another process wants it";
            if (stopping_)
                reason = "the worker stops";
            asked = !asks_.empty() || remote_ask_;
            if (stopping_ || yield_ || (!asked && Clock::now() >= linger_ends))
                break;
            since = remote_ask_ ? Clock::now() - interval() : MonotonicTime::max();
            for (const Ask *ask : asks_)
                since = std::min(since, ask->since);
            remote_ask_ = false;
        }
        if (!asked) {
            idle = true;
            session->setFrameRate(std::min(kIdleFps, settings_.stream.fps));
            continue;
        }
        if (idle) {
            idle = false;
            session->setFrameRate(settings_.stream.fps);
        }
        last_asked = Clock::now();
        result = takePicture(*session, *encoder, settling, since);
        last_asked = Clock::now();
        if (!result && result.error().kind == ErrorKind::kInterrupted) {
            result = {};
            continue; // the reason lies in yield_ or stopping_
        }
        if (!result) {
            reason = "it failed";
            break;
        }
    }
    bool yielding = false;
    {
        const MutexLock guard(mutex_);
        session_ = nullptr;
        closing_ = true;
        yielding = yield_ && result;
        latest_.reset(); // what is asked for from now on is not older than this
    }
    // Before the camera is given up: whoever asks later may have it again (tests/model: LATE_ANSWER).
    if (yielding)
        answer(fail(ErrorKind::kInterrupted, "another process has the camera"));
    store_.signal(FrameStore::Word::kStillWish); // wakes the watcher, which then sees closing_
    watcher.join();
    log::info("camera closed: {}", reason);
    return result;
}

Expected<void> StillCamera::takePicture(CameraSession &session, JpegEncoder &encoder, Settling &settling,
                                        MonotonicTime since)
{
    while (true) {
        auto got = session.nextFrame(MonotonicTime::max());
        if (!got)
            return tl::unexpected<Error>(std::move(got.error()));
        Frame frame = std::move(got->frame);
        if (!settling.settled(frame.metadata(), Clock::now()) || frame.captured() < since)
            continue;
        auto encoded = encoder.encodePicture(frame, {settings_.snapshot.quality, session.info().remaining});
        if (!encoded)
            return tl::unexpected<Error>(std::move(encoded.error()));
        const auto picture = std::make_shared<Picture>(std::move(*encoded));
        frame = Frame();
        auto sequence = store_.publish(*picture, {});
        if (sequence)
            picture->sequence = *sequence;
        else
            log::warning("the still is served, but not shared: {}", sequence.error().message);
        answer(PicturePtr(picture));
        return {};
    }
}

void StillCamera::watchWishes(std::uint32_t camera_wish, std::uint32_t still_wish)
{
    while (true) {
        const std::uint32_t still_now = store_.value(FrameStore::Word::kStillWish);
        const bool wanted = store_.value(FrameStore::Word::kCameraWish) != camera_wish;
        {
            const MutexLock lock(mutex_);
            if (closing_)
                return;
            if (wanted && !yield_) {
                yield_ = true;
                session_->interrupt();
            } else if (!wanted && still_now != still_wish) {
                remote_ask_ = true;
            }
        }
        camera_wake_.notify_all();
        still_wish = still_now;
        store_.waitChanged(FrameStore::Word::kStillWish, still_now, std::nullopt);
    }
}

} // namespace picam
