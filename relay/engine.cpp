#include "relay/engine.h"

#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/thread_annotations.h"
#include "relay/engine_watch.h"
#include "relay/nats_connection.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <fmt/format.h>
#include <map>
#include <random>
#include <thread>
#include <utility>

namespace picam {
namespace {

// A server that says nothing during TLS is waited for without an end: libnats 3.4 has no time limit there.
constexpr std::chrono::seconds kMaxConnecting{60};
constexpr std::chrono::seconds kMaxEnding{5};
constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kMaxPause{5000};
constexpr std::chrono::seconds kShortLife{1}; // a connection that ends earlier counts for none
constexpr std::size_t kTokenBytes = 8;
// What waits for the loop: whoever floods it loses the rest.
constexpr int kMaxUnhandled = 1000; // messages
constexpr std::size_t kMaxUnhandledBytes = std::size_t{64} << 20U;

std::uint64_t randomNumber()
{
    std::random_device random;
    return std::uint64_t{random()} << 32U | random();
}

} // namespace

class Engine::State : public std::enable_shared_from_this<State>, private NatsConnectionEvents {
public:
    using Work = std::function<void(NatsConnection &)>;

    State(Scheduler &scheduler, EngineOptions options, EngineEvents &events)
        : options_(std::move(options)), queue_(fmt::format("{:016x}", randomNumber())), scheduler_(scheduler),
          events_(&events), watch_(randomNumber()), watch_timer_(scheduler.makeTimer()),
          connect_timer_(scheduler.makeTimer())
    {
        addTopic(options_.echo_subject, Topic::Kind::kAlways, [this](const Message &message) { noteEcho(message); });
    }

    void addTopic(std::string subject, Topic::Kind kind, Handler handler)
    {
        topics_.push_back(std::make_unique<Topic>(Topic{*this, std::move(subject), kind, std::move(handler)}));
    }

    void start()
    {
        thread_ = std::thread([this] {
            try {
                run();
                const MutexLock lock(mutex_);
                ended_ = true;
                changed_.notify_all();
            } catch (const std::exception &error) {
                log::error("the engine's thread failed: {}", error.what());
                std::_Exit(EXIT_FAILURE);
            }
        });
    }

