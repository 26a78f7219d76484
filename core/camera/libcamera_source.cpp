#include "core/camera/libcamera_source.h"

#include "core/base/thread_annotations.h"
#include "core/camera/libcamera_session.h"

#include <atomic>
#include <libcamera/libcamera.h>
#include <utility>

namespace picam {
namespace {

std::string modelOf(const libcamera::Camera &camera)
{
    const auto model = camera.properties().get(libcamera::properties::Model);
    return model ? std::string(*model) : camera.id();
}

std::vector<CameraName> namesOf(const std::vector<std::shared_ptr<libcamera::Camera>> &cameras)
{
    std::vector<CameraName> names;
    names.reserve(cameras.size());
    for (const auto &camera : cameras)
        names.push_back({camera->id(), modelOf(*camera)});
    return names;
}

class LibcameraSource : public Source {
public:
    LibcameraSource(const CameraSettings &settings, std::shared_ptr<const CameraClaim> claim)
        : settings_(settings), claim_(std::move(claim))
    {
    }
    ~LibcameraSource() override { stopNow(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override;
    void setFrameRate(double fps) override
    {
        if (session_)
            session_->setFrameRate(fps);
    }
    void setControls(const ControlsRequest &controls) override
    {
        if (session_)
            session_->setControls(controls);
    }
    ControlValues readControls() override { return session_ ? session_->readControls() : ControlValues{}; }
    void requestStill() override
    {
        if (session_)
            session_->requestStill();
    }
    void stop() override { stopNow(); }

private:
    [[nodiscard]] Expected<void> startManager();
    [[nodiscard]] Expected<std::shared_ptr<libcamera::Camera>> chooseCamera(FrameSink &sink);
    void onCameraAdded(std::shared_ptr<libcamera::Camera> camera);
    void onCameraRemoved(std::shared_ptr<libcamera::Camera> camera);
    void stopNow();

    const CameraSettings settings_;
    const std::shared_ptr<const CameraClaim> claim_;
    Mutex beside_mutex_;
    std::string own_ PICAM_GUARDED_BY(beside_mutex_);                // the chosen camera's id while it is there
    std::vector<CameraName> beside_ PICAM_GUARDED_BY(beside_mutex_); // it, and what was or came there meanwhile
    // libcamera's thread calls onCameraAdded() and onCameraRemoved().
    std::atomic<unsigned> added_{0};
    std::atomic<FrameSink *> waiting_{nullptr}; // to be told of a camera that comes; empty: no start() waits for one
    unsigned looks_ = 0;                        // of a manager that waits
    // In this order, so that they end in the other: the manager must outlive every camera.
    std::unique_ptr<libcamera::CameraManager> manager_;
    std::shared_ptr<LibcameraSession> session_;
};

// The manager is as it was after a start() that found no camera; but now and then a new one looks whether there is one
// of which this was not told.
Expected<void> LibcameraSource::startManager()
{
    constexpr unsigned kLooksOfOne = 4;
    if (waiting_.exchange(nullptr) != nullptr && ++looks_ % kLooksOfOne != 0)
        return {};
    stopNow();
    manager_ = std::make_unique<libcamera::CameraManager>();
    // Before it starts, and until it has ended: its thread emits the signals at any time.
    manager_->cameraAdded.connect(this, &LibcameraSource::onCameraAdded);
    manager_->cameraRemoved.connect(this, &LibcameraSource::onCameraRemoved);
    if (const int result = manager_->start(); result != 0) {
        manager_.reset();
        return failErrno(ErrorKind::kCameraFailed, "libcamera does not start", -result);
    }
    return {};
}

void LibcameraSource::onCameraAdded(std::shared_ptr<libcamera::Camera> camera)
{
    ++added_;
    {
        // While its own camera is there, one that comes is another and no substitute for it. The manager is not asked:
        // it may hold its lock here.
        const MutexLock lock(beside_mutex_);
        if (!own_.empty())
            beside_.push_back({camera->id(), modelOf(*camera)});
    }
    if (FrameSink *sink = waiting_; sink != nullptr)
        sink->onCameraAdded();
}

void LibcameraSource::onCameraRemoved(std::shared_ptr<libcamera::Camera> camera)
{
    const MutexLock lock(beside_mutex_);
    if (camera->id() == own_)
        own_.clear();
}

Expected<std::shared_ptr<libcamera::Camera>> LibcameraSource::chooseCamera(FrameSink &sink)
{
    const unsigned added = added_;
    const auto cameras = manager_->cameras();
    const auto names = namesOf(cameras);
    const auto chosen = claim_->choose(names);
    if (chosen) {
        const MutexLock lock(beside_mutex_);
        own_ = names[*chosen].id;
        beside_ = names;
        return cameras[*chosen];
    }
    if (chosen.error().kind == ErrorKind::kNoCamera) {
        waiting_ = &sink;
        if (added_ != added) // it came meanwhile
            sink.onCameraAdded();
    }
    return tl::unexpected<Error>(chosen.error());
}

Expected<SourceInfo> LibcameraSource::start(const SourceRequest &request, FrameSink &sink)
{
    if (auto done = startManager(); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    auto camera = chooseCamera(sink);
    if (!camera) {
        if (waiting_ == nullptr)
            stopNow();
        return tl::unexpected<Error>(std::move(camera.error()));
    }
    std::string model = modelOf(**camera);
    // The session has the only reference that is left: no camera may outlive the manager.
    session_ = std::make_shared<LibcameraSession>(std::move(*camera), std::move(model), sink);
    auto info = session_->start(request, settings_.color_range);
    if (!info)
        stopNow();
    return info;
}

void LibcameraSource::stopNow()
{
    waiting_ = nullptr;
    std::vector<CameraName> beside;
    {
        const MutexLock lock(beside_mutex_);
        own_.clear();
        beside.swap(beside_);
    }
    if (session_) {
        claim_->noteOthers(beside);
        session_->stop();
    }
    if (manager_)
        manager_->stop();
    // Whoever drops the last reference of a camera only posts its deletion to the manager's thread. A second start and
    // stop runs it: else each unplugging would leave two descriptors open, and a device's number taken.
    if (session_ && session_->finish() && manager_ && manager_->start() == 0)
        manager_->stop();
    session_.reset();
    manager_.reset();
}

} // namespace

std::unique_ptr<Source> makeLibcameraSource(const CameraSettings &settings, std::shared_ptr<const CameraClaim> claim)
{
    return std::make_unique<LibcameraSource>(settings, std::move(claim));
}

Expected<std::vector<std::string>> libcameraIds()
{
    libcamera::CameraManager manager;
    if (const int result = manager.start(); result != 0)
        return failErrno(ErrorKind::kCameraFailed, "libcamera does not start", -result);
    std::vector<std::string> ids;
    for (const auto &camera : manager.cameras())
        ids.push_back(camera->id());
    manager.stop();
    return ids;
}

} // namespace picam
