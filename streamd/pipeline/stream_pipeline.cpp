#include "streamd/pipeline/stream_pipeline.h"

#include "core/base/log.h"
#include "core/image/jpeg_frame_encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace picam {
namespace {

// Each worker costs a frame's buffers; who wants more says so.
constexpr unsigned kMaxOwnWorkers = 4;
// Viewers hear of another rate when it differs by as much.
constexpr double kRateTolerance = 0.1;

unsigned workersFor(std::uint32_t setting)
{
    if (setting > 0)
        return setting;
    const unsigned cores = std::thread::hardware_concurrency(); // 0: not known
    return std::clamp(cores, 2U, kMaxOwnWorkers + 1) - 1;       // one core is left to the camera and the viewers
}

CameraController::Options cameraOptions(const Settings &settings, std::function<ControlsRequest()> load_controls,
                                        std::chrono::milliseconds driver_timeout)
{
    CameraController::Options options;
    options.lock_path = settings.lockPath();
    options.name = "picam-streamd";
    options.load_controls = std::move(load_controls);
    options.reads_controls = true;
    options.trial_path = settings.path(".stream.trial");
    options.description_path = settings.descriptionPath();
    options.request = streamRequest(settings);
    options.policy.waits_for_lock = true;
    options.policy.retries = true;
    options.stall_timeout = settings.camera.stall;
    options.convergence_timeout = settings.snapshot.settle;
    options.driver_timeout = driver_timeout;
    return options;
}

} // namespace

StreamPipeline::StreamPipeline(const Settings &settings, Parts parts, std::chrono::milliseconds driver_timeout)
    : settings_(settings), scheduler_(parts.scheduler), store_(parts.store), status_(parts.status),
      workers_(workersFor(settings.stream.workers)), video_encoders_(std::move(parts.video_encoders)),
      mailbox_(std::make_shared<StreamMailbox>(parts.scheduler)),
      camera_(cameraOptions(settings, std::move(parts.load_controls), driver_timeout), std::move(parts.make_source),
              parts.requests, *this, std::move(parts.give_up)),
      jpeg_frames_(camera_.bus().subscribe(workers_)), still_frames_(camera_.bus().subscribe(1)),
      video_frames_(video_encoders_.empty() ? nullptr : camera_.bus().subscribe(1))
{
    camera_.start();
}

StreamPipeline::~StreamPipeline()
{
    mailbox_->setSink(nullptr);
    *stopped_ = nullptr;
    camera_.stop();
}

void StreamPipeline::setSink(StreamSink *sink)
{
    mailbox_->setSink(sink);
}

void StreamPipeline::want(bool wanted)
{
    wanted_ = wanted;
    // The mailbox first: it drops what belongs to a generation that it does not know.
    const unsigned generation = generation_ + 1;
    mailbox_->restart(generation, wanted);
    generation_ = generation;
    updateDemand();
}

void StreamPipeline::setDemand(double fps)
{
    viewer_fps_ = fps;
    updateDemand();
}

void StreamPipeline::updateDemand()
{
    const double most = settings_.stream.fps;
    jpeg_fps_ = viewer_fps_ == 0.0 ? most : std::min(viewer_fps_, most);
    if (!wanted_)
        jpeg_frames_->setDemand(std::nullopt);
    else
        jpeg_frames_->setDemand(viewer_fps_ == kNobody ? FrameBus::kKeepOpen : jpeg_fps_.load());
    if (video_frames_)
        video_frames_->setDemand(wanted_ && video_wanted_ ? std::optional(settings_.stream.fps) : std::nullopt);
}

void StreamPipeline::wantVideo(bool wanted)
{
    video_wanted_ = wanted;
    updateDemand();
}

void StreamPipeline::requestVideo(unsigned rung, const RungEncoders::Request &request)
{
    const MutexLock lock(video_mutex_);
    video_requests_.at(rung) = request;
    if (video_)
        video_->request(rung, request);
}

void StreamPipeline::releaseVideo(unsigned rung)
{
    const MutexLock lock(video_mutex_);
    video_requests_.at(rung).reset();
    if (video_)
        video_->release(rung);
}

void StreamPipeline::requestStop(std::function<void()> stopped)
{
    *stopped_ = std::move(stopped);
    want(false);
    mailbox_->setSink(nullptr);
    camera_.requestStop();
}

void StreamPipeline::onCameraStopped()
{
    scheduler_.post([weak = std::weak_ptr(stopped_)] {
        if (const auto stopped = weak.lock(); stopped && *stopped)
            (*stopped)();
    });
}

