#include "core/camera/camera_controller.h"

#include "core/base/log.h"
#include "core/controls/control_rules.h"
#include "core/controls/controls_description.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

using std::chrono::steady_clock;
using Action = CameraLifecycle::Action;
using Word = CameraRequests::Word;

// Whoever requested the camera takes this long at most to be woken and to lock it. A process that yields makes way for
// as long: asked all the time, it could otherwise take the camera back each time before that one looks (tests/model:
// NO_WAY).
constexpr std::chrono::milliseconds kMakeWayTime{250};
// A source that follows demand gives so many frames in the time that would be a stall, whoever takes them: or its
// silence would tell nothing.
constexpr double kSignsOfLife = 2.0;

} // namespace

CameraController::CameraController(Options options, SourceFactory make_source, const CameraRequests &requests,
                                   CameraObserver &observer, GiveUp give_up)
    : options_(std::move(options)), make_source_(std::move(make_source)), requests_(requests), observer_(observer),
      give_up_(std::move(give_up)),
      on_stuck_([this](const std::string &what) { give_up_("the camera's driver does not come back: " + what); }),
      bus_([this] { onDemandChanged(); }, [this] { onDemandedRateChanged(); }),
      lifecycle_(options_.policy, options_.stall_timeout, static_cast<std::uint32_t>(::getpid())),
      trial_(options_.trial_path)
{
}

CameraController::~CameraController()
{
    stop();
}

void CameraController::start()
{
    thread_ = std::thread([this] {
        // Nothing here throws but for want of memory; the service manager starts us afresh.
        try {
            run();
        } catch (const std::exception &error) {
            log::error("the camera thread failed: {}", error.what());
            std::_Exit(EXIT_FAILURE);
        }
    });
}

void CameraController::requestStop()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    onDemandChanged();
}

void CameraController::stop()
{
    requestStop();
    if (thread_.joinable())
        thread_.join();
}

void CameraController::onDemandChanged()
{
    {
        const MutexLock lock(mutex_); // the thread is in its wait, or has not looked yet
        if (stopping_ || !bus_.demand().any)
            opening_.request_stop();
    }
    changed_.notify_all();
    // It may sleep on the word for the camera lock.
    requests_.signal(Word::kEvent);
}

void CameraController::onDemandedRateChanged()
{
    {
        const MutexLock lock(mutex_);
        if (!follows_demand_)
            return;
    }
    changed_.notify_all();
}

double CameraController::demandedRate() const
{
    const double least = kSignsOfLife / std::chrono::duration<double>(options_.stall_timeout).count();
    return std::min(max_rate_, std::max(least, bus_.demandedRate()));
}

// What the source has not been told yet.
std::optional<double> CameraController::takeNewRate()
{
    if (!follows_demand_)
        return std::exchange(new_rate_, std::nullopt);
    max_rate_ = std::exchange(new_rate_, std::nullopt).value_or(max_rate_);
    const double rate = demandedRate();
    return std::exchange(asked_rate_, rate) != rate ? std::optional(rate) : std::nullopt;
}

void CameraController::setFrameRate(double fps)
{
    {
        const MutexLock lock(mutex_);
        new_rate_ = fps;
    }
    changed_.notify_all();
}

void CameraController::reportFailure(Error error)
{
    onSourceError(std::move(error));
}

void CameraController::reportBadFrame(const Error &error)
{
    log::debug("a frame was dropped: {}", error.message);
    if (++bad_frames_ == kMaxBadFrames)
        reportFailure(error);
}

CameraLifecycle::Inputs CameraController::inputs() const
{
    const FrameBus::Demand demand = bus_.demand();
    CameraLifecycle::Inputs inputs;
    inputs.demanded = demand.any;
    inputs.generation = demand.generation;
    inputs.requested_elsewhere = requested_elsewhere_;
    inputs.camera_added = camera_added_;
    inputs.stopping = stopping_;
    inputs.failure = failure_;
    inputs.exposure = longest_exposure_;
    if (const MonotonicTime last = last_frame_; last != MonotonicTime::min())
        inputs.last_frame = last;
    return inputs;
}

CameraLifecycle::Inputs CameraController::lockedInputs() const
{
    const MutexLock lock(mutex_);
    return inputs();
}

