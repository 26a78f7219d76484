// CameraController owns this process's camera: lock, opening, convergence of exposure and white balance, stalls,
// restarts with backoff, the hand-over to another process, and giving up. Both programs use it. A thread of its own
// runs CameraLifecycle, the state machine; the camera is open while a subscriber of bus() demands frames.
// It encodes nothing and knows neither viewers nor requests for stills.
#pragma once

#include "core/base/newest_slot.h"
#include "core/base/thread_annotations.h"
#include "core/camera/camera_lifecycle.h"
#include "core/camera/camera_lock.h"
#include "core/camera/convergence.h"
#include "core/camera/driver_watchdog.h"
#include "core/camera/frame_bus.h"
#include "core/camera/frame_rate.h"
#include "core/camera/source.h"
#include "core/controls/controls_trial.h"
#include "core/store/camera_requests.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace picam {

// What a program learns of its camera. All calls come from the controller's thread, but for onStillRequested().
class CameraObserver {
public:
    virtual ~CameraObserver() = default;
    // The camera is open; frames follow on the bus.
    virtual void onCameraOpened(const SourceInfo &info) = 0;
    // The camera is about to be closed. When this returns nobody calls takeStill() or holds a frame for long.
    virtual void onCameraClosing() = 0;
    // Frames are demanded, and not to be had: why. kInterrupted: another process has the camera.
    virtual void onCameraUnavailable(const Error &why) = 0;
    // The camera promises a slower rate than it did: an exposure that was set by hand takes longer than its interval.
    virtual void onFrameRateChanged() {}
    // Another process requests a picture (CameraRequests). While the camera is open; a thread of the controller's.
    virtual void onStillRequested() {}
    // The controller's thread ends; the camera is closed.
    virtual void onCameraStopped() {}
};

// What of the controls is in force in an open camera.
struct ControlsInForce {
    std::uint32_t generation = 0; // of the newest frame
    CaptureMetadata metadata;     // of the newest frame
    ControlProblems problems;     // as FrameSink::onControlProblems()
    ControlValues read;           // as Source::readControls()
    bool read_lately = false;     // else automatisms may have moved them meanwhile
    bool held_back = false;       // the process before this one ended by them: the camera runs with its own defaults
};

class CameraController : private FrameSink {
public:
    // The longest that a call which opens or closes the camera may take.
    static constexpr std::chrono::milliseconds kDriverTimeout{30000};
    // The controls are read so often at most, and lately read so long.
    static constexpr std::chrono::milliseconds kReadInterval{1000};
    static constexpr std::chrono::milliseconds kReadLately{5000};

    struct Options {
        std::string lock_path;
        std::string name;      // of this program, for people who ask who has the camera
        SourceRequest request; // frames_held is counted by the bus
        CameraPolicy policy;
        // What is wanted of the controls now; called at each opening and when the requests' generation has changed, by
        // the controller's thread. Empty: nothing ever is.
        std::function<ControlsRequest()> load_controls;
        bool reads_controls = false;  // at the opening and after each change, also where nobody asks for it
        std::string trial_path;       // ControlsTrial's
        std::string description_path; // where it is said which controls the camera has; empty: nowhere
        Milliseconds stall_timeout{3000};
        Milliseconds convergence_timeout{3000};
        std::chrono::milliseconds driver_timeout = kDriverTimeout;
    };
    // Called with a sentence when only a fresh process helps; need not return. Any thread.
    using GiveUp = std::function<void(const std::string &why)>;

    // `requests` and `observer` must outlive it. The thread starts with start(): subscribe before.
    CameraController(Options options, SourceFactory make_source, const CameraRequests &requests,
                     CameraObserver &observer, GiveUp give_up);
    CameraController(const CameraController &) = delete;
    CameraController &operator=(const CameraController &) = delete;
    ~CameraController() override; // stops
    void start();

    [[nodiscard]] FrameBus &bus() { return bus_; }

