// Hub owns all viewers and derives from them whether the camera runs, and at which rate. Loop thread only.
// The first active viewer opens the camera; it is closed stream.linger after the last one has gone or paused. Every
// picture is offered to every viewer, which decides whether to send it now, later or not at all. Those who take H.264
// are on VideoRungs, too.
#pragma once

#include "core/image/encoded_frame.h"
#include "core/loop/scheduler.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/pipeline/camera_switch.h"
#include "streamd/pipeline/stream_mailbox.h"
#include "streamd/status/status.h"
#include "streamd/viewers/connection.h"
#include "streamd/viewers/video_rungs.h"
#include "streamd/viewers/viewer.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

struct HubOptions {
    protocol::Hello hello;
    std::chrono::milliseconds linger{5000};
    std::uint32_t max_viewers = 100;
    ViewerLimits viewer;
    VideoLimits video;
};

class Hub : public ViewerHost, public StreamSink, private ViewerOwner {
public:
    // How often viewers are looked at for timeouts: while frames flow, and while all are paused. Without viewers:
    // never.
    static constexpr std::chrono::seconds kCheckActive{1};
    static constexpr std::chrono::seconds kCheckPaused{10};
    // Of a late joiner's first picture, so that it sees something at once, but nothing old.
    static constexpr std::chrono::seconds kMaxFirstAge{1};
    // picam-relay, and another one that takes its place while its connection is not closed yet.
    static constexpr std::uint32_t kMaxRelays = 2;

    // All must outlive it.
    Hub(Scheduler &scheduler, CameraSwitch &camera, VideoSwitch &video, Status &status, HubOptions options);
    Hub(const Hub &) = delete;
    Hub &operator=(const Hub &) = delete;
    ~Hub() override;

    // ViewerHost
    [[nodiscard]] std::shared_ptr<void> admit() override { return takeSlot(admitted_, options_.max_viewers); }
    [[nodiscard]] std::shared_ptr<void> admitRelay() override { return takeSlot(admitted_relays_, kMaxRelays); }
    [[nodiscard]] bool offersVideo() const override { return options_.viewer.offers_h264; }
    [[nodiscard]] std::shared_ptr<ViewerEvents> join(std::shared_ptr<ViewerConnection> connection, WireFormat format,
                                                     double max_fps) override;
    // StreamSink
    void onPicture(const PicturePtr &picture) override;
    void onCameraStatus(const CameraStatus &camera) override;
    void onVideo(const RungEncoders::Result &result) override { rungs_.onVideo(result); }

    void refuseViewers() { refusing_ = true; }
    void closeViewers(CloseCode code, std::string_view reason); // they leave as their connections end
    [[nodiscard]] std::size_t viewerCount() const { return viewers_.size(); }

private:
    [[nodiscard]] std::shared_ptr<void> takeSlot(const std::shared_ptr<std::uint32_t> &taken, std::uint32_t most);
    void onDemandChanged() override;
    void onResumed(Viewer &viewer) override;
    void onViewerClosed(Viewer &viewer) override;
    void onVideoWanted(Viewer &viewer) override;
    void onVideoReady(Viewer &viewer) override { rungs_.onReady(viewer); }
    void onKeyWanted(Viewer &viewer) override { rungs_.onKeyWanted(viewer); }
    void showCurrent(Viewer &viewer);
    bool updateDemand(); // true: the camera was off, is being opened, and all viewers know
    void startChecking();

    Scheduler &scheduler_;
    CameraSwitch &camera_;
    Status &status_;
    const HubOptions options_;

    VideoRungs rungs_;
    std::vector<std::shared_ptr<Viewer>> viewers_;
    // Slots in use.
    std::shared_ptr<std::uint32_t> admitted_ = std::make_shared<std::uint32_t>(0);
    std::shared_ptr<std::uint32_t> admitted_relays_ = std::make_shared<std::uint32_t>(0);
    CameraStatus current_;
    FramePtr latest_; // while the camera streams
    bool wanted_ = false;
    bool lingering_ = false;
    bool refusing_ = false;
    std::chrono::seconds checking_{0}; // the interval that check_timer_ runs with; 0: it does not
    std::unique_ptr<Timer> linger_timer_;
    std::unique_ptr<Timer> check_timer_;
};

} // namespace picam
