// Publisher is picam-relay on the camera's host: it publishes each frame once, while an edge holds a lease, and stills
// on request. The loop's thread. Nothing queues: a frame is acknowledged to picam-streamd when the mark behind it has
// come back from the engine, so the flow control that picam-streamd has for each viewer sees this link's round trips; a
// still goes in parts, each when the one before has come back.
#pragma once

#include "core/image/frame_header.h"
#include "core/loop/scheduler.h"
#include "relay/engine.h"
#include "relay/leases.h"
#include "relay/messages.h"
#include "relay/still_client.h"
#include "relay/stream_client.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace boost::asio {
class io_context;
}

namespace picam::relay {

struct PublisherOptions {
    std::string camera;
    std::string stream_socket;
    std::string snapshot_socket;
};

class Publisher : private EngineEvents {
public:
    // How long picam-streamd is left alone after it has refused or gone.
    static constexpr std::chrono::milliseconds kRetryDelay{500};
    // Between two rates that picam-streamd is told: who sends many is closed there, whichever edge's fault it is.
    static constexpr std::chrono::milliseconds kRateInterval{250};
    // A part of a still shall keep the frames waiting no longer than this; by that its size goes.
    static constexpr std::chrono::milliseconds kPartTime{100};
    static constexpr std::size_t kMinPartBytes = std::size_t{8} << 10U;

    // `on_status`: a line for the service manager. Context and scheduler must outlive it.
    Publisher(boost::asio::io_context &context, Scheduler &scheduler, EngineOptions engine, PublisherOptions options,
              std::function<void(const std::string &)> on_status);

private:
    struct InFlight {
        std::uint64_t token;
        FrameHeader header;
    };
    struct SendingStill {
        StillPicture picture;
        FrameHeader header;
        std::size_t sent = 0;
        std::uint64_t token = 0; // of the last part
        Leases::Time sent_at{};
    };

    void onEngineConnected() override;
    void onEngineLost(const std::string &reason) override;
    void onEcho(std::uint64_t token) override;

    void onWant(const Engine::Message &message);
    void onStillRequest(const Engine::Message &message);
    void lookAtDemand();
    void openStream(double fps);
    void tellRate();
    void onFrame(const FrameHeader &header, std::shared_ptr<const Engine::Bytes> message);
    void acknowledgeAll();
    void sayState();
    void answer(const std::string &reply, const State &state, std::uint64_t t);
    void sendStill();
    void onStill(Expected<StillPicture> still);
    void endStill();
    void sayStatus();

    boost::asio::io_context &context_;
    Scheduler &scheduler_;
    const PublisherOptions options_;
    const std::string frame_subject_;
    const std::function<void(const std::string &)> on_status_;
    const std::string boot_;

    Engine engine_;
    std::string lost_reason_ = "not connected yet";
    Leases leases_;
    const std::unique_ptr<Timer> lease_timer_;
    std::unique_ptr<StreamClient> stream_;
    double stream_fps_ = 0.0; // that picam-streamd was told
    Leases::Time rate_at_{};  // … when
    const std::unique_ptr<Timer> rate_timer_;
    const std::unique_ptr<Timer> retry_timer_;
    bool resting_ = false; // picam-streamd is left alone
    std::deque<InFlight> in_flight_;
    State stream_state_;        // as picam-streamd says
    std::string too_large_;     // the last frame was: why it is not published
    std::optional<State> said_; // to the edges of this connection

    std::unique_ptr<StillClient> still_client_;
    std::optional<SendingStill> still_;
    bool still_again_ = false; // asked for when the parts had begun
    std::size_t part_bytes_ = kMaxPartBytes;
    std::uint64_t still_sequence_ = 0;
    std::string status_;
};

} // namespace picam::relay