// Waits until there is something to do.
CameraLifecycle::Step CameraController::nextStep()
{
    UniqueLock lock(mutex_);
    while (true) {
        const auto step = lifecycle_.next(inputs(), steady_clock::now());
        if (step.action != Action::kWait)
            return step;
        if (waiting_source_ && lifecycle_.state() != CameraLifecycle::State::kBackingOff) {
            lock.unlock();
            dropWaitingSource();
            lock.lock();
            continue;
        }
        if (source_ != nullptr) {
            Source &source = *source_; // ours: only this thread closes it
            if (const auto rate = takeNewRate()) {
                lock.unlock();
                source.setFrameRate(*rate);
                lock.lock();
                continue;
            }
        }
        if (source_ != nullptr && std::exchange(controls_changed_, false)) {
            lock.unlock();
            applyControls();
            lock.lock();
            continue;
        }
        auto until = step.until;
        if (source_ != nullptr && refresh_) {
            if (steady_clock::now() >= next_read_) {
                refresh_ = false;
                lock.unlock();
                readControls();
                lock.lock();
                continue;
            }
            until = std::min(until, next_read_);
        }
        if (until == MonotonicTime::max())
            changed_.wait(lock.native());
        else
            changed_.wait_until(lock.native(), until);
    }
}

void CameraController::run()
{
    while (true) {
        const auto step = nextStep();
        switch (step.action) {
        case Action::kWait:
            break;
        case Action::kTryLock:
            tryLock();
            break;
        case Action::kAwaitRelease:
            awaitRelease(step.until);
            break;
        case Action::kOpen:
            open();
            break;
        case Action::kUnlock:
            lock_.reset();
            requests_.signal(Word::kEvent);
            lifecycle_.unlocked();
            break;
        case Action::kClose:
            close();
            break;
        case Action::kGiveUp:
            report();
            give_up_(lifecycle_.error() ? lifecycle_.error()->message : "the camera failed");
            break;
        case Action::kEnd:
            dropWaitingSource();
            observer_.onCameraStopped();
            return;
        }
        report();
    }
}

void CameraController::report()
{
    auto why = lifecycle_.takeReport();
    if (!why)
        return;
    if (lifecycle_.state() == CameraLifecycle::State::kBackingOff)
        log::warning("camera unavailable: {}; next try in {} ms", why->message, lifecycle_.backoff().count());
    observer_.onCameraUnavailable(*why);
}

void CameraController::tryLock()
{
    // Before the lock is tried: what changes while it is taken must not be missed (tests/model: LATE_WORDS).
    seen_event_ = requests_.value(Word::kEvent);
    seen_camera_request_ = requests_.value(Word::kCameraRequest);
    seen_still_request_ = requests_.value(Word::kStillRequest);
    if (options_.policy.yields && requests_.isCameraRequested(kMakeWayTime))
        return lifecycle_.lockHeldElsewhere({}, steady_clock::now());
    auto lock = CameraLock::tryTake(options_.lock_path, options_.name);
    if (!lock)
        return lifecycle_.failed(std::move(lock.error()), lockedInputs(), steady_clock::now());
    if (!*lock)
        return lifecycle_.lockHeldElsewhere(CameraLock::holder(options_.lock_path), steady_clock::now());
    if (options_.policy.waits_for_lock)
        requests_.cameraGranted();
    lock_ = std::move(*lock);
    lifecycle_.lockTaken();
}

void CameraController::awaitRelease(MonotonicTime until)
{
    requests_.requestCamera();
    requests_.waitChanged(Word::kEvent, seen_event_, until);
    lifecycle_.releaseAwaited();
}

