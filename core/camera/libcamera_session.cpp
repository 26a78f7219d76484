#include "core/camera/libcamera_session.h"

#include "core/base/log.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <unistd.h>

namespace picam {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr unsigned int kOwnBuffers = 2;   // with the camera, beside those that are held: in the slot, with an encoder
constexpr unsigned int kStillBuffers = 3; // large ones: contiguous memory is scarce
constexpr unsigned int kMaxRefused = 64;  // requests with controls, in a row
constexpr auto kOldestStamp = std::chrono::seconds(5);

nanoseconds clockNow(clockid_t clock)
{
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

// 0.4.0's virtual camera never sets the status: what is no failure that libcamera knows is taken as success.
bool saysFailure(const libcamera::FrameMetadata &metadata)
{
    constexpr int kLastKnown = 3; // FrameStartup, of the later versions: a frame to be thrown away, too
    const int status = static_cast<int>(metadata.status);
    return status > static_cast<int>(libcamera::FrameMetadata::FrameSuccess) && status <= kLastKnown;
}

// The stamp's clock is CLOCK_BOOTTIME by the book and CLOCK_MONOTONIC on some pipelines: whichever makes it recent.
MonotonicTime monotonicStamp(std::int64_t stamp_ns, MonotonicTime arrival)
{
    const nanoseconds stamp(stamp_ns);
    for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
        const nanoseconds age = clockNow(clock) - stamp;
        if (stamp_ns > 0 && age >= nanoseconds(0) && age < kOldestStamp)
            return arrival - age;
    }
    return arrival;
}

} // namespace

LibcameraSession::LibcameraSession(std::shared_ptr<libcamera::Camera> camera, std::string name, FrameSink &sink)
    : camera_(std::move(camera)), name_(std::move(name)), sink_(sink), buffers_(camera_, name_)
{
}

LibcameraSession::~LibcameraSession() = default;

