#include "fcgi/still_capture.h"

#include "core/base/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {
namespace {

using Clock = std::chrono::steady_clock;

// Nothing is encoded at this rate; it only keeps exposure and white balance going.
constexpr double kIdleFps = 5.0;
constexpr auto kIdleAfter = std::chrono::seconds(3); // longer than most pages' refresh

CameraController::Options cameraOptions(const Settings &settings, std::function<ControlsRequest()> load_controls,
                                        std::chrono::milliseconds driver_timeout)
{
    CameraController::Options options;
    options.lock_path = settings.lockPath();
    options.name = "picam-snapshot";
    options.load_controls = std::move(load_controls);
    options.trial_path = settings.path(".snapshot.trial");
    options.description_path = settings.descriptionPath();
    options.request = stillRequest(settings);
    options.policy.yields = true;
    options.stall_timeout = settings.camera.stall;
    options.convergence_timeout = settings.snapshot.settle;
    options.driver_timeout = driver_timeout;
    return options;
}

} // namespace

StillCapture::StillCapture(const Settings &settings, FrameStore &store, const CameraRequests &requests,
                           SourceFactory make_source, std::function<ControlsRequest()> load_controls,
                           CameraController::GiveUp give_up, std::chrono::milliseconds driver_timeout)
    : settings_(settings), store_(store), camera_requests_(requests),
      camera_(cameraOptions(settings, std::move(load_controls), driver_timeout), std::move(make_source), requests,
              *this, std::move(give_up)),
      frames_(camera_.bus().subscribe(1)), thread_([this] {
          try {
              run();
          } catch (const std::exception &error) {
              log::error("the capture thread failed: {}", error.what());
              std::_Exit(EXIT_FAILURE);
          }
      })
{
    camera_.start();
}

StillCapture::~StillCapture()
{
    stop();
}

void StillCapture::stop()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    answer(fail(ErrorKind::kCameraFailed, "the snapshot worker stops"));
    capture_wake_.notify_all();
    frames_->interrupt();
    if (thread_.joinable())
        thread_.join();
    camera_.stop();
}

std::chrono::microseconds StillCapture::interval() const
{
    return std::chrono::microseconds(static_cast<std::int64_t>(1e6 / settings_.stream.fps));
}

Expected<PicturePtr> StillCapture::capture(MonotonicTime since, MonotonicTime deadline)
{
    UniqueLock lock(mutex_);
    if (stopping_)
        return fail(ErrorKind::kCameraFailed, "the snapshot worker stops");
    Request request{since, camera_requests_.controlsGeneration()};
    if (latest_ && answers(*latest_, request))
        return latest_;
    requests_.push_back(&request);
    capture_wake_.notify_all();
    while (!request.answered && request_wake_.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
    }
    if (request.answered)
        return request.result;
    requests_.erase(std::find(requests_.begin(), requests_.end(), &request));
    return fail(ErrorKind::kTimeout, "the camera gave no picture within the deadline");
}

bool StillCapture::answers(const Picture &picture, const Request &request)
{
    return picture.captured >= request.since &&
           !isBeforeControls(picture.controls_generation, request.controls_generation);
}

// A picture answers those to whom it is new enough, an error everybody.
void StillCapture::answer(const Expected<PicturePtr> &result)
{
    {
        const MutexLock lock(mutex_);
        if (result)
            latest_ = *result;
        else
            latest_.reset(); // what is asked for from now on is not older than this
        const auto is_answered = [&](Request *request) {
            request->answered = !result || answers(**result, *request);
            if (request->answered)
                request->result = result;
            return request->answered;
        };
        requests_.erase(std::remove_if(requests_.begin(), requests_.end(), is_answered), requests_.end());
    }
    request_wake_.notify_all();
}

void StillCapture::run()
{
    while (true) {
        {
            UniqueLock lock(mutex_);
            while (!stopping_ && requests_.empty())
                capture_wake_.wait(lock.native());
            if (stopping_)
                return;
            unavailable_ = false;
        }
        auto encoder = JpegEncoder::create();
        if (!encoder) {
            answer(tl::unexpected<Error>(std::move(encoder.error())));
            continue;
        }
        encoder_.emplace(std::move(*encoder));
        frames_->setDemand(0);
        useCamera();
        frames_->setDemand(std::nullopt);
        encoder_.reset();
        const MutexLock lock(mutex_);
        latest_.reset();
    }
}

