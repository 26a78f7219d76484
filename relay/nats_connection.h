// NatsConnection is a connection to one server of the message bus, by libnats: its settings and its login, what it
// hears, what it publishes. The Engine's own, which decides when there is one, and to whom; of its thread, but for the
// events, which come by threads of libnats. With its .cpp and engine.cpp all that knows libnats.
#pragma once

#include "core/base/error.h"
#include "relay/engine.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nats/nats.h>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct Topic;

// Any thread. They may still come while the connection ends, and a moment longer.
class NatsConnectionEvents {
public:
    virtual ~NatsConnectionEvents() = default;
    virtual void onMessage(Topic &topic, std::shared_ptr<natsMsg> message) = 0;
    virtual void onCreditUsed(natsSubscription *credit) = 0;
    virtual void onClosed() = 0; // a connection, perhaps the one before
};

// What is heard, and when. It has to outlive libnats' threads.
struct Topic {
    enum class Kind : std::uint8_t { kAlways, kAtTimes, kByCredits };

    NatsConnectionEvents &events;
    std::string subject;
    Kind kind;
    Engine::Handler handler;
};

struct NatsConnectionOptions {
    const EngineOptions &engine;
    const std::vector<std::unique_ptr<Topic>> &topics; // kAlways are heard from the beginning
    std::string queue;                                 // the group of its credits
    std::chrono::milliseconds write_deadline{0};       // of one message
};

class NatsConnection {
public:
    // Waits for the server's greeting, TLS and login. Error kIo: in the server's words, or libnats'.
    [[nodiscard]] static Expected<std::unique_ptr<NatsConnection>>
    connect(const EngineServer &server, const NatsConnectionOptions &options, NatsConnectionEvents &events);
    NatsConnection(const NatsConnection &) = delete;
    NatsConnection &operator=(const NatsConnection &) = delete;
    ~NatsConnection();

    // May wait for the link. What it cannot send ends the connection, which is an event.
    void publish(const std::string &subject, const void *data, std::size_t bytes, const std::string &reply = {});
    // To the topics that are heard at times. False: the connection has ended.
    [[nodiscard]] bool setListening(bool listening);
    // Takes those away whose message has come, and makes or ends others. False: the connection has ended.
    [[nodiscard]] bool setCredits(const std::vector<natsSubscription *> &used, unsigned credits);

    [[nodiscard]] bool isListening() const { return listening_; }
    [[nodiscard]] std::size_t credits() const { return credits_.size(); }
    [[nodiscard]] bool isClosed() const { return natsConnection_IsClosed(connection_); }
    [[nodiscard]] std::size_t maxPayload() const
    {
        return static_cast<std::size_t>(natsConnection_GetMaxPayload(connection_));
    }
    struct End {
        std::string reason;
        bool late; // a message took longer than the write deadline
    };
    // Why it ended.
    [[nodiscard]] End end() const;

private:
    NatsConnection(natsConnection *connection, const NatsConnectionOptions &options);

    natsConnection *const connection_;
    const std::vector<std::unique_ptr<Topic>> &topics_;
    const std::string queue_;
    std::vector<natsSubscription *> always_;
    std::vector<natsSubscription *> at_times_;
    std::vector<natsSubscription *> credits_; // of which no message has come, as far as is known
    bool listening_ = false;
};

// Ends libnats, with all of its threads: none calls back afterwards. A message that is let go of later is left alone.
// The loop's thread, when there is no connection. False: they did not end in time, and may still call.
[[nodiscard]] bool endNats();

} // namespace picam
