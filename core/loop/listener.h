// Listener accepts the connections of one listening unix socket. Loop thread only. All servers use it, so it is plain
// C++17 (see websocket_server.h). It closes the descriptor; it does not know what the connections carry.
#pragma once

#include "core/base/error.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace picam {

class Listener {
public:
    using Socket = boost::asio::local::stream_protocol::socket;
    using Handler = std::function<void(Socket)>;

    // Until the next attempt after an accept() that failed: "too many open files" lasts until a connection ends.
    static constexpr std::chrono::milliseconds kRetryDelay{250};
    // The send buffer of each connection. It keeps what waits in front of a slow viewer short; smaller ones cost
    // processor time.
    static constexpr int kSendBufferBytes = 64 * 1024;

    // Takes `listen_fd` over, a listening unix stream socket, and accepts from now on. `handler` is called from the
    // loop for each connection and may call stop(); it is not called after stop() or the destructor. `peer` names the
    // other side in warnings: "a viewer". The context must outlive the listener. Error kIo: no such socket.
    [[nodiscard]] static Expected<std::unique_ptr<Listener>> create(boost::asio::io_context &context, int listen_fd,
                                                                    std::string peer, Handler handler);
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;
    ~Listener();

    void stop(); // accepts no more; a second call does nothing

private:
    class State;
    explicit Listener(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace picam
