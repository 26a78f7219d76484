// What connection.h promises of both transports: an event comes from the loop, never from inside a call.
#include "streamd/web/http_server.h"
#include "streamd/web/websocket_server.h"
#include "tests/streamd/raw_client.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <optional>

namespace picam {
namespace {

using testing::kDeadline;
using testing::RawClient;

// Notes events that come while it calls its connection.
class WatchfulViewer : public ViewerEvents {
public:
    explicit WatchfulViewer(std::shared_ptr<ViewerConnection> of) : connection(std::move(of)) {}

    template <class Call>
    void call(Call action)
    {
        inside_ = true;
        action(*connection);
        inside_ = false;
    }
    void onFrameWritten() override { note(written); }
    void onText(std::string_view) override { note(others); }
    void onBinary(std::string_view) override { note(others); }
    void onPing() override { note(others); }
    void onAlive() override { note(others); }
    void onClosed() override
    {
        note(closed);
        connection.reset();
    }

    std::shared_ptr<ViewerConnection> connection;
    int written = 0;
    int others = 0;
    int closed = 0;
    bool early = false;

private:
    void note(int &events)
    {
        ++events;
        early = early || inside_;
    }
    bool inside_ = false;
};

class OneViewerHost : public ViewerHost {
public:
    std::shared_ptr<void> admit() override { return std::make_shared<int>(); }
    std::shared_ptr<void> admitRelay() override { return nullptr; }
    bool offersVideo() const override { return true; }
    std::shared_ptr<ViewerEvents> join(std::shared_ptr<ViewerConnection> connection, WireFormat format, double) override
    {
        viewer = std::make_shared<WatchfulViewer>(std::move(connection));
        wire_format = format;
        return viewer;
    }
    std::shared_ptr<WatchfulViewer> viewer;
    WireFormat wire_format = WireFormat::kJpeg;
};

class ConnectionContract : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        if (GetParam()) {
            sockets = WebSocketServer::create(loop.context(), socket.release(), host, access, {}).value();
            ASSERT_TRUE(client->send("GET /stream?format=jpeg HTTP/1.1\r\nHost: pi\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        } else {
            web =
                HttpServer::create(loop.context(), socket.release(), host, status, access, *controls.http, {}).value();
            ASSERT_TRUE(client->send("GET /stream.mjpg HTTP/1.1\r\nHost: pi\r\n\r\n"));
        }
        ASSERT_TRUE(runUntil([this] { return host.viewer != nullptr; }));
        viewer = host.viewer;
    }
    template <class Condition>
    bool runUntil(Condition condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (!condition())
            if (loop.context().run_one_until(deadline) == 0)
                return false;
        return true;
    }
    void send(std::size_t bytes)
    {
        jpeg.assign(bytes, 7);
        auto frame = std::make_shared<StreamFrame>();
        frame->payload = jpeg.data();
        frame->bytes = jpeg.size();
        frame->sequence = 1;
        viewer->call([&](ViewerConnection &connection) { connection.sendFrame(frame, host.wire_format); });
    }

    testing::TempDir dir;
    ListenSocket socket = ListenSocket::open(dir.file("socket"), true).value();
    EventLoop loop;
    OneViewerHost host;
    Access access{[] {}};
    Status status{"1.0", "pi", loop.now()};
    testing::ServedControls controls;
    std::unique_ptr<WebSocketServer> sockets;
    std::unique_ptr<HttpServer> web;
    std::optional<RawClient> client{std::in_place, dir.file("socket")};
    std::shared_ptr<WatchfulViewer> viewer;
    std::vector<std::uint8_t> jpeg;
};
INSTANTIATE_TEST_SUITE_P(Of, ConnectionContract, ::testing::Bool(),
                         [](const auto &transport) { return transport.param ? "WebSocket" : "Http"; });

TEST_P(ConnectionContract, AFrameThatTheKernelTakesAtOnceIsToldLater)
{
    for (int i = 1; i <= 3; ++i) {
        send(1000);
        EXPECT_EQ(viewer->written, i - 1);
        ASSERT_TRUE(runUntil([&] { return viewer->written == i; }));
    }
    EXPECT_FALSE(viewer->early);
}

TEST_P(ConnectionContract, SoIsTheEndOfAViewerInTheMiddleOfAFrame)
{
    send(2000000); // more than all buffers on the way
    viewer->call([](ViewerConnection &connection) {
        connection.ping();
        connection.sendText("{}");
        connection.close(CloseCode::kGoingAway, "bye");
    });
    EXPECT_EQ(viewer->closed, 0);
    client.reset();
    EXPECT_TRUE(runUntil([&] { return viewer->closed == 1; }));
    EXPECT_FALSE(viewer->early);
}

} // namespace
} // namespace picam