    // Any thread; as Source::setFrameRate(). Does nothing while the camera is closed. A source that follows demand is
    // asked for what the bus's subscribers take, up to this.
    void setFrameRate(double fps) PICAM_EXCLUDES(mutex_);
    // The camera's frames are of no use, whichever come: treated as its failure. Any thread.
    void reportFailure(Error error) PICAM_EXCLUDES(mutex_);
    // A frame that cannot be encoded is one bad frame: the caller takes the next. So many in a row, of frames and
    // stills, are a broken camera. Any thread.
    static constexpr int kMaxBadFrames = 10;
    void reportBadFrame(const Error &error);
    void reportGoodFrame() { bad_frames_ = 0; }

    // Frames per second: what the camera promises, else what arrived lately; 0: not known (yet). Any thread.
    [[nodiscard]] double frameRate() const
    {
        const double promised = promised_rate_;
        return promised > 0 ? promised : measured_rate_.load();
    }

    // Somebody looks at what the camera has: it is read anew, and controlsInForce() says it soon. Any thread; does
    // nothing while the camera is closed.
    void refreshControls() PICAM_EXCLUDES(mutex_);
    // Any thread; as it was last, when the camera is closed.
    [[nodiscard]] ControlsInForce controlsInForce() const PICAM_EXCLUDES(mutex_);

    // Whether exposure and white balance had converged in the newest frame. Any thread.
    [[nodiscard]] bool converged() const { return converged_; }

    // A frame of the still output that is exposed from now on. Between onCameraOpened() and the return of
    // onCameraClosing(), if SourceInfo has a still output; one thread. Errors: kTimeout at the deadline, kInterrupted,
    // or what the source reported.
    [[nodiscard]] Expected<SharedFrame> takeStill(MonotonicTime deadline);
    // Makes the present or next takeStill() return kInterrupted. Any thread.
    void interruptStill() { stills_.interrupt(); }

    // Releases the camera, for good. requestStop() returns at once: onCameraStopped() follows. stop() waits for it: as
    // long as the camera takes to close. Any thread but the controller's.
    void requestStop() PICAM_EXCLUDES(mutex_);
    void stop();

private:
    // What belongs to one opening, in this order: the source ends before the lock is released.
    struct Session {
        CameraLock lock;
        std::unique_ptr<Source> source;
        SourceInfo info;
        ControlsRequest controls; // as the source was asked for last
        std::thread watcher;      // of the other processes' requests
    };

    void run();
    void tryLock();
    void awaitRelease(MonotonicTime until);
    void open();
    void close();
    [[nodiscard]] Expected<void> openSource();
    void closeSource();
    void dropWaitingSource();
    void watchRequests();
    void describe(const SourceInfo &info) const;
    [[nodiscard]] ControlsRequest loadControls();
    [[nodiscard]] ControlsRequest tryControls(ControlsRequest controls) PICAM_EXCLUDES(mutex_);
    void applyControls() PICAM_EXCLUDES(mutex_);
    void readControls() PICAM_EXCLUDES(mutex_);
    void noteControls(const CaptureMetadata &metadata, MonotonicTime now) PICAM_EXCLUDES(mutex_);
    void expectExposure(const ControlsRequest &controls);
    void report();
    void onDemandChanged() PICAM_EXCLUDES(mutex_);
    void onDemandedRateChanged() PICAM_EXCLUDES(mutex_);
    [[nodiscard]] std::optional<double> takeNewRate() PICAM_REQUIRES(mutex_);
    [[nodiscard]] double demandedRate() const PICAM_REQUIRES(mutex_);
    [[nodiscard]] CameraLifecycle::Step nextStep() PICAM_EXCLUDES(mutex_);
    [[nodiscard]] CameraLifecycle::Inputs inputs() const PICAM_REQUIRES(mutex_);
    [[nodiscard]] CameraLifecycle::Inputs lockedInputs() const PICAM_EXCLUDES(mutex_);

    // FrameSink: the source's thread.
    void onFrame(std::shared_ptr<Frame> frame) override;
    void onStill(std::shared_ptr<Frame> frame) override;
    void onCameraAdded() override PICAM_EXCLUDES(mutex_);
    void onControlProblems(const ControlProblems &problems) override PICAM_EXCLUDES(mutex_);
    void onSourceError(Error error) override;