// While the camera is demanded: until nobody has asked for a while, or it is not to be had.
void StillCapture::useCamera()
{
    auto last_request = Clock::now();
    bool slow = false;
    while (true) {
        Request oldest;
        switch (waitForRequest(last_request, slow, oldest)) {
        case Next::kRelease:
            return;
        case Next::kSlowDown:
            slow = true;
            camera_.setFrameRate(std::min(kIdleFps, settings_.stream.fps));
            break;
        case Next::kTake:
            if (std::exchange(slow, false))
                camera_.setFrameRate(settings_.stream.fps);
            takePicture(oldest);
            last_request = Clock::now();
            break;
        }
    }
}

// `oldest`: what is not too old for the request that minds least, for kTake.
StillCapture::Next StillCapture::waitForRequest(MonotonicTime last_request, bool slow, Request &oldest)
{
    const auto linger_ends = last_request + settings_.snapshot.linger;
    const auto until = slow ? linger_ends : std::min(linger_ends, last_request + kIdleAfter);
    UniqueLock lock(mutex_);
    while (!stopping_ && !unavailable_ && requests_.empty() && !remote_request_ && Clock::now() < until)
        capture_wake_.wait_until(lock.native(), until);
    if (stopping_ || unavailable_)
        return Next::kRelease;
    if (requests_.empty() && !remote_request_)
        return Clock::now() >= linger_ends ? Next::kRelease : Next::kSlowDown;
    oldest.since = remote_request_ ? Clock::now() - interval() : MonotonicTime::max();
    oldest.controls_generation = camera_requests_.controlsGeneration();
    for (const Request *request : requests_) {
        oldest.since = std::min(oldest.since, request->since);
        if (isBeforeControls(request->controls_generation, oldest.controls_generation))
            oldest.controls_generation = request->controls_generation;
    }
    remote_request_ = false;
    return Next::kTake;
}

// Takes frames until one serves, and answers with it; or until it is interrupted.
void StillCapture::takePicture(const Request &oldest)
{
    while (true) {
        auto taken = frames_->take(MonotonicTime::max());
        if (!taken)
            return; // the reason lies in unavailable_ or stopping_
        // What is wanted since then would be a frame that never comes, while a control is moved all the time.
        if (!taken->frame->converged() || taken->frame->captured() < oldest.since ||
            isBeforeControls(taken->frame->metadata().controls_generation, oldest.controls_generation))
            continue;
        EncodeOptions options;
        options.quality = settings_.snapshot.quality;
        {
            // A source may give a frame while it is still being opened, before anybody knows how it has to be turned.
            UniqueLock lock(mutex_);
            while (!remaining_ && !stopping_ && !unavailable_)
                capture_wake_.wait(lock.native());
            if (!remaining_)
                return;
            options.transform = *remaining_;
        }
        auto encoded = encoder_->encodePicture(*taken->frame, options);
        taken->frame.reset(); // recycled before anything else
        if (!encoded) {
            camera_.reportBadFrame(encoded.error());
            continue;
        }
        camera_.reportGoodFrame();
        auto sequence = store_.publish(*encoded, {});
        if (sequence)
            encoded->sequence = *sequence;
        else
            log::warning("the still is served, but not shared: {}", sequence.error().message);
        answer(std::make_shared<const EncodedFrame>(std::move(*encoded)));
        return;
    }
}

void StillCapture::onCameraOpened(const SourceInfo &info)
{
    {
        const MutexLock lock(mutex_);
        remaining_ = info.remaining;
        remote_request_ = false;
    }
    capture_wake_.notify_all();
}

void StillCapture::onCameraClosing()
{
    const MutexLock lock(mutex_);
    remaining_.reset();
}

void StillCapture::onCameraUnavailable(const Error &why)
{
    {
        const MutexLock lock(mutex_);
        unavailable_ = true;
    }
    answer(tl::unexpected<Error>(why));
    capture_wake_.notify_all();
    frames_->interrupt();
}

void StillCapture::onStillRequested()
{
    {
        const MutexLock lock(mutex_);
        remote_request_ = true;
    }
    capture_wake_.notify_all();
}

} // namespace picam
