// CameraLifecycle is the state machine of the camera in one process: when to lock, open, close, try again and give up.
// Pure logic: CameraController carries out its steps, reports the results to it, and passes the time. One thread.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/camera/backoff.h"
#include "core/image/frame.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace picam {

// What the two programs do differently.
struct CameraPolicy {
    // Waits for the lock when another process holds it (having requested the camera); else the demand is refused.
    bool waits_for_lock = false;
    // Releases the camera when another process requests it.
    bool yields = false;
    // Tries again what failed, with backoff, while there is demand; else only for the next demand.
    bool retries = false;
};

class CameraLifecycle {
public:
    enum class State : std::uint8_t {
        kIdle,           // closed: nobody demands frames
        kLocking,        // demanded: the lock is to be tried
        kWaitingForLock, // another process holds it (policy.waits_for_lock)
        kOpening,        // locked: the camera is to be opened
        kStreaming,      // open: frames come, or are awaited
        kClosing,        // the camera and then the lock are to be released
        kBackingOff,     // it failed: waits before the next try (policy.retries)
        kRefused,        // it failed, was yielded or is held elsewhere: waits for the next demand
        kGivenUp,        // only a fresh process helps
    };
    // What the owner does next.
    enum class Action : std::uint8_t {
        kWait,         // until `until`, or until an input changes
        kTryLock,      // then lockTaken(), lockHeldElsewhere() or failed()
        kAwaitRelease, // request the camera and wait for its release until `until`; then releaseAwaited()
        kOpen,         // then opened() or failed()
        kUnlock,       // then unlocked()
        kClose,        // then closed()
        kGiveUp,       // end the process, saying error(); once
        kEnd,          // the owner stops
    };
    struct Step {
        Action action = Action::kWait;
        MonotonicTime until = MonotonicTime::max();
    };
    // What the owner knows at the moment.
    struct Inputs {
        bool demanded = false;
        unsigned generation = 0;          // of the demand: changes each time that it begins anew
        bool requested_elsewhere = false; // another process requests the camera, since it was opened
        bool camera_added = false;        // a camera was plugged in since the last try, which found none
        bool stopping = false;
        std::optional<Error> failure;            // of the open source
        std::optional<MonotonicTime> last_frame; // of the open source
        std::chrono::microseconds exposure{}; // the longest that was set by hand and a frame may come with; 0: none was
    };

    // Openings in a row that ended with a camera that gave no frame; as many are hopeless in this process.
    static constexpr int kMaxStalls = 4;
    // Another process may hold the camera this long before that is reported.
    static constexpr std::chrono::milliseconds kBusyReportDelay{1500};
    // A holder signals its release of the camera, unless it was killed: the lock is tried this often all the same.
    static constexpr std::chrono::milliseconds kLockPoll{500};

    // `stall_timeout`: a camera that gives no frame this long, or for two intervals if that is longer, hangs. `seed`:
    // of the backoff's jitter.
    CameraLifecycle(CameraPolicy policy, Milliseconds stall_timeout, std::uint32_t seed)
        : policy_(policy), stall_timeout_(stall_timeout), backoff_(seed)
    {
    }

    [[nodiscard]] Step next(const Inputs &inputs, MonotonicTime now);

    // REQUIRES: the state that asked for it (kTryLock, kAwaitRelease, kOpen, kUnlock, kClose).
    void lockTaken() { state_ = State::kOpening; }
    void lockHeldElsewhere(const std::string &holder, MonotonicTime now);
    void releaseAwaited() { state_ = State::kLocking; }
    void unlocked() { state_ = State::kIdle; }
    // `fps`: to be expected of the source; 0: unknown.
    void opened(const std::string &name, double fps, MonotonicTime now);
    void closed(const Inputs &inputs, MonotonicTime now);
    // The lock or the camera could not be had.
    void failed(Error error, const Inputs &inputs, MonotonicTime now);

    [[nodiscard]] State state() const { return state_; }
    // Why the camera is not to be had, whenever there is something new to say; empty: nothing new.
    [[nodiscard]] std::optional<Error> takeReport() { return std::exchange(report_, std::nullopt); }
    // In kClosing: why; empty: nobody demands frames any more, or the owner stops.
    [[nodiscard]] const std::optional<Error> &error() const { return error_; }
    // In kBackingOff: how long until the next try.
    [[nodiscard]] std::chrono::milliseconds backoff() const { return delay_; }

private:
    void retryLater(Error error, const Inputs &inputs, MonotonicTime now);
    [[nodiscard]] Step begin(const Inputs &inputs);
    [[nodiscard]] Step stream(const Inputs &inputs, MonotonicTime now);
    [[nodiscard]] bool isAnother(const Inputs &inputs) const { return inputs.generation != generation_; }

    const CameraPolicy policy_;
    const Milliseconds stall_timeout_;
    Backoff backoff_;

    State state_ = State::kIdle;
    unsigned generation_ = 0; // of the demand that the present try answers
    std::optional<MonotonicTime> busy_since_;
    bool busy_reported_ = false;
    MonotonicTime retry_at_{};
    std::chrono::milliseconds delay_{0};
    // Of the present opening.
    std::string name_;
    MonotonicTime opened_{};
    MonotonicTime::duration stall_{};
    std::optional<Error> error_;
    bool yielding_ = false;

    int stalls_ = 0; // openings in a row that ended without a frame for too long
    bool gave_up_ = false;
    std::optional<Error> report_;
};

} // namespace picam