Expected<SourceInfo> LibcameraSession::start(const SourceRequest &request, ColorRangeSetting color_range)
{
    if (const int result = camera_->acquire(); result != 0)
        return result == -EBUSY ? fail(ErrorKind::kCameraBusy, fmt::format("another program has the camera {}", name_))
                                : failErrno(libcamera_config::openingError(-result),
                                            fmt::format("cannot open the camera {}", name_), -result);
    acquired_ = true;
    if (auto done = configure(request, color_range); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    if (auto done = allocate(); !done)
        return tl::unexpected<Error>(std::move(done.error()));

    camera_->requestCompleted.connect(this, &LibcameraSession::onRequestCompleted);
    camera_->disconnected.connect(this, &LibcameraSession::onDisconnected);
    promises_rate_ = libcamera_config::promisesRate(*camera_);
    prepareControls();
    wantControls(request.controls);
    libcamera::ControlList controls(camera_->controls());
    bool says_controls = false;
    {
        const MutexLock lock(mutex_);
        setRate(controls, request.fps);
        says_controls = controls_->fillStart(controls);
        running_ = true;
        fps_ = request.fps;
        rate_changed_ = false; // start() says it
    }
    int result = camera_->start(&controls);
    if (result != 0 && says_controls) {
        // A driver may refuse a value here. The first request says it again, and is only cancelled for it.
        log::warning("the camera {} does not start with its controls as they are wanted", name_);
        libcamera::ControlList rate_alone(camera_->controls());
        {
            const MutexLock lock(mutex_);
            setRate(rate_alone, request.fps);
        }
        result = camera_->start(&rate_alone);
    }
    if (result != 0)
        return failErrno(libcamera_config::openingError(-result), fmt::format("cannot start the camera {}", name_),
                         -result);
    const MutexLock lock(mutex_);
    for (std::size_t index = 0; index < slots_.size(); ++index)
        queue(index);
    const bool promised = promises_rate_ && libcamera_config::keepsRate(*camera_, request.fps);
    ControlInfos infos = controls_->infos();
    if (webcam_)
        infos.insert(infos.end(), webcam_->infos().begin(), webcam_->infos().end());
    std::stable_sort(infos.begin(), infos.end(),
                     [](const ControlInfo &one, const ControlInfo &other) { return one.group < other.group; });
    return SourceInfo{name_,         camera_->id(),   format_, remaining_, promised ? request.fps : 0.0,
                      still_format_, std::move(infos)};
}

// Two outputs, if that is wanted and costs the frames neither their size nor their rate; else one.
Expected<libcamera_config::Chosen> LibcameraSession::choose(const SourceRequest &request) const
{
    libcamera_config::Wanted wanted;
    wanted.size = request.transform.apply(request.size); // turning by 90 swaps the sides back
    wanted.transform = request.transform;
    wanted.buffers = still_ ? kStillBuffers : kOwnBuffers + request.frames_held;
    wanted.still = still_;
    if (request.still_output) {
        const Size still = request.transform.apply(request.still_output->size);
        wanted.still_output = still;
        auto both = libcamera_config::configure(*camera_, wanted);
        if (both && both->format.size == wanted.size && both->still_output &&
            (both->still_output->size == still || !request.still_output->exact_size) &&
            camera_->configure(both->config.get()) == 0 && libcamera_config::cropsAlike(*camera_, wanted.size, still) &&
            libcamera_config::keepsRate(*camera_, request.fps))
            return both;
        log::info("camera {}: stills beside the stream have the stream's size", name_);
        wanted.still_output.reset();
    }
    auto one = libcamera_config::configure(*camera_, wanted);
    if (!one)
        return one;
    if (request.exact_size && one->format.size != wanted.size)
        return fail(ErrorKind::kUnsupported, noSuchSize(one->config->at(0), request));
    if (const int result = camera_->configure(one->config.get()); result != 0)
        return failErrno(libcamera_config::openingError(-result), fmt::format("cannot configure the camera {}", name_),
                         -result);
    return one;
}

std::string LibcameraSession::noSuchSize(const libcamera::StreamConfiguration &stream,
                                         const SourceRequest &request) const
{
    std::string sizes;
    for (const Size size : libcamera_config::offeredSizes(stream))
        sizes += (sizes.empty() ? "" : ", ") + request.transform.apply(size).toString();
    return fmt::format("the camera {} has no size {}; it has {}", name_, request.size.toString(),
                       sizes.empty() ? "others, which it does not list" : sizes);
}

Expected<void> LibcameraSession::configure(const SourceRequest &request, ColorRangeSetting color_range)
{
    still_ = request.still;
    auto chosen = choose(request);
    if (!chosen)
        return tl::unexpected<Error>(std::move(chosen.error()));
    config_ = std::move(chosen->config);
    format_ = chosen->format;
    still_format_ = chosen->still_output;
    remaining_ = chosen->remaining;
    const auto trust = [color_range](FrameFormat &format) {
        if (color_range == ColorRangeSetting::kFull) {
            // The colour space that the camera reports is wrong: its pixels are what JPEG wants.
            format.range = ColorRange::kFull;
            format.matrix = ColorMatrix::kBt601;
        } else if (color_range == ColorRangeSetting::kLimited) {
            format.range = ColorRange::kLimited;
        }
    };
    trust(format_);
    if (still_format_)
        trust(*still_format_);
    for (const libcamera::StreamConfiguration &stream : *config_)
        log::debug("camera {} configured: {}", name_, stream.toString());
    return {};
}

Expected<void> LibcameraSession::allocate()
{
    auto frames = buffers_.allocate(config_->at(0), format_);
    if (!frames)
        return tl::unexpected<Error>(std::move(frames.error()));
    if (still_format_) {
        auto stills = buffers_.allocate(config_->at(1), *still_format_);
        if (!stills)
            return tl::unexpected<Error>(std::move(stills.error()));
        still_buffer_ = std::move(stills->front());
    }
    for (Buffer &buffer : *frames) {
        slots_.emplace_back();
        slots_.back().frame = std::move(buffer);
        const std::size_t index = slots_.size() - 1;
        auto request = requestFor(index, false);
        if (!request)
            return tl::unexpected<Error>(std::move(request.error()));
        slots_.back().request = std::move(*request);
        if (!still_format_)
            continue;
        request = requestFor(index, true);
        if (!request)
            return tl::unexpected<Error>(std::move(request.error()));
        slots_.back().with_still = std::move(*request);
    }
    return {};
}

Expected<std::unique_ptr<libcamera::Request>> LibcameraSession::requestFor(std::size_t index, bool with_still) const
{
    auto request = camera_->createRequest(index);
    if (!request || request->addBuffer(config_->at(0).stream(), slots_[index].frame.buffer) != 0 ||
        (with_still && request->addBuffer(config_->at(1).stream(), still_buffer_.buffer) != 0))
        return fail(ErrorKind::kCameraFailed, fmt::format("the camera {} takes no requests", name_));
    return request;
}

void LibcameraSession::setRate(libcamera::ControlList &controls, double fps) const
{
    if (!promises_rate_)
        return;
    const auto limits = libcamera_config::frameDurations(fps, still_, exposure_);
    controls.set(libcamera::controls::FrameDurationLimits, libcamera::Span<const std::int64_t, 2>(limits));
}

void LibcameraSession::setFrameRate(double fps)
{
    {
        const MutexLock lock(mutex_);
        fps_ = fps;
        rate_changed_ = true;
        next_due_ = Clock::now();
    }
    pace_wake_.notify_all();
}

void LibcameraSession::prepareControls()
{
    if (const auto path = libcamera_config::webcamDevice(*camera_)) {
        auto device = V4l2Controls::open(*path);
        if (device)
            webcam_.emplace(std::move(*device),
                            [this](std::string_view name) { return libcamera_config::hasControl(*camera_, name); });
        else
            log::warning("the camera {} has only libcamera's controls: {}", name_, device.error().message);
    }
    std::vector<Size> outputs{format_.size};
    if (still_format_)
        outputs.push_back(still_format_->size);
    const MutexLock lock(mutex_);
    controls_.emplace(camera_->controls(), std::move(outputs), remaining_);
}

void LibcameraSession::setControls(const ControlsRequest &controls)
{
    wantControls(controls);
    pace_wake_.notify_all();
}

ControlValues LibcameraSession::readControls()
{
    return webcam_ ? webcam_->read() : ControlValues{};
}

void LibcameraSession::wantControls(const ControlsRequest &controls)
{
    const std::string id = camera_->id();
    const ControlValues wanted = controls.wantedOf(id);
    // First: when the frames say that the generation is in force, all of it is.
    const bool webcam_told = webcam_ && webcam_->want(wanted, controls.of(id).restored);
    {
        const MutexLock lock(mutex_);
        if (webcam_told)
            controls_->noteValueSaid();
        controls_->want(controls.generation, wanted, controls.of(id));
        webcam_problems_ = webcam_ ? webcam_->problems() : ControlProblems{};
        const auto exposure = controls_->manualExposure();
        rate_changed_ = rate_changed_ || exposure != exposure_;
        exposure_ = exposure;
        problems_changed_ = true;
    }
    reportProblems();
}

// What became of a request's controls. A webcam's driver cancels the request with a value that it refuses.
void LibcameraSession::noteStep(std::size_t index, bool cancelled)
{
    const auto step = std::exchange(slots_[index].step, std::nullopt);
    if (!step)
        return;
    if (!cancelled) {
        problems_changed_ = controls_->completed(*step) || problems_changed_;
        return;
    }
    log::warning("the camera {} refuses {}", name_, fmt::join(step->names, ", "));
    controls_->refused(*step);
    problems_changed_ = true;
}

void LibcameraSession::reportProblems()
{
    ControlProblems problems;
    {
        const MutexLock lock(mutex_);
        if (!std::exchange(problems_changed_, false))
            return;
        for (const std::string &name : controls_->refusedNames())
            problems.emplace(name, "the camera refused it");
        problems.insert(webcam_problems_.begin(), webcam_problems_.end());
    }
    sink_.onControlProblems(problems);
}

void LibcameraSession::requestStill()
{
    const MutexLock lock(mutex_);
    still_wanted_ = still_format_.has_value();
}

void LibcameraSession::stop()
{
    {
        const MutexLock lock(mutex_);
        running_ = false; // nothing is queued from here on
    }
    pace_wake_.notify_all();
    if (pacer_.joinable())
        pacer_.join();
    if (!acquired_) {
        freeRequests();
        camera_.reset();
        return;
    }
    awaitDisconnected();
    camera_->stop(); // hands out the cancelled requests in this call: no mutex may be held
    bool all_back = false;
    {
        const MutexLock lock(mutex_);
        all_back = queued_ == 0;
    }
    if (!all_back) {
        // It was unplugged, and libcamera's thread may still touch its requests: nothing is freed.
        camera_->release();
        return;
    }
    // Its signals stay connected until it is deleted, after the manager's end: libcamera's thread may be emitting one.
    freeRequests();
    camera_->release();
    acquired_ = false;
    camera_.reset();
}

bool LibcameraSession::finish()
{
    if (!acquired_)
        return false;
    freeRequests();
    acquired_ = false;
    camera_.reset();
    return true;
}

void LibcameraSession::freeRequests()
{
    for (Slot &slot : slots_) {
        slot.request.reset();
        slot.with_still.reset();
    }
    buffers_.release();
    config_.reset();
}

void LibcameraSession::onRequestCompleted(libcamera::Request *request)
{
    const std::size_t index = request->cookie();
    const bool cancelled = request->status() == libcamera::Request::RequestCancelled;
    const bool good = !cancelled && !saysFailure(slots_[index].frame.buffer->metadata());
    bool hangs = false;
    CaptureMetadata metadata;
    {
        const MutexLock lock(mutex_);
        --queued_;
        if (!running_)
            return;
        queueRefused();
        const bool controls_refused = cancelled && slots_[index].step && !slots_[index].step->values.empty();
        noteStep(index, cancelled);
        if (!cancelled) {
            metadata = libcamera_config::captureMetadata(request->metadata());
            controls_->complete(metadata);
        }
        // One that was cancelled for its controls says nothing of the camera, neither that it hangs nor that it does
        // not; but no camera has so many controls to refuse without a frame between them.
        if (!cancelled)
            cancelled_in_a_row_ = refused_in_a_row_ = 0;
        else
            ++(controls_refused ? refused_in_a_row_ : cancelled_in_a_row_);
        // The driver's watchdog cancels all that is queued: the camera hangs, and only a restart helps.
        hangs = cancelled_in_a_row_ >= slots_.size() || refused_in_a_row_ >= kMaxRefused;
        const bool still = request == slots_[index].with_still.get();
        // Only a camera that says it keeps a rate and does not is one without a sensor: it fills what it is given. Of
        // one that promises no rate all frames go on: its driver has to have a buffer for each, and the frame bus
        // leaves out what nobody wants.
        if (!hangs && good && !still && promises_rate_ && early(Clock::now())) {
            park(index);
            return;
        }
        if (!hangs && !good) {
            if (still) { // the next one shall bring it
                still_out_ = false;
                still_wanted_ = true;
            }
            queue(index);
        }
    }
    reportProblems();
    if (hangs)
        sink_.onSourceError({ErrorKind::kStalled, fmt::format("the camera {} hangs", name_)});
    else if (good)
        deliver(index, *request, metadata);
}

// libcamera hears of an unplugging from udev, on a busy machine seconds late. Until then the camera runs for it, and
// stop() would abort the process: the uvcvideo pipeline's requests do not come back when the driver is gone, and it
// asserts that none is left (seen with 0.4.0). Where it never hears of it, the driver watchdog ends the process.
void LibcameraSession::awaitDisconnected()
{
    if (!webcam_ || !webcam_->isUnplugged())
        return;
    UniqueLock lock(mutex_);
    if (!disconnected_)
        log::warning("the camera {} was unplugged, but libcamera does not know yet", name_);
    while (!disconnected_)
        disconnected_changed_.wait(lock.native());
}

void LibcameraSession::onDisconnected()
{
    {
        const MutexLock lock(mutex_);
        disconnected_ = true;
    }
    disconnected_changed_.notify_all();
    sink_.onSourceError({ErrorKind::kNoCamera, fmt::format("the camera {} was unplugged", name_)});
}

void LibcameraSession::deliver(std::size_t index, libcamera::Request &request, const CaptureMetadata &metadata)
{
    const Slot &slot = slots_[index];
    if (&request == slot.with_still.get()) {
        const bool good = !saysFailure(still_buffer_.buffer->metadata());
        std::shared_ptr<Frame> still = frameOf(still_buffer_, *still_format_, request, metadata,
                                               [self = shared_from_this()] { self->recycleStill(); });
        if (good)
            sink_.onStill(std::move(still));
        else
            requestStill(); // the next one shall bring it
    }
    sink_.onFrame(
        frameOf(slot.frame, format_, request, metadata, [self = shared_from_this(), index] { self->recycle(index); }));
}

std::shared_ptr<Frame> LibcameraSession::frameOf(const Buffer &buffer, const FrameFormat &format,
                                                 libcamera::Request &request, const CaptureMetadata &reported,
                                                 std::function<void()> recycle) const
{
    const MonotonicTime arrival = Clock::now();
    for (const int fd : buffer.fds)
        beginCpuRead(fd);
    const libcamera::ControlList &metadata = request.metadata();
    const auto sensor = metadata.get(libcamera::controls::SensorTimestamp);
    const auto stamp = sensor ? *sensor : static_cast<std::int64_t>(buffer.buffer->metadata().timestamp);
    std::array<Plane, 3> planes = buffer.planes;
    if (format.pixels == PixelFormat::kJpeg) {
        // A JPEG ends before its buffer does; where the driver does not say, the buffer's length is the bound.
        const auto &used = buffer.buffer->metadata().planes();
        if (!used.empty() && used[0].bytesused > 0)
            planes[0].size = std::min<std::size_t>(planes[0].size, used[0].bytesused);
    }
    auto frame = std::make_shared<Frame>(format, planes, monotonicStamp(stamp, arrival), std::move(recycle));
    frame->metadata() = reported;
    return frame;
}

void LibcameraSession::recycle(std::size_t index)
{
    const MutexLock lock(mutex_);
    if (!running_)
        return; // the buffers are gone or going
    for (const int fd : slots_[index].frame.fds)
        endCpuRead(fd);
    queueRefused();
    queue(index);
}

void LibcameraSession::queueRefused()
{
    for (const std::size_t refused : std::exchange(refused_, {}))
        queue(refused);
}

void LibcameraSession::recycleStill()
{
    const MutexLock lock(mutex_);
    if (!running_)
        return;
    for (const int fd : still_buffer_.fds)
        endCpuRead(fd);
    still_out_ = false;
}

void LibcameraSession::queue(std::size_t index)
{
    const bool still = still_wanted_ && !still_out_;
    if (still) {
        still_wanted_ = false;
        still_out_ = true;
    }
    libcamera::Request &request = still ? *slots_[index].with_still : *slots_[index].request;
    request.reuse(libcamera::Request::ReuseBuffers); // takes its buffers from the other requests that know them
    const bool rate = std::exchange(rate_changed_, false);
    if (rate)
        setRate(request.controls(), fps_);
    auto step = controls_->takeStep();
    if (step)
        LibcameraControls::fill(*step, request.controls());
    if (const int result = camera_->queueRequest(&request); result != 0) {
        if (step && !controls_->putBack(*std::move(step)))
            problems_changed_ = true;
        log::warning("the camera {} refused a request: error {}", name_, -result);
        still_out_ = still_out_ && !still;
        still_wanted_ = still_wanted_ || still;
        rate_changed_ = rate_changed_ || rate;
        refused_.push_back(index);
        return;
    }
    slots_[index].step = std::move(step);
    ++queued_;
}

// Not every camera keeps the rate that it is asked for: what comes too early goes back unseen.
bool LibcameraSession::early(Clock::time_point now)
{
    const auto interval = duration_cast<Clock::duration>(duration<double>(1.0 / fps_));
    if (now + interval * 2 / 5 < next_due_)
        return true;
    next_due_ = std::max(next_due_ + interval, now - interval);
    return false;
}

void LibcameraSession::park(std::size_t index)
{
    parked_.push_back(index);
    if (!pacer_.joinable())
        pacer_ = std::thread([this] { pace(); });
    else
        pace_wake_.notify_all();
}

void LibcameraSession::pace()
{
    UniqueLock lock(mutex_);
    while (running_) {
        if (parked_.empty()) {
            pace_wake_.wait(lock.native());
        } else if (const auto due = next_due_; Clock::now() < due) {
            pace_wake_.wait_until(lock.native(), due);
        } else {
            const std::size_t index = parked_.front();
            parked_.erase(parked_.begin());
            queue(index);
            // One a time: the frame that this request brings moves the schedule on, or the interval passes.
            pace_wake_.wait_for(lock.native(), duration_cast<Clock::duration>(duration<double>(0.5 / fps_)));
        }
    }
}

} // namespace picam
