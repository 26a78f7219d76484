#include "core/loop/event_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <utility>

namespace picam {

namespace asio = boost::asio;
using boost::system::error_code;

struct EventLoop::State {
    // One thread runs it, others only post: the hint spares the locks that more runners would need.
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    asio::signal_set signals{context};
    std::function<void()> on_signal;

    void waitSignal()
    {
        signals.async_wait([this](const error_code &error, int) {
            if (error)
                return; // cancelled: the loop is being destroyed, and `this` with it
            if (on_signal)
                on_signal();
            waitSignal();
        });
    }
};

namespace {

class LoopTimer : public Timer {
public:
    explicit LoopTimer(asio::io_context &context) : shared_(std::make_shared<Shared>(context)) {}
    LoopTimer(const LoopTimer &) = delete;
    LoopTimer &operator=(const LoopTimer &) = delete;
    ~LoopTimer() override { cancel(); }

    void start(std::chrono::steady_clock::duration delay, std::function<void()> then) override
    {
        shared_->then = std::move(then);
        const auto started = ++shared_->starts;
        shared_->timer.expires_after(delay);
        shared_->timer.async_wait([shared = shared_, started](const error_code &error) {
            // An expiry that was queued before a cancel or a new start arrives without an error.
            if (error || started != shared->starts)
                return;
            const auto call = std::exchange(shared->then, nullptr);
            call();
        });
    }

    void cancel() override
    {
        ++shared_->starts;
        shared_->then = nullptr;
        shared_->timer.cancel();
    }

private:
    struct Shared {
        explicit Shared(asio::io_context &context) : timer(context) {}
        asio::steady_timer timer;
        std::function<void()> then;
        unsigned starts = 0;
    };
    std::shared_ptr<Shared> shared_;
};

} // namespace

EventLoop::EventLoop() : state_(std::make_unique<State>()) {}

EventLoop::~EventLoop() = default;

asio::io_context &EventLoop::context()
{
    return state_->context;
}

void EventLoop::onSignals(std::function<void()> handler)
{
    state_->on_signal = std::move(handler);
    state_->signals.add(SIGTERM);
    state_->signals.add(SIGINT);
    state_->waitSignal();
}

void EventLoop::run()
{
    state_->context.run();
    // Afterwards, so that a stop() from before the next run() still counts.
    state_->context.restart();
}

void EventLoop::stop()
{
    state_->context.stop();
}

std::chrono::steady_clock::time_point EventLoop::now() const
{
    return std::chrono::steady_clock::now();
}

std::unique_ptr<Timer> EventLoop::makeTimer()
{
    return std::make_unique<LoopTimer>(state_->context);
}

void EventLoop::post(std::function<void()> work)
{
    asio::post(state_->context, std::move(work));
}

} // namespace picam