void CameraController::open()
{
    session_.emplace(Session{std::move(*lock_), nullptr, {}, {}, {}});
    lock_.reset();
    {
        const MutexLock lock(mutex_);
        failure_.reset();
        new_rate_.reset();
        requested_elsewhere_ = camera_added_ = controls_changed_ = false;
        refresh_ = options_.reads_controls;
        next_read_ = {};
        in_force_ = {};
        wanted_exposure_ = longest_exposure_ = std::chrono::microseconds(0);
        wanted_rate_ = 0.0;
        follows_demand_ = false;
        opening_ = std::stop_source();
        if (stopping_ || !bus_.demand().any)
            opening_.request_stop();
    }
    held_back_ = 0;
    frame_generation_ = 0;
    stills_.reset(); // whoever took the last opening's stills was interrupted at its end
    failed_ = converged_ = false;
    bad_frames_ = 0;
    promised_rate_ = measured_rate_ = 0.0;
    rate_meter_ = {};
    last_frame_ = MonotonicTime::min();
    convergence_begun_ = steady_clock::now();
    convergence_.emplace(convergence_begun_, options_.convergence_timeout);
    auto done = openSource();
    if (!done) {
        if (done.error().kind == ErrorKind::kNoCamera)
            waiting_source_ = std::move(session_->source);
        closeSource();
        if (held_back_ != 0) {
            const MutexLock lock(mutex_);
            trial_.returnFailed(held_back_);
        }
        return lifecycle_.failed(std::move(done.error()), lockedInputs(), steady_clock::now());
    }
    if (held_back_ != 0)
        log::warning("this program ended within seconds of a change of the camera's controls: it opens the camera once "
                     "with the camera's own defaults");
    const SourceInfo &info = session_->info;
    promised_rate_ = info.fps;
    describe(info);
    expectExposure(session_->controls);
    log::info("camera {} opened by {}, {}{}", info.name, options_.name,
              info.remaining.apply(info.format.size).toString(),
              info.fps > 0 ? fmt::format(" at {:.1f} fps", info.fps) : std::string());
    const double max_rate = options_.request.fps;
    lifecycle_.opened(info.name, info.follows_demand ? max_rate : info.fps, steady_clock::now());
    {
        const MutexLock lock(mutex_);
        source_ = session_->source.get();
        follows_demand_ = info.follows_demand;
        max_rate_ = asked_rate_ = max_rate;
        watching_ = true;
    }
    observer_.onCameraOpened(info);
    session_->watcher = std::thread([this] { watchRequests(); });
}

Expected<void> CameraController::openSource()
{
    const DriverWatchdog watchdog("opening the camera", options_.driver_timeout, on_stuck_);
    session_->source = std::move(waiting_source_);
    if (!session_->source) {
        auto source = make_source_();
        if (!source)
            return tl::unexpected<Error>(std::move(source.error()));
        session_->source = std::move(*source);
    }
    SourceRequest request = options_.request;
    request.frames_held = bus_.buffersHeld();
    request.controls = session_->controls = tryControls(loadControls());
    {
        const MutexLock lock(mutex_);
        request.interrupted = opening_.get_token();
    }
    auto info = session_->source->start(request, *this);
    if (!info)
        return tl::unexpected<Error>(std::move(info.error()));
    session_->info = std::move(*info);
    return {};
}

void CameraController::close()
{
    report(); // before the camera is released: whoever asks later may have it again (tests/model: LATE_ANSWER)
    const std::string name = session_->info.name;
    const std::string reason = lifecycle_.error() ? lifecycle_.error()->message : "nobody demands frames";
    {
        const MutexLock lock(mutex_);
        source_ = nullptr;
        follows_demand_ = false;
        watching_ = false;
    }
    requests_.signal(Word::kStillRequest); // wakes the watcher, which then sees watching_
    session_->watcher.join();
    observer_.onCameraClosing();
    closeSource();
    log::info("camera {} closed: {}", name, reason);
    lifecycle_.closed(lockedInputs(), steady_clock::now());
    if (lifecycle_.state() == CameraLifecycle::State::kLocking)
        log::warning("{}; starting it again", reason);
}

// Ends source and lock, and tells whoever waits for the lock or for a picture of ours.
void CameraController::closeSource()
{
    {
        const DriverWatchdog watchdog("closing the camera", options_.driver_timeout, on_stuck_);
        if (session_->source)
            session_->source->stop();
        // A frame that still waits must be recycled before its source is gone.
        bus_.clear();
        // The same for stills; and whoever has not looked yet at what the source reported ends with it, not at a
        // deadline.
        stills_.put(fail(ErrorKind::kInterrupted, "the camera is closed"));
        session_.reset();
    }
    {
        const MutexLock lock(mutex_);
        if (lifecycle_.error() && lifecycle_.error()->kind == ErrorKind::kStalled)
            trial_.fail();
        else
            trial_.end();
    }
    requests_.signal(Word::kEvent);
    // What frames and encoders took lies in the allocator's hands; idle, we are as small as at the start.
    ::malloc_trim(0);
}