    void end()
    {
        events_ = nullptr;
        watch_timer_.reset();
        connect_timer_.reset();
        {
            const MutexLock lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (!thread_.joinable())
            return;
        if (!hasEnded()) {
            log::warning("stopped while {}", is_connecting_ ? "a server of the engine neither let in nor refused"
                                                            : "the engine took nothing any more");
            std::_Exit(EXIT_SUCCESS);
        }
        thread_.join();
        if (!endNats()) { // else none of its threads calls back afterwards
            log::warning("stopped while libnats did not end");
            std::_Exit(EXIT_SUCCESS);
        }
    }

    void post(Work work)
    {
        if (!connected_)
            return;
        {
            const MutexLock lock(mutex_);
            work_.push_back({connection_number_, std::move(work)});
        }
        changed_.notify_all();
    }

    void setListening(bool listening)
    {
        {
            const MutexLock lock(mutex_);
            listening_ = listening;
        }
        changed_.notify_all();
    }

    void setCredits(unsigned credits)
    {
        {
            const MutexLock lock(mutex_);
            credits_ = credits;
        }
        changed_.notify_all();
    }

    std::uint64_t echo()
    {
        const std::uint64_t token = watch_.sent(scheduler_.now());
        post([subject = options_.echo_subject, token](NatsConnection &connection) {
            std::array<std::uint8_t, kTokenBytes> bytes{};
            for (std::size_t i = 0; i < bytes.size(); ++i)
                bytes[i] = static_cast<std::uint8_t>(token >> (8 * (kTokenBytes - 1 - i)));
            connection.publish(subject, bytes.data(), bytes.size());
        });
        return token;
    }

    void setWatched(bool watched)
    {
        if (watched != std::exchange(watched_, watched))
            lookAtWatch();
    }

    [[nodiscard]] bool isConnected() const { return connected_; }
    [[nodiscard]] const std::string &server() const { return server_; }
    [[nodiscard]] std::size_t maxPayload() const { return connected_ ? max_payload_ : 0; }

private:
    struct Queued {
        std::uint64_t connection_number;
        Work work;
    };
    // --- the loop's thread

    // From any thread; `function` is not called once the Engine has ended.
    template <class Function>
    void onLoop(Function function)
    {
        scheduler_.post([weak = weak_from_this(), function = std::move(function)] {
            const auto self = weak.lock();
            if (self && self->events_ != nullptr)
                function(*self);
        });
    }

    void noteEcho(const Message &message)
    {
        if (message.data.size() != kTokenBytes)
            return;
        std::uint64_t token = 0;
        for (const std::uint8_t byte : message.data)
            token = token << 8U | byte;
        if (!watch_.echoed(token, scheduler_.now()))
            return;
        noteTimeout();
        events_->onEcho(token);
    }

    void noteTimeout() { write_deadline_ = std::chrono::duration_cast<std::chrono::milliseconds>(watch_.timeout()); }

    void noteConnected(const std::string &server, std::size_t max_payload, std::uint64_t number)
    {
        log::info("connected to the engine {}", server);
        connected_ = true;
        connection_number_ = number;
        server_ = server;
        max_payload_ = max_payload;
        lost_reason_.clear();
        lost_reasons_.clear();
        connect_timer_->cancel();
        watch_.reset();
        lookAtWatch();
        events_->onEngineConnected();
    }

    void noteLost(const std::string &server, const std::string &why)
    {
        server_ = server;
        connect_timer_->cancel();
        std::string &last = lost_reasons_[server];
        if (!connected_ && last == why)
            return;
        last = why;
        connected_ = false;
        lost_reason_ = fmt::format("{}: {}", server, why);
        log::warning("no connection to the engine {}", lost_reason_);
        events_->onEngineLost(lost_reason_);
    }

    void noteConnecting()
    {
        connect_timer_->start(kMaxConnecting, [] { giveUp("a server of the engine neither lets in nor refuses"); });
    }

    void lookAtWatch()
    {
        if (!watched_ || !connected_)
            return watch_timer_->cancel();
        const auto next = watch_.next(scheduler_.now());
        if (next == EngineWatch::Next::kAsk)
            echo();
        if (next == EngineWatch::Next::kGiveUp) {
            watch_.gaveUp();
            watch_.reset();
            noteTimeout();
            {
                const MutexLock lock(mutex_);
                given_up_ = connection_number_;
            }
            changed_.notify_all();
        }
        watch_timer_->start(EngineWatch::kInterval, [this] { lookAtWatch(); });
    }

    // --- threads of libnats

    void onMessage(Topic &topic, std::shared_ptr<natsMsg> message) override
    {
        const auto bytes = static_cast<std::size_t>(natsMsg_GetDataLength(message.get()));
        const bool many = unhandled_.fetch_add(1) >= kMaxUnhandled;
        if (unhandled_bytes_.fetch_add(bytes) > kMaxUnhandledBytes || many) {
            unhandled_.fetch_sub(1);
            unhandled_bytes_.fetch_sub(bytes);
            return;
        }
        onLoop([&topic, bytes, message = std::move(message)](State &self) {
            self.unhandled_.fetch_sub(1);
            self.unhandled_bytes_.fetch_sub(bytes);
            const char *reply = natsMsg_GetReply(message.get());
            const auto *data = reinterpret_cast<const std::uint8_t *>(natsMsg_GetData(message.get()));
            topic.handler({{data, bytes},
                           reply == nullptr ? std::string() : reply,
                           natsMsg_IsNoResponders(message.get()),
                           message});
        });
    }

    void onCreditUsed(natsSubscription *credit) override
    {
        {
            const MutexLock lock(mutex_);
            used_.push_back(credit);
        }
        changed_.notify_all();
    }

    void onClosed() override
    {
        {
            const MutexLock lock(mutex_);
            closed_ = true; // one of them, perhaps one of before
        }
        changed_.notify_all();
    }

    // --- the Engine's thread

    // Until the connection ends: why.
    std::string serve(NatsConnection &connection, std::uint64_t number)
    {
        while (true) {
            std::deque<Queued> work;
            std::vector<natsSubscription *> used;
            unsigned credits = 0;
            bool listening = false;
            bool closed = false;
            {
                UniqueLock lock(mutex_);
                while (!stopping_ && !closed_ && given_up_ != number && work_.empty() && used_.empty() &&
                       credits_ == connection.credits() && listening_ == connection.isListening())
                    changed_.wait(lock.native());
                if (stopping_)
                    return "stopping";
                if (given_up_ == number)
                    return "it does not answer";
                closed = std::exchange(closed_, false);
                work.swap(work_);
                used.swap(used_);
                credits = credits_;
                listening = listening_;
            }
            if ((closed && connection.isClosed()) || !connection.setListening(listening) ||
                !connection.setCredits(used, credits))
                break;
            for (const auto &queued : work)
                if (queued.connection_number == number && !isOver(number))
                    queued.work(connection);
        }
        auto end = connection.end();
        if (end.late) {
            write_deadline_ = std::min<std::chrono::milliseconds>(2 * write_deadline_.load(), EngineWatch::kMaxTimeout);
            onLoop([](State &self) { self.watch_.gaveUp(); });
        }
        return std::move(end.reason);
    }

    // What a connection has left behind is nothing to the next one.
    void forget()
    {
        const MutexLock lock(mutex_);
        used_.clear();
        work_.clear();
    }

    void run()
    {
        std::size_t at = static_cast<std::size_t>(randomNumber() % options_.servers.size());
        std::size_t failures = 0;
        auto pause = kFirstPause;
        std::uint64_t number = 0;
        while (true) {
            const EngineServer &server = options_.servers[at];
            at = (at + 1) % options_.servers.size();
            const auto begun = std::chrono::steady_clock::now();
            onLoop([](State &self) { self.noteConnecting(); });
            is_connecting_ = true;
            auto connection =
                NatsConnection::connect(server, {options_, topics_, queue_, write_deadline_.load()}, *this);
            is_connecting_ = false;
            std::string reason;
            if (connection) {
                onLoop([url = server.url, number = ++number, max = (*connection)->maxPayload()](State &self) {
                    self.noteConnected(url, max, number);
                });
                reason = serve(**connection, number);
                connection->reset();
            } else {
                reason = std::move(connection.error().message);
            }
            forget();
            if (isStopping())
                return;
            onLoop([url = server.url, reason](State &self) { self.noteLost(url, reason); });
            if (connection && std::chrono::steady_clock::now() - begun >= kShortLife) {
                failures = 0;
                pause = kFirstPause;
                continue;
            }
            if (++failures % options_.servers.size() == 0) { // none of them
                waitFor(pause);
                pause = std::min(2 * pause, kMaxPause);
            }
        }
    }

    // What is left to do for this connection is for nobody.
    [[nodiscard]] bool isOver(std::uint64_t number)
    {
        const MutexLock lock(mutex_);
        return stopping_ || given_up_ == number;
    }

    // The loop's thread. False: not in kMaxEnding.
    [[nodiscard]] bool hasEnded()
    {
        const auto until = std::chrono::steady_clock::now() + kMaxEnding;
        UniqueLock lock(mutex_);
        while (!ended_ && changed_.wait_until(lock.native(), until) == std::cv_status::no_timeout)
            ;
        return ended_;
    }

    [[nodiscard]] bool isStopping()
    {
        const MutexLock lock(mutex_);
        return stopping_;
    }

    // A half of `pause` to all of it: many who have lost one server do not come back at the same moment.
    void waitFor(std::chrono::milliseconds pause)
    {
        const auto least = pause.count() / 2;
        const std::chrono::milliseconds wait(least + static_cast<std::int64_t>(randomNumber() % 1000) * least / 1000);
        const auto until = std::chrono::steady_clock::now() + wait;
        UniqueLock lock(mutex_);
        while (!stopping_ && changed_.wait_until(lock.native(), until) == std::cv_status::no_timeout)
            ;
    }

    const EngineOptions options_;
    const std::string queue_;
    std::vector<std::unique_ptr<Topic>> topics_; // constant once the thread runs

    // The loop's thread.
    Scheduler &scheduler_;
    EngineEvents *events_; // null: ended
    EngineWatch watch_;
    std::unique_ptr<Timer> watch_timer_;
    std::unique_ptr<Timer> connect_timer_;
    bool watched_ = false;
    bool connected_ = false;
    std::uint64_t connection_number_ = 0;
    std::string server_;
    std::string lost_reason_;
    std::map<std::string, std::string> lost_reasons_; // by server, since the last connection
    std::size_t max_payload_ = 0;

    std::atomic<bool> is_connecting_{false};
    // Of one message of the next connection: what the watch has learned of this link.
    std::atomic<std::chrono::milliseconds> write_deadline_{EngineWatch::kTimeout};
    std::atomic<int> unhandled_{0};
    std::atomic<std::size_t> unhandled_bytes_{0};

    Mutex mutex_;
    std::condition_variable changed_;
    std::deque<Queued> work_ PICAM_GUARDED_BY(mutex_);
    std::vector<natsSubscription *> used_ PICAM_GUARDED_BY(mutex_); // credits whose message has come
    bool listening_ PICAM_GUARDED_BY(mutex_) = false;
    unsigned credits_ PICAM_GUARDED_BY(mutex_) = 0;
    std::uint64_t given_up_ PICAM_GUARDED_BY(mutex_) = 0; // the number of that connection
    bool closed_ PICAM_GUARDED_BY(mutex_) = false;
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    bool ended_ PICAM_GUARDED_BY(mutex_) = false; // the thread
    std::thread thread_;
};

Engine::Engine(Scheduler &scheduler, EngineOptions options, EngineEvents &events)
    : state_(std::make_shared<State>(scheduler, std::move(options), events))
{
}

Engine::~Engine()
{
    state_->end();
}

void Engine::subscribe(std::string subject, Handler handler)
{
    state_->addTopic(std::move(subject), Topic::Kind::kAlways, std::move(handler));
}

void Engine::subscribeAtTimes(std::string subject, Handler handler)
{
    state_->addTopic(std::move(subject), Topic::Kind::kAtTimes, std::move(handler));
}

void Engine::subscribeByCredits(std::string subject, Handler handler)
{
    state_->addTopic(std::move(subject), Topic::Kind::kByCredits, std::move(handler));
}

void Engine::start()
{
    state_->start();
}

void Engine::setListening(bool listening)
{
    state_->setListening(listening);
}

void Engine::setCredits(unsigned credits)
{
    state_->setCredits(credits);
}

void Engine::publish(std::string subject, std::shared_ptr<const Bytes> bytes, std::string reply)
{
    state_->post([subject = std::move(subject), bytes = std::move(bytes), reply = std::move(reply)](
                     NatsConnection &connection) { connection.publish(subject, bytes->data(), bytes->size(), reply); });
}

void Engine::publish(std::string subject, std::string_view text, std::string reply)
{
    publish(std::move(subject), std::make_shared<const Bytes>(text.begin(), text.end()), std::move(reply));
}

std::uint64_t Engine::echo()
{
    return state_->echo();
}

void Engine::watch(bool watched)
{
    state_->setWatched(watched);
}

bool Engine::isConnected() const
{
    return state_->isConnected();
}

const std::string &Engine::server() const
{
    return state_->server();
}

std::size_t Engine::maxPayload() const
{
    return state_->maxPayload();
}

} // namespace picam
