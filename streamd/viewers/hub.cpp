#include "streamd/viewers/hub.h"

#include "streamd/viewers/stream_frame.h"

#include <algorithm>
#include <utility>

namespace picam {

Hub::Hub(Scheduler &scheduler, CameraSwitch &camera, VideoSwitch &video, Status &status, HubOptions options)
    : scheduler_(scheduler), camera_(camera), status_(status), options_(std::move(options)),
      rungs_(scheduler, video, status, {options_.hello.size, options_.linger, options_.video},
             [this] { updateDemand(); }),
      linger_timer_(scheduler.makeTimer()), check_timer_(scheduler.makeTimer())
{
}

Hub::~Hub() = default;

std::shared_ptr<void> Hub::takeSlot(const std::shared_ptr<std::uint32_t> &taken, std::uint32_t most)
{
    if (refusing_ || *taken >= most) {
        status_.refused();
        return nullptr;
    }
    ++*taken;
    return {taken.get(), [taken](void *) { --*taken; }};
}

std::shared_ptr<ViewerEvents> Hub::join(std::shared_ptr<ViewerConnection> connection, WireFormat format, double max_fps)
{
    ViewerOwner &owner = *this;
    auto viewer =
        std::make_shared<Viewer>(std::move(connection), format, max_fps, options_.viewer, scheduler_, status_, owner);
    viewers_.push_back(viewer);
    viewer->sendHello(options_.hello);
    onVideoWanted(*viewer);
    if (!updateDemand())
        showCurrent(*viewer);
    startChecking();
    return viewer;
}

// Where the stream stands, for one who comes in the middle of it.
void Hub::showCurrent(Viewer &viewer)
{
    viewer.sendState(current_);
    if (latest_ && scheduler_.now() - latest_->captured < kMaxFirstAge)
        viewer.offer(latest_);
}

void Hub::onPicture(const PicturePtr &picture)
{
    latest_ = makeStreamFrame(picture, 0, picture->sequence);
    for (const auto &viewer : viewers_)
        viewer->offer(latest_);
}

void Hub::onCameraStatus(const CameraStatus &camera)
{
    current_ = camera;
    status_.setCamera(camera, scheduler_.now());
    if (camera.state != CameraState::kStreaming)
        latest_.reset();
    else
        rungs_.onCameraOpened(camera.size);
    for (const auto &viewer : viewers_) {
        if (camera.state != CameraState::kStreaming)
            viewer->dropPending();
        if (viewer->active())
            viewer->sendState(camera);
    }
}

void Hub::onDemandChanged()
{
    updateDemand();
}

void Hub::onResumed(Viewer &viewer)
{
    if (!updateDemand())
        showCurrent(viewer);
    startChecking();
}

void Hub::onViewerClosed(Viewer &viewer)
{
    const auto found = std::find_if(viewers_.begin(), viewers_.end(),
                                    [&viewer](const auto &candidate) { return candidate.get() == &viewer; });
    if (found == viewers_.end())
        return;
    rungs_.leave(viewer);
    viewers_.erase(found);
    updateDemand();
}

void Hub::onVideoWanted(Viewer &viewer)
{
    if (viewer.wantsVideo())
        rungs_.join(viewer);
    else
        rungs_.leave(viewer);
}

bool Hub::updateDemand()
{
    double fps = CameraSwitch::kNobody; // the highest rate of pictures that somebody takes; 0: all there are
    bool active = false;
    for (const auto &viewer : viewers_) {
        active = active || viewer->active();
        if (!viewer->wantsPictures() || fps == 0.0)
            continue;
        fps = viewer->maxFps() == 0.0 ? 0.0 : std::max(fps, viewer->maxFps());
    }
    if (active) {
        if (std::exchange(lingering_, false))
            linger_timer_->cancel();
        camera_.setDemand(fps);
        if (std::exchange(wanted_, true))
            return false;
        CameraStatus starting;
        starting.state = CameraState::kStarting;
        onCameraStatus(starting);
        camera_.want(true);
        return true;
    }
    if (!wanted_ || lingering_)
        return false;
    lingering_ = true;
    camera_.setDemand(CameraSwitch::kNobody);
    linger_timer_->start(options_.linger, [this] {
        lingering_ = false;
        wanted_ = false;
        rungs_.stop();
        camera_.want(false);
        onCameraStatus(CameraStatus{});
    });
    return false;
}

void Hub::startChecking()
{
    if (viewers_.empty())
        return;
    const bool active = std::any_of(viewers_.begin(), viewers_.end(), [](const auto &v) { return v->active(); });
    const auto interval = active ? kCheckActive : kCheckPaused;
    if (checking_.count() > 0 && checking_ <= interval)
        return;
    checking_ = interval;
    check_timer_->start(interval, [this] {
        checking_ = std::chrono::seconds(0);
        for (const auto &viewer : viewers_)
            viewer->checkTimeouts();
        startChecking();
    });
}

void Hub::closeViewers(CloseCode code, std::string_view reason)
{
    for (const auto &viewer : viewers_)
        viewer->close(code, reason);
}

} // namespace picam
