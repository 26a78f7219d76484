#include "core/camera/libcamera_source.h"

#include "core/camera/libcamera_session.h"

#include <charconv>
#include <fmt/format.h>
#include <libcamera/libcamera.h>

namespace picam {
namespace {

std::string modelOf(const libcamera::Camera &camera)
{
    const auto model = camera.properties().get(libcamera::properties::Model);
    return model ? std::string(*model) : camera.id();
}

std::shared_ptr<libcamera::Camera> chooseCamera(libcamera::CameraManager &manager, const std::string &wanted)
{
    const auto cameras = manager.cameras();
    if (wanted.empty())
        return cameras.empty() ? nullptr : cameras.front();
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
    if (error == std::errc() && end == wanted.data() + wanted.size())
        return index < cameras.size() ? cameras[index] : nullptr;
    for (const auto &camera : cameras)
        if (camera->id().find(wanted) != std::string::npos || modelOf(*camera).find(wanted) != std::string::npos)
            return camera;
    return nullptr;
}

class LibcameraSource : public Source {
public:
    explicit LibcameraSource(const CameraSettings &settings) : settings_(settings) {}
    ~LibcameraSource() override { stopNow(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override;
    void setFrameRate(double fps) override
    {
        if (session_)
            session_->setFrameRate(fps);
    }
    void requestStill() override
    {
        if (session_)
            session_->requestStill();
    }
    void stop() override { stopNow(); }

private:
    void stopNow();

    const CameraSettings settings_;
    // In this order, so that they end in the other: the manager must outlive every camera.
    std::unique_ptr<libcamera::CameraManager> manager_;
    std::shared_ptr<LibcameraSession> session_;
};

Expected<SourceInfo> LibcameraSource::start(const SourceRequest &request, FrameSink &sink)
{
    stopNow();
    manager_ = std::make_unique<libcamera::CameraManager>();
    if (const int result = manager_->start(); result != 0) {
        manager_.reset();
        return failErrno(ErrorKind::kCameraFailed, "libcamera does not start", -result);
    }
    auto camera = chooseCamera(*manager_, settings_.id);
    if (!camera) {
        stopNow();
        return settings_.id.empty()
                   ? fail(ErrorKind::kNoCamera, "there is no camera")
                   : fail(ErrorKind::kNoCamera, fmt::format("there is no camera \"{}\"", settings_.id));
    }
    const std::string model = modelOf(*camera);
    session_ = std::make_shared<LibcameraSession>(std::move(camera), model, sink);
    auto info = session_->start(request, settings_.color_range);
    if (!info)
        stopNow();
    return info;
}

void LibcameraSource::stopNow()
{
    if (session_)
        session_->stop();
    if (manager_)
        manager_->stop();
    if (session_)
        session_->finish();
    session_.reset();
    manager_.reset();
}

} // namespace

std::unique_ptr<Source> makeLibcameraSource(const CameraSettings &settings)
{
    return std::make_unique<LibcameraSource>(settings);
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
