// Engine is a connection to the message bus, nats-server: to one of its servers at a time, and to the next of the list
// when that one fails, hangs or goes away. By libnats, which nats_connection.h keeps. Calls and events belong to the
// loop's thread; what may block (connecting, publishing into a full link) is done by a thread of the Engine's own. It
// does not know what the messages mean. libnats could look for another server by itself, but has one expected name for
// all of them, and checks none without.
#pragma once

#include "core/loop/scheduler.h"
#include "relay/engine_server.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct EngineOptions {
    std::vector<EngineServer> servers;
    std::string ca_file;
    std::string nkey; // public key of the user; empty: no login
    std::string seed_file;
    std::string client_name; // for whoever looks at the server's connections
    std::string echo_subject;
};

// Calls of an Engine into its owner.
class EngineEvents {
public:
    virtual ~EngineEvents() = default;
    virtual void onEngineConnected() = 0;
    // Or could not be connected to: once for each server and reason. Nothing that was published before arrives,
    // perhaps.
    virtual void onEngineLost(const std::string &reason) = 0;
    virtual void onEcho(std::uint64_t token) = 0;
};

class Engine {
public:
    using Bytes = std::vector<std::uint8_t>;
    struct Message {
        std::span<const std::uint8_t> data;
        std::string reply;                 // where an answer is expected; empty: nowhere
        bool no_responders = false;        // the answer of the server itself: nobody hears such requests
        std::shared_ptr<const void> owner; // keeps `data` alive
    };
    using Handler = std::function<void(const Message &)>;

    // Of the server, while watched: so long without an echo and it is given up, or four times what the last one took.
    static constexpr std::chrono::milliseconds kEchoTimeout{2000};
    static constexpr std::chrono::milliseconds kEchoInterval{500};

    // Scheduler and events must outlive it. Nothing is connected before start().
    Engine(Scheduler &scheduler, EngineOptions options, EngineEvents &events);
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;
    // Ends the connection, and waits for the thread; where that hangs, the process ends.
    ~Engine();

    // Hears `subject` at each connection. REQUIRES: before start().
    void subscribe(std::string subject, Handler handler);
    // … while setListening() says so; not at first.
    void subscribeAtTimes(std::string subject, Handler handler);
    // As many messages of `subject` as setCredits() says may be on their way from the server at once: each is asked for
    // by a subscription that ends with it, in a queue group that is this Engine's alone. A server sends no more than
    // that, however slow the link. REQUIRES: before start(), and once.
    void subscribeByCredits(std::string subject, Handler handler);
    void start();

    void setListening(bool listening);
    void setCredits(unsigned credits);
    // Dropped while there is no connection. `bytes` at most maxPayload().
    void publish(std::string subject, std::shared_ptr<const Bytes> bytes, std::string reply = {});
    void publish(std::string subject, std::string_view text, std::string reply = {});
    // Asks the server for an echo, behind all that was published: onEcho() gets the token.
    std::uint64_t echo();
    // While watched, a server that does not echo is left for another one.
    void watch(bool watched);

    [[nodiscard]] bool isConnected() const;
    [[nodiscard]] const std::string &server() const; // of the connection, or the last one tried
    [[nodiscard]] std::size_t maxPayload() const;    // bytes of a message; 0: not connected

private:
    class State;
    std::shared_ptr<State> state_;
};

} // namespace picam