void CameraController::describe(const SourceInfo &info) const
{
    if (options_.description_path.empty())
        return;
    if (auto done = writeControlsDescription(options_.description_path, {info.id, info.name, info.controls}); !done)
        log::warning("the controls of a camera that is closed are not known: {}", done.error().message);
}

ControlsRequest CameraController::loadControls()
{
    if (!options_.load_controls)
        return {};
    const std::uint32_t announced = requests_.controlsGeneration(); // first: what is loaded is not older
    ControlsRequest controls = options_.load_controls();
    if (isBeforeControls(controls.generation, announced))
        controls.generation = announced;
    wanted_generation_ = controls.generation;
    return controls;
}

// What ended the process before this one, or had its camera hang, is not tried again in this opening; what is new is on
// trial.
ControlsRequest CameraController::tryControls(ControlsRequest controls)
{
    const MutexLock lock(mutex_);
    const std::uint64_t key = trialKey(controls);
    if (trial_.takeFailed(key))
        held_back_ = key;
    in_force_.held_back = held_back_ != 0 && held_back_ == key;
    if (in_force_.held_back) {
        controls.defaults.clear();
        controls.cameras.clear();
    } else {
        trial_.begin(key);
        trial_until_ = steady_clock::now() + ControlsTrial::kDuration;
    }
    return controls;
}

void CameraController::applyControls()
{
    session_->controls = tryControls(loadControls());
    expectExposure(session_->controls);
    const DriverWatchdog watchdog("setting controls", options_.driver_timeout, on_stuck_);
    session_->source->setControls(session_->controls);
    const MutexLock lock(mutex_);
    refresh_ = refresh_ || options_.reads_controls;
    next_read_ = {};
}

// In this thread, as every call that may wait for the driver: the source lives as long as it calls, the watchdog knows
// of it, and neither frames nor viewers wait. What does wait is a hand-over or an end of the camera, and closing it
// would wait for the same driver; one answer that does not come in time ends a round (uvcvideo gives up after 5 s).
void CameraController::readControls()
{
    ControlValues values;
    {
        const DriverWatchdog watchdog("reading controls", options_.driver_timeout, on_stuck_);
        values = session_->source->readControls();
    }
    const MutexLock lock(mutex_);
    in_force_.read = std::move(values);
    last_read_ = steady_clock::now();
    next_read_ = last_read_ + kReadInterval;
}

void CameraController::refreshControls()
{
    {
        const MutexLock lock(mutex_);
        if (source_ == nullptr || std::exchange(refresh_, true))
            return;
    }
    changed_.notify_all();
}

void CameraController::expectExposure(const ControlsRequest &controls)
{
    const SourceInfo &info = session_->info;
    const auto exposure = manualExposure(info.controls, controls.wantedOf(info.id));
    const double slow = exposure.count() > 0 ? 1e6 / static_cast<double>(exposure.count()) : info.fps;
    bool slower = false;
    {
        const MutexLock lock(mutex_);
        wanted_exposure_ = exposure;
        longest_exposure_ = std::max(longest_exposure_, exposure);
        wanted_rate_ = std::min(info.fps, slow);
        // A slower rate before its frames, or they would be taken for a stall; a faster one with its first frame.
        slower = info.fps > 0 && wanted_rate_ < promised_rate_;
        if (slower)
            promised_rate_ = wanted_rate_;
    }
    if (slower && lifecycle_.state() == CameraLifecycle::State::kStreaming)
        observer_.onFrameRateChanged();
}

ControlsInForce CameraController::controlsInForce() const
{
    const MutexLock lock(mutex_);
    ControlsInForce in_force = in_force_;
    in_force.read_lately = steady_clock::now() - last_read_ < kReadLately;
    return in_force;
}

void CameraController::dropWaitingSource()
{
    const DriverWatchdog watchdog("ending the search for a camera", options_.driver_timeout, on_stuck_);
    waiting_source_.reset();
}

