#include "core/camera/camera_lifecycle.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace picam {

using Step = CameraLifecycle::Step;

Step CameraLifecycle::next(const Inputs &inputs, MonotonicTime now)
{
    // What is open or locked has to be released first, whatever else happens.
    if (state_ == State::kStreaming)
        return stream(inputs, now);
    if (state_ == State::kClosing)
        return {Action::kClose};
    if (state_ == State::kOpening)
        return {inputs.demanded && !inputs.stopping ? Action::kOpen : Action::kUnlock};
    if (inputs.stopping)
        return {Action::kEnd};
    if (state_ == State::kGivenUp)
        return std::exchange(gave_up_, true) ? Step{} : Step{Action::kGiveUp};
    if (!inputs.demanded) {
        state_ = State::kIdle;
        return {};
    }
    switch (state_) {
    case State::kIdle:
        backoff_.reset();
        return begin(inputs);
    case State::kRefused:
        return isAnother(inputs) ? begin(inputs) : Step{};
    case State::kBackingOff:
        if (inputs.camera_added)
            backoff_.reset();
        return isAnother(inputs) || inputs.camera_added || now >= retry_at_ ? begin(inputs)
                                                                            : Step{Action::kWait, retry_at_};
    case State::kLocking:
        return {Action::kTryLock};
    case State::kWaitingForLock:
        return isAnother(inputs) ? begin(inputs) : Step{Action::kAwaitRelease, retry_at_};
    case State::kOpening:
    case State::kStreaming:
    case State::kClosing:
    case State::kGivenUp:
        break;
    }
    return {};
}

Step CameraLifecycle::begin(const Inputs &inputs)
{
    generation_ = inputs.generation;
    busy_since_.reset();
    busy_reported_ = false;
    state_ = State::kLocking;
    return {Action::kTryLock};
}

void CameraLifecycle::lockHeldElsewhere(const std::string &holder, MonotonicTime now)
{
    if (!policy_.waits_for_lock) {
        state_ = State::kRefused;
        report_ = Error{ErrorKind::kInterrupted, "another process has the camera"};
        return;
    }
    if (!busy_since_)
        busy_since_ = now;
    if (!busy_reported_ && now - *busy_since_ >= kBusyReportDelay) {
        busy_reported_ = true;
        report_ = Error{ErrorKind::kCameraBusy,
                        fmt::format("the camera is in use by {}", holder.empty() ? "another process" : holder)};
    }
    retry_at_ = now + kLockPoll;
    state_ = State::kWaitingForLock;
}

void CameraLifecycle::opened(const std::string &name, double fps, MonotonicTime now)
{
    name_ = name;
    opened_ = now;
    // A slow rate is no stall: two intervals always pass.
    stall_ = stall_timeout_;
    if (fps > 0)
        stall_ = std::max(
            stall_, std::chrono::duration_cast<MonotonicTime::duration>(std::chrono::duration<double>(2.0 / fps)));
    error_.reset();
    yielding_ = false;
    state_ = State::kStreaming;
}

Step CameraLifecycle::stream(const Inputs &inputs, MonotonicTime now)
{
    if (inputs.demanded)
        generation_ = inputs.generation; // an open camera answers every demand
    // Nor is a long exposure: the frames that were begun before it, or with it, take their time.
    constexpr int kExposures = 3;
    const auto stall = std::max<MonotonicTime::duration>(stall_, kExposures * inputs.exposure);
    const auto stalled_at = inputs.last_frame.value_or(opened_) + stall;
    if (inputs.stopping || !inputs.demanded) {
        error_.reset();
    } else if (inputs.failure) {
        error_ = inputs.failure;
    } else if (policy_.yields && inputs.requested_elsewhere) {
        yielding_ = true;
        error_ = Error{ErrorKind::kInterrupted, "another process has the camera"};
        report_ = error_;
    } else if (now >= stalled_at) {
        error_ = Error{ErrorKind::kStalled, fmt::format("{} gave no frame for {} ms", name_,
                                                        std::chrono::duration_cast<Milliseconds>(stall).count())};
    } else {
        return {Action::kWait, stalled_at};
    }
    state_ = State::kClosing;
    return {Action::kClose};
}

void CameraLifecycle::closed(const Inputs &inputs, MonotonicTime now)
{
    const bool gave_frames = inputs.last_frame.has_value();
    if (gave_frames)
        stalls_ = 0;
    // Frames that nobody can use are no reason to try again at once.
    if (gave_frames && !(error_ && error_->kind == ErrorKind::kCorrupt))
        backoff_.reset();
    if (!error_) {
        state_ = State::kIdle;
        return;
    }
    if (yielding_) {
        state_ = State::kRefused;
        return;
    }
    Error error = *std::exchange(error_, std::nullopt);
    // Most cameras that stop in the middle go on when they are started again: that is not reported.
    if (error.kind == ErrorKind::kStalled && stalls_ == 0 && gave_frames) {
        stalls_ = 1;
        state_ = State::kLocking;
        delay_ = std::chrono::milliseconds(0);
        return;
    }
    failed(std::move(error), inputs, now);
}

// A camera that does not answer when it is opened counts like one that gives no frame.
void CameraLifecycle::failed(Error error, const Inputs &inputs, MonotonicTime now)
{
    stalls_ = error.kind == ErrorKind::kStalled ? stalls_ + 1 : 0;
    if (stalls_ >= kMaxStalls) {
        retryLater(error, inputs, now);
        error_ = Error{error.kind, fmt::format("{}, {} times in a row", error.message, stalls_)};
        state_ = State::kGivenUp;
        return;
    }
    retryLater(std::move(error), inputs, now);
}

void CameraLifecycle::retryLater(Error error, const Inputs &inputs, MonotonicTime now)
{
    if (!inputs.demanded || inputs.stopping || isAnother(inputs)) {
        state_ = State::kIdle; // whoever demanded it is gone; another demand begins anew
        return;
    }
    report_ = std::move(error);
    if (!policy_.retries) {
        state_ = State::kRefused;
        return;
    }
    delay_ = backoff_.next();
    retry_at_ = now + delay_;
    state_ = State::kBackingOff;
}

} // namespace picam
