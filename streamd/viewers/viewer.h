// Viewer decides which picture one viewer gets next, and handles its messages and timeouts. Loop thread only.
// One frame is being written and at most one newer picture waits; nothing else is queued for a viewer. Whether it is
// sent pictures or H.264, and which frames of that, VideoRungs decides for those who take both. It does not know
// sockets (ViewerConnection) or other viewers (Hub).
#pragma once

#include "core/camera/frame_pacer.h"
#include "core/loop/scheduler.h"
#include "streamd/status/status.h"
#include "streamd/viewers/connection.h"
#include "streamd/viewers/flow_control.h"
#include "streamd/viewers/sent_frames.h"
#include "streamd/viewers/stream_fragments.h"
#include "streamd/viewers/video_flow_control.h"
#include "streamd/viewers/video_rungs.h"
#include "streamd/viewers/viewer_protocol.h"

#include <memory>
#include <string>

namespace picam {

class Viewer;

// A viewer's events, for the hub. They come from inside calls of either side into the viewer.
class ViewerOwner {
public:
    virtual ~ViewerOwner() = default;
    virtual void onDemandChanged() = 0;              // paused, closing, or another rate
    virtual void onResumed(Viewer &viewer) = 0;      // takes frames again
    virtual void onViewerClosed(Viewer &viewer) = 0; // the last call; the hub lets go of it
    virtual void onVideoWanted(Viewer &viewer) = 0;  // wantsVideo() has changed
    virtual void onVideoReady(Viewer &viewer) = 0;   // it may take a frame of H.264 again, perhaps
    virtual void onKeyWanted(Viewer &viewer) = 0;
};

struct ViewerLimits {
    std::chrono::milliseconds ack_timeout{10000};
    std::chrono::milliseconds ping_interval{20000};
    std::chrono::milliseconds write_timeout{60000}; // one frame; the longest that any link in use should take
    bool offers_h264 = false;
    VideoFlowControl::Limits video{}; // where it is offered
};

class Viewer : public ViewerEvents, public VideoViewer {
public:
    // The limit on a viewer's messages, pings too: a token bucket of this size, and what refills it.
    static constexpr double kMessageBudget = 64;
    static constexpr double kMessagesPerSecond = 4;
    static constexpr double kMessagesPerFrame = 4;
    // Of programs, which cannot ask: those who record, and who pass it on (Home Assistant, go2rtc), cut and join at key
    // frames alone.
    static constexpr std::chrono::seconds kProgramKeyInterval{4};
    // … of MP4 that is acknowledged: a page drops what lies before a key frame, or its memory grows.
    static constexpr std::chrono::seconds kPageKeyInterval{30};

    // Scheduler, status and owner must outlive it.
    Viewer(std::shared_ptr<ViewerConnection> connection, WireFormat format, double max_fps, const ViewerLimits &limits,
           const Scheduler &scheduler, Status &status, ViewerOwner &owner);
    Viewer(const Viewer &) = delete;
    Viewer &operator=(const Viewer &) = delete;

    // Owner's side.
    void sendHello(const protocol::Hello &hello);
    void sendState(const CameraStatus &camera);
    void offer(const FramePtr &picture);
    void dropPending() { pending_.reset(); } // the stream ended: nothing old goes out later
    void checkTimeouts();                    // now and then
    void close(CloseCode code, std::string_view reason);

    [[nodiscard]] bool active() const { return !paused_ && !closing_; } // takes frames
    [[nodiscard]] double maxFps() const { return max_fps_; }            // 0: as many as there are
    [[nodiscard]] WireFormat format() const { return format_; }
    [[nodiscard]] const FlowControl &flow() const { return flow_; }
    [[nodiscard]] bool wantsPictures() const { return active() && pictures_; } // now
    [[nodiscard]] bool wantsVideo() const;                                     // H.264, or JPEGs in its place

    // VideoRungs' side.
    using VideoViewer::Time;
    [[nodiscard]] bool mayTake(Time now) const override;
    [[nodiscard]] bool canTake() const override { return active() && !writing_; }
    [[nodiscard]] std::uint32_t bitrate() const override;
    [[nodiscard]] std::chrono::steady_clock::duration transferTime(std::size_t bytes, Time now) const override;
    void sendVideo(const FramePtr &frame) override;
    [[nodiscard]] bool takesPictures() const override { return takes_jpeg_; }
    void setPictures(bool pictures) override;
    [[nodiscard]] std::chrono::seconds keyInterval() const override;
    void endVideo() override;

    // Connection's side.
    void onFrameWritten() override;
    void onText(std::string_view message) override;
    void onBinary(std::string_view message) override;
    void onPing() override;
    void onAlive() override;
    void onClosed() override;

private:
    void sendPending();
    void write(const FramePtr &frame);
    void noteSent(const StreamFrame &frame);
    void chooseCodec();
    [[nodiscard]] bool chargeMessage();
    void setPaused(bool paused);
    void handle(const protocol::Ack &ack);
    void handle(const protocol::Rate &rate);
    void handle(const protocol::Pause &) { setPaused(true); }
    void handle(const protocol::Resume &) { setPaused(false); }
    void handle(const protocol::Ping &ping);
    void handle(const protocol::Take &take);
    void handle(const protocol::Key &);
    void endConnection(CloseCode code, std::string_view reason);

    const WireFormat format_;
    const ViewerLimits limits_;
    const Scheduler &scheduler_;
    Status &status_;
    ViewerOwner &owner_;

    std::shared_ptr<ViewerConnection> connection_; // until onClosed(): connection and viewer hold each other
    FramePtr pending_;                             // the newest, not sent yet
    FramePtr writing_;
    Time write_started_{};
    bool sent_any_ = false;
    FlowControl flow_; // of pictures; picam.v1 and picam.v2 only
    // Of picam.v2 alone: all its frames.
    VideoFlowControl video_flow_;
    SentFrames sent_;
    bool takes_h264_;
    bool takes_jpeg_;
    bool pictures_;                              // is sent pictures now
    std::unique_ptr<StreamFragments> fragments_; // of H.264, where it is sent MP4
    double camera_fps_ = 0.0;
    FramePacer pacer_;
    double max_fps_;
    bool paused_ = false;
    bool closing_ = false;
    double message_budget_ = kMessageBudget;
    Time budget_at_;
    Time last_heard_;        // the last sign of life
    bool ping_open_ = false; // pinged, no answer since
    Time pinged_{};
};

} // namespace picam
