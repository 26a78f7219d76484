// Subscriber is picam-relay on an edge: it wants of a camera what the edge's own picam-streamd and picam-snapshot want
// of the feed, and hands them its pictures. The loop's thread. Their times become this machine's.
#pragma once

#include "core/loop/scheduler.h"
#include "relay/engine.h"
#include "relay/feed_server.h"
#include "relay/messages.h"
#include "relay/remote_clock.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace boost::asio {
class io_context;
}

namespace picam::relay {

struct SubscriberOptions {
    std::string camera;
    std::string inbox; // where answers go; the engine lets nobody else listen there
};

class Subscriber : private EngineEvents {
public:
    // Frames on their way from the engine: one that arrives, and one behind it.
    static constexpr unsigned kCredits = 2;
    // So long the engine may be gone, or the camera's host say nothing, before viewers hear of it.
    static constexpr std::chrono::milliseconds kLostTimeout{2500};
    // Between stills for a program that takes one after the other: a still is large.
    static constexpr std::chrono::milliseconds kMinStillInterval{1000};
    static constexpr std::chrono::seconds kStillTimeout{20};
    static constexpr std::chrono::seconds kStillRetry{2}; // after there was none

    // Takes `feed_fd`, the feed's listening socket, over. `on_status`: a line for the service manager. Context and
    // scheduler must outlive it.
    [[nodiscard]] static Expected<std::unique_ptr<Subscriber>>
    create(boost::asio::io_context &context, Scheduler &scheduler, EngineOptions engine, SubscriberOptions options,
           int feed_fd, std::function<void(const std::string &)> on_status);

private:
    using Time = std::chrono::steady_clock::time_point;

    Subscriber(Scheduler &scheduler, EngineOptions engine, SubscriberOptions options,
               std::function<void(const std::string &)> on_status);
    void onEngineConnected() override;
    void onEngineLost(const std::string &reason) override;
    void onEcho(std::uint64_t) override {}

    void onDemand();
    void renew();
    void awaitAnswer();
    void endAwaiting();
    void onAnswer(const Engine::Message &message, bool still);
    void onState(const Engine::Message &message);
    void noteState(const State &state);
    void onFrame(const Engine::Message &message);
    void askForStill();
    void noteNoStill(const std::string &reason);
    void onPart(const Engine::Message &message);
    void sayUnavailable(const std::string &reason);
    [[nodiscard]] FrameHeader translated(FrameHeader header) const;
    void sayStatus();

    Scheduler &scheduler_;
    const SubscriberOptions options_;
    const std::function<void(const std::string &)> on_status_;
    const std::string edge_; // this one's name

    std::unique_ptr<FeedServer> feed_;
    Engine engine_;
    std::string lost_reason_ = "not connected yet";
    double fps_ = 0.0; // wanted
    const std::unique_ptr<Timer> renew_timer_;
    std::uint64_t request_ = 0; // number of the last one
    Time requested_{};
    bool awaits_answer_ = false; // of a request, and lost_timer_ runs or has told
    const std::unique_ptr<Timer> lost_timer_;
    RemoteClock clock_;
    std::string boot_;
    std::string reason_; // why there is no picture, as the feed was told; empty: there is

    StillParts parts_;
    bool still_asked_ = false;
    Time still_asked_at_{};
    const std::unique_ptr<Timer> still_timer_;
    std::string status_;
};

} // namespace picam::relay
