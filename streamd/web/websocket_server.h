// WebSocketServer accepts WebSocket viewers on a listening unix socket. Loop thread only. The only pair that includes
// websocketpp, whose headers do not compile as C++20: this header and all that its unit includes are plain C++17.
// It checks the handshake, carries messages and packs frames; which frame a viewer gets is the viewer's decision. The
// library does the handshake, the viewers' messages and the control messages; frames go past it (frame_socket.h).
#pragma once

#include "core/base/error.h"
#include "streamd/viewers/access.h"
#include "streamd/viewers/connection.h"

#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace picam {

class WebSocketServer {
public:
    // Takes the listening descriptor over, and accepts from now on. `origins` are allowed beside the site's own. A
    // handshake for /stream-by-ticket has to offer the subprotocol picam.ticket.TICKET, with one of `access`'s, too.
    // Context, host and access must outlive the server; the host is no longer called once the server is gone.
    [[nodiscard]] static Expected<std::unique_ptr<WebSocketServer>> create(boost::asio::io_context &context,
                                                                           int listen_fd, ViewerHost &host,
                                                                           Access &access,
                                                                           std::vector<std::string> origins);
    WebSocketServer(const WebSocketServer &) = delete;
    WebSocketServer &operator=(const WebSocketServer &) = delete;
    ~WebSocketServer();

    void stopAccepting();
    [[nodiscard]] std::size_t connectionCount() const; // in the handshake too

private:
    class State;
    explicit WebSocketServer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace picam
