// EventLoop is one Asio io_context that one thread runs. Everything of picam-streamd but the camera and the encoders
// runs on it, and of picam-relay but the connection to its engine. Idle, it sleeps in epoll without a timeout.
#pragma once

#include "core/loop/scheduler.h"

namespace boost::asio {
class io_context;
}

namespace picam {

class EventLoop : public Scheduler {
public:
    EventLoop();
    EventLoop(const EventLoop &) = delete;
    EventLoop &operator=(const EventLoop &) = delete;
    ~EventLoop() override;

    [[nodiscard]] boost::asio::io_context &context(); // for the transports
    // Calls `handler` at each SIGTERM and SIGINT, on the loop.
    void onSignals(std::function<void()> handler);
    // Until stop(); may run again then. An exception of a handler passes through.
    void run();
    void stop(); // any thread

    [[nodiscard]] std::chrono::steady_clock::time_point now() const override;
    [[nodiscard]] std::unique_ptr<Timer> makeTimer() override;
    void post(std::function<void()> work) override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace picam