void StreamPipeline::onCameraOpened(const SourceInfo &info)
{
    status_.cameraStarted();
    info_ = info;
    {
        const MutexLock lock(opened_mutex_);
        opened_ = Opened{info.id, info.name, info.controls, true, {}};
    }
    {
        const MutexLock lock(reported_mutex_);
        reported_ = 0;
        reported_fps_ = 0.0;
    }
    const EncodeOptions frames{settings_.stream.quality, info.remaining};
    std::vector<std::unique_ptr<Encoder>> encoders; // one more than the pool's: for stills
    for (unsigned i = 0; i < workers_ + 1; ++i) {
        auto encoder = JpegFrameEncoder::create(frames);
        if (!encoder)
            return camera_.reportFailure(std::move(encoder.error()));
        encoders.push_back(std::move(*encoder));
    }
    StoreStills::Parts stills;
    if (info.still_output) {
        auto encoder = JpegFrameEncoder::create({settings_.snapshot.quality, info.remaining});
        if (!encoder)
            return camera_.reportFailure(std::move(encoder.error()));
        stills.still_encoder = std::move(*encoder);
    }
    stills.frame_encoder = std::move(encoders.back());
    encoders.pop_back();
    stills.needs_frame = [this] { return needsFrame(); };
    EncodedFrameSink &sink = *this;
    pool_ = std::make_unique<EncoderPool>(*jpeg_frames_, std::move(encoders), sink);
    if (video_frames_) {
        RungEncoders::Options video;
        video.size = info.remaining.apply(info.format.size);
        video.transform = info.remaining;
        const double fps = camera_.frameRate();
        video.fps = fps > 0.0 ? std::min(fps, settings_.stream.fps) : settings_.stream.fps;
        video.encoders = video_encoders_;
        const MutexLock lock(video_mutex_);
        video_ = std::make_unique<RungEncoders>(
            *video_frames_, std::move(video),
            RungEncoders::Events{[this](RungEncoders::Result result) { onVideoEncoded(std::move(result)); },
                                 [this](const Error &error) { camera_.reportBadFrame(error); }});
        for (unsigned rung = 0; rung < kVideoRungs; ++rung)
            if (video_requests_.at(rung))
                video_->request(rung, *video_requests_.at(rung));
    }
    const MutexLock lock(stills_mutex_);
    stills_ = std::make_unique<StoreStills>(camera_, *still_frames_, store_, std::move(stills));
}

std::optional<ControlsCamera::Opened> StreamPipeline::openedCamera() const
{
    std::optional<Opened> opened;
    {
        const MutexLock lock(opened_mutex_);
        opened = opened_;
    }
    if (opened && opened->open)
        opened->in_force = camera_.controlsInForce();
    return opened;
}

// Before the frames that take longer, or viewers would take them for a stall.
void StreamPipeline::onFrameRateChanged()
{
    const double fps = std::min(camera_.frameRate(), settings_.stream.fps);
    mailbox_->put(generation_,
                  CameraStatus{CameraState::kStreaming, {}, info_.name, info_.remaining.apply(info_.format.size), fps},
                  nullptr);
}

void StreamPipeline::onCameraClosing()
{
    {
        const MutexLock lock(opened_mutex_);
        if (opened_)
            opened_->open = false;
    }
    pool_.reset();
    std::unique_ptr<RungEncoders> video; // ended without the lock, which its thread takes
    {
        const MutexLock lock(video_mutex_);
        video.swap(video_);
    }
    video.reset();
    const MutexLock lock(stills_mutex_);
    stills_.reset();
}

void StreamPipeline::onCameraUnavailable(const Error &why)
{
    status_.cameraFailed(why.message, std::chrono::steady_clock::now());
    CameraStatus status;
    status.state = CameraState::kUnavailable;
    status.reason = why.message;
    mailbox_->put(generation_, std::move(status), nullptr);
}

void StreamPipeline::onStillRequested()
{
    const MutexLock lock(stills_mutex_);
    if (stills_)
        stills_->request();
}

bool StreamPipeline::needsFrame() const
{
    const double camera_fps = camera_.frameRate();
    return jpeg_fps_ < kMinStoreFps && (camera_fps <= 0.0 || jpeg_fps_ < camera_fps);
}

// Publishes the picture and posts it to the loop.
void StreamPipeline::onEncoded(Result result)
{
    status_.captured(1 + result.replaced_before + result.paced_before, result.replaced_before, result.paced_before);
    if (!result.frame) {
        status_.dropped();
        camera_.reportBadFrame(result.frame.error());
        return;
    }
    camera_.reportGoodFrame();
    EncodedFrame &picture = *result.frame;
    status_.encoded(result.encode_time, picture.bytes.size());
    publish(picture);
    auto status = news(result.generation, picture.size);
    mailbox_->put(result.generation, std::move(status), std::make_shared<const EncodedFrame>(std::move(picture)));
}

// What viewers have not heard of this camera yet.
std::optional<CameraStatus> StreamPipeline::news(unsigned generation, Size size)
{
    const double fps = std::min(camera_.frameRate(), settings_.stream.fps); // no viewer gets more
    const MutexLock lock(reported_mutex_);
    const bool other_rate = std::fabs(fps - reported_fps_) > kRateTolerance * fps;
    if (std::exchange(reported_, generation) == generation && !other_rate)
        return std::nullopt;
    reported_fps_ = fps;
    return CameraStatus{CameraState::kStreaming, {}, info_.name, size, fps};
}

void StreamPipeline::onVideoEncoded(RungEncoders::Result result)
{
    const unsigned generation = generation_;
    {
        const MutexLock lock(video_mutex_);
        video_requests_.at(result.rung).reset();
    }
    if (result.frame && *result.frame) {
        camera_.reportGoodFrame();
        if (auto status = news(generation, info_.remaining.apply(info_.format.size)))
            mailbox_->put(generation, std::move(status), nullptr);
    }
    mailbox_->putVideo(generation, std::move(result));
}

// A store that cannot be written costs the stills, not the stream.
void StreamPipeline::publish(EncodedFrame &picture)
{
    StoreTag tag;
    tag.stream = true;
    tag.still_offered = info_.still_output.has_value();
    tag.interval = std::max(frameInterval(jpeg_fps_), frameInterval(camera_.frameRate()));
    const auto sequence = store_.publish(picture, tag);
    if (!sequence && !publish_failed_)
        log::warning("pictures do not reach the frame store: {}", sequence.error().message);
    publish_failed_ = !sequence;
    // Viewers count on a sequence that grows, whatever happens to the store.
    last_sequence_ = std::max(sequence.value_or(0), last_sequence_ + 1);
    picture.sequence = last_sequence_;
}

} // namespace picam