void CameraController::watchRequests()
{
    std::uint32_t still = seen_still_request_;
    std::uint32_t camera = seen_camera_request_;
    while (true) {
        const std::uint32_t still_now = requests_.value(Word::kStillRequest);
        const std::uint32_t camera_now = requests_.value(Word::kCameraRequest);
        const bool camera_requested = std::exchange(camera, camera_now) != camera_now;
        const bool controls_changed = isBeforeControls(wanted_generation_, requests_.controlsGeneration());
        {
            const MutexLock lock(mutex_);
            if (!watching_)
                return;
            requested_elsewhere_ = requested_elsewhere_ || camera_requested;
            controls_changed_ = controls_changed_ || controls_changed;
        }
        if (camera_requested || controls_changed)
            changed_.notify_all();
        if (still_now != still && !camera_requested)
            observer_.onStillRequested();
        still = still_now;
        requests_.waitChanged(Word::kStillRequest, still_now, std::nullopt);
    }
}

Expected<SharedFrame> CameraController::takeStill(MonotonicTime deadline)
{
    stills_.clear(); // one that came too late for whoever asked before
    Source *source = nullptr;
    {
        const MutexLock lock(mutex_);
        if (failure_)
            return tl::unexpected<Error>(*failure_); // it may have lain where the late one did
        source = source_;
    }
    if (source == nullptr)
        return fail(ErrorKind::kInterrupted, "the camera is being closed");
    source->requestStill(); // it stays open until onCameraClosing() has returned
    std::optional<Expected<SharedFrame>> item;
    switch (stills_.take(item, deadline)) {
    case NewestSlot<Expected<SharedFrame>>::Wake::kInterrupted:
        return fail(ErrorKind::kInterrupted, "interrupted");
    case NewestSlot<Expected<SharedFrame>>::Wake::kTimeout:
        return fail(ErrorKind::kTimeout, "the camera gave no still");
    case NewestSlot<Expected<SharedFrame>>::Wake::kItem:
        break;
    }
    return std::move(*item);
}

void CameraController::onStill(std::shared_ptr<Frame> frame)
{
    stills_.put(SharedFrame(std::move(frame)));
}

void CameraController::onFrame(std::shared_ptr<Frame> frame)
{
    if (failed_)
        return;
    const auto now = steady_clock::now();
    last_frame_ = now;
    rate_meter_.add(frame->captured());
    measured_rate_ = rate_meter_.fps();
    const CaptureMetadata &metadata = frame->metadata();
    noteControls(metadata, now);
    converged_ =
        convergence_->update(metadata, convergence_->needsColor(metadata) ? mean_color_.of(*frame) : std::nullopt, now);
    frame->setConverged(converged_);
    bus_.publish(std::move(frame));
}

// What is in force; where it is something else than before, exposure and white balance have to converge anew.
void CameraController::noteControls(const CaptureMetadata &metadata, MonotonicTime now)
{
    const std::uint32_t generation = metadata.controls_generation;
    if (std::exchange(frame_generation_, generation) != generation) {
        // A control that is moved all the time shall not put the timeout off.
        if (converged_)
            convergence_begun_ = now;
        convergence_.emplace(convergence_begun_, options_.convergence_timeout);
    }
    const MutexLock lock(mutex_);
    if (generation == wanted_generation_ && source_ != nullptr) { // else what is expected is not known yet
        longest_exposure_ = wanted_exposure_;
        promised_rate_ = wanted_rate_;
    }
    in_force_.generation = generation;
    in_force_.metadata = metadata;
    if (trial_.isOn() && generation == wanted_generation_ && now >= trial_until_)
        trial_.pass();
}

void CameraController::onControlProblems(const ControlProblems &problems)
{
    const MutexLock lock(mutex_);
    in_force_.problems = problems;
}

void CameraController::onCameraAdded()
{
    {
        const MutexLock lock(mutex_);
        camera_added_ = true;
    }
    changed_.notify_all();
}

void CameraController::onSourceError(Error error)
{
    failed_ = true;
    {
        const MutexLock lock(mutex_);
        if (failure_)
            return; // the first counts
        failure_ = error;
    }
    changed_.notify_all();
    stills_.put(tl::unexpected<Error>(std::move(error)));
}

} // namespace picam
