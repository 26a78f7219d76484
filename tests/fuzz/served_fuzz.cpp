// streamd's two sockets, with a hub behind them. The first byte says where the others go: to the HTTP socket, to the
// WebSocket's before the handshake, or after one of each kind. Whatever it is, the server ends the connection when the
// peer has said all, and has nobody left.
#include "tests/streamd/raw_client.h"

#include <cstdio>
#include <cstdlib>

namespace {

using picam::testing::ServedHub;

constexpr std::chrono::milliseconds kEndsWithin{10000};

int connectTo(const std::string &path)
{
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        std::abort();
    return fd;
}

std::string handshake(const std::string &target, const std::string &more)
{
    return "GET " + target + " HTTP/1.1\r\nHost: pi\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + more + "\r\n";
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    static ServedHub served;
    if (bytes == 0)
        return 0;
    std::string say;
    switch (data[0] % 4) {
    case 2:
        say = handshake("/stream", "Sec-WebSocket-Protocol: picam.v1\r\n");
        break;
    case 3:
        say = handshake("/stream?format=jpeg", "");
        break;
    default:
        break;
    }
    say.append(reinterpret_cast<const char *>(data + 1), bytes - 1);
    const int fd = connectTo(data[0] % 4 == 0 ? served.httpPath() : served.streamPath());
    static_cast<void>(!::send(fd, say.data(), say.size(), MSG_NOSIGNAL)); // it may be refused in the middle
    served.publish(100);
    ::shutdown(fd, SHUT_WR);
    pollfd wait{fd, POLLIN, 0};
    char buffer[65536];
    while (true) {
        if (::poll(&wait, 1, static_cast<int>(kEndsWithin.count())) <= 0) {
            std::fputs("the server does not end a connection whose peer has ended\n", stderr);
            std::abort();
        }
        if (::recv(fd, buffer, sizeof buffer, 0) <= 0)
            break;
    }
    ::close(fd);
    if (!served.untilAlone()) {
        std::fputs("a viewer is left whose connection has ended\n", stderr);
        std::abort();
    }
    return 0;
}