    // Constant after construction.
    const Options options_;
    const SourceFactory make_source_;
    const CameraRequests &requests_;
    CameraObserver &observer_;
    const GiveUp give_up_;
    const DriverWatchdog::OnStuck on_stuck_;
    FrameBus bus_;

    NewestSlot<Expected<SharedFrame>> stills_;

    // Controller thread only.
    CameraLifecycle lifecycle_;
    std::optional<CameraLock> lock_; // taken, not yet opened
    std::optional<Session> session_;
    std::unique_ptr<Source> waiting_source_; // found no camera and tells of one that comes, while backing off
    std::uint32_t seen_event_ = 0;           // the words, from before the lock was tried
    std::uint32_t seen_camera_request_ = 0;
    std::uint32_t seen_still_request_ = 0;
    std::uint64_t held_back_ = 0; // the trial's key of controls that are not applied in this opening; 0: none

    // Source thread only, between Source::start() and stop().
    std::optional<Convergence> convergence_;
    MonotonicTime convergence_begun_{};
    MeanColor mean_color_;
    FrameRate rate_meter_;
    std::uint32_t frame_generation_ = 0; // of the controls, in the last frame

    std::atomic<MonotonicTime> last_frame_{MonotonicTime::min()}; // min(): none since the camera was opened
    std::atomic<double> promised_rate_{0.0};                      // 0: none
    std::atomic<double> measured_rate_{0.0};                      // 0: not known yet
    std::atomic<bool> converged_{false};
    std::atomic<int> bad_frames_{0};                  // in a row
    std::atomic<bool> failed_{false};                 // no frame may follow an error
    std::atomic<std::uint32_t> wanted_generation_{0}; // of the controls that the source was asked for last

    mutable Mutex mutex_;
    std::condition_variable changed_;
    Source *source_ PICAM_GUARDED_BY(mutex_) = nullptr;                   // while it is open
    std::stop_source opening_ PICAM_GUARDED_BY(mutex_){std::nostopstate}; // of the present or last opening
    std::optional<double> new_rate_ PICAM_GUARDED_BY(mutex_);             // asked for, not yet passed on
    // Of a source that follows demand: the most that is asked of it, and what it was asked for last.
    bool follows_demand_ PICAM_GUARDED_BY(mutex_) = false;
    double max_rate_ PICAM_GUARDED_BY(mutex_) = 0.0;
    double asked_rate_ PICAM_GUARDED_BY(mutex_) = 0.0;
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    bool camera_added_ PICAM_GUARDED_BY(mutex_) = false;     // since the last try
    bool controls_changed_ PICAM_GUARDED_BY(mutex_) = false; // not yet passed on
    bool refresh_ PICAM_GUARDED_BY(mutex_) = false;          // the controls shall be read
    MonotonicTime next_read_ PICAM_GUARDED_BY(mutex_){};     // not before
    MonotonicTime last_read_ PICAM_GUARDED_BY(mutex_){};
    // The longest exposure set by hand that a frame may still come with, and the one that is wanted; and the rate that
    // is to be promised when what is wanted is in force.
    std::chrono::microseconds longest_exposure_ PICAM_GUARDED_BY(mutex_){};
    std::chrono::microseconds wanted_exposure_ PICAM_GUARDED_BY(mutex_){};
    double wanted_rate_ PICAM_GUARDED_BY(mutex_) = 0.0;
    ControlsTrial trial_ PICAM_GUARDED_BY(mutex_);
    MonotonicTime trial_until_ PICAM_GUARDED_BY(mutex_){};
    ControlsInForce in_force_ PICAM_GUARDED_BY(mutex_);
    bool requested_elsewhere_ PICAM_GUARDED_BY(mutex_) = false;
    bool watching_ PICAM_GUARDED_BY(mutex_) = false; // the watcher shall go on
    std::optional<Error> failure_ PICAM_GUARDED_BY(mutex_);

    std::thread thread_; // last: it uses all the others
};

} // namespace picam
