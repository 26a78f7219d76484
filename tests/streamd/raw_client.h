// A client on a unix socket that says exactly the bytes the test wants, and a hub on a loop of its own for it to talk
// to. Everything waits for a condition, with a deadline; nothing sleeps.
#pragma once

#include "core/base/listen_socket.h"
#include "core/loop/event_loop.h"
#include "streamd/viewers/hub.h"
#include "streamd/web/http_server.h"
#include "streamd/web/websocket_server.h"
#include "tests/fakes/temp_dir.h"
#include "tests/streamd/controls/served_controls.h"
#include "tests/streamd/fakes.h"

#include <cerrno>
#include <cstring>
#include <future>
#include <gtest/gtest.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace picam::testing {

constexpr std::chrono::seconds kDeadline{20};

class RawClient {
public:
    explicit RawClient(const std::string &path, int receive_buffer = 0)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        if (receive_buffer > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        if (::connect(fd_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
            ADD_FAILURE() << "connect: " << std::strerror(errno);
    }
    RawClient(const RawClient &) = delete;
    RawClient &operator=(const RawClient &) = delete;
    ~RawClient() { ::close(fd_); }

    // False: the other side has closed.
    bool send(const std::string &bytes) const
    {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
            if (n <= 0)
                return false;
            done += static_cast<std::size_t>(n);
        }
        return true;
    }
    bool sendByteByByte(const std::string &bytes) const
    {
        for (const char c : bytes)
            if (!send(std::string(1, c)))
                return false;
        return true;
    }

    // Reads more into `received`; false: the other side has closed, or the deadline passed.
    bool readMore()
    {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) <= 0) {
            ADD_FAILURE() << "nothing came within the deadline";
            return false;
        }
        char buffer[65536];
        const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0)
            return false;
        received.append(buffer, static_cast<std::size_t>(n));
        return true;
    }
    // Takes everything up to and with `end` off; what there is where the other side closes first.
    std::string readThrough(const std::string &end)
    {
        std::size_t at = 0;
        while ((at = received.find(end)) == std::string::npos)
            if (!readMore())
                return std::exchange(received, {});
        return take(at + end.size());
    }
    std::string readBytes(std::size_t count)
    {
        while (received.size() < count)
            if (!readMore())
                return std::exchange(received, {});
        return take(count);
    }
    // Everything until the other side closes.
    std::string readAll()
    {
        while (readMore()) {
        }
        return std::exchange(received, {});
    }
    std::string take(std::size_t count)
    {
        std::string head = received.substr(0, count);
        received.erase(0, count);
        return head;
    }

    std::string received;

private:
    const int fd_;
};

// The servers with a real hub behind them, on a loop in a thread.
class ServedHub {
public:
    explicit ServedHub(std::uint32_t max_viewers = 20)
    {
        HubOptions options;
        options.hello = {"1.0", "pi", {64, 48}, 30.0, false};
        options.max_viewers = max_viewers;
        options.viewer.offers_h264 = options.hello.h264 = true;
        options.viewer.video = linkLimits(options.hello.size, {});
        hub_ = std::make_unique<Hub>(loop_, camera_, video_, status_, options);
        sockets_ = WebSocketServer::create(loop_.context(), stream_socket_.release(), *hub_, access_,
                                           {"https://friend.example"})
                       .value();
        web_ = HttpServer::create(loop_.context(), http_socket_.release(), *hub_, status_, access_, *controls.http,
                                  {"https://friend.example"})
                   .value();
        thread_ = std::thread([this] { loop_.run(); });
    }
    ServedHub(const ServedHub &) = delete;
    ServedHub &operator=(const ServedHub &) = delete;
    ~ServedHub()
    {
        loop_.stop();
        thread_.join();
    }

    [[nodiscard]] std::string streamPath() const { return dir_.file("ws"); }
    [[nodiscard]] std::string httpPath() const { return dir_.file("http"); }

    // Runs `call` on the loop and waits for what it gives.
    template <class Call>
    auto onLoop(Call call) -> decltype(call())
    {
        std::packaged_task<decltype(call())()> task(std::move(call));
        auto result = task.get_future();
        loop_.post([&task] { task(); });
        return result.get();
    }
    // Waits until `condition` holds on the loop.
    template <class Condition>
    [[nodiscard]] bool until(Condition condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (std::chrono::steady_clock::now() < deadline) {
            if (onLoop(condition))
                return true;
            std::this_thread::yield();
        }
        return false;
    }
    [[nodiscard]] bool untilViewers(std::size_t count)
    {
        return until([this, count] { return hub_->viewerCount() == count; });
    }
    // Until no connection of either kind is left.
    [[nodiscard]] bool untilAlone()
    {
        return until([this] {
            return hub_->viewerCount() == 0 && sockets_->connectionCount() == 0 && web_->connectionCount() == 0;
        });
    }
    PicturePtr publish(std::size_t bytes = 1000)
    {
        return onLoop([this, bytes] {
            auto picture = makePicture(++sequence_, loop_.now(), bytes);
            hub_->onPicture(picture);
            return picture;
        });
    }
    void setCamera(const CameraStatus &camera)
    {
        onLoop([&] { hub_->onCameraStatus(camera); });
    }
    [[nodiscard]] StatusValues values() const { return status_.values(loop_.now()); }
    [[nodiscard]] Hub &hub() { return *hub_; } // on the loop only
    void stopAccepting()
    {
        onLoop([this] {
            sockets_->stopAccepting();
            web_->stopAccepting();
        });
    }

    ServedControls controls; // on the loop only

private:
    TempDir dir_;
    ListenSocket stream_socket_ = ListenSocket::open(streamPath(), true).value(); // the names
    ListenSocket http_socket_ = ListenSocket::open(httpPath(), true).value();
    EventLoop loop_;
    FakeSwitch camera_;
    FakeVideo video_;
    Status status_{"1.0", "pi", loop_.now()};
    std::uint64_t sequence_ = 0;
    std::unique_ptr<Hub> hub_;
    Access access_{[this] { hub_->closeViewers(CloseCode::kTryAgainLater, Access::kReason); }};
    std::unique_ptr<WebSocketServer> sockets_;
    std::unique_ptr<HttpServer> web_;
    std::thread thread_;
};

[[nodiscard]] inline std::size_t openDescriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

} // namespace picam::testing
