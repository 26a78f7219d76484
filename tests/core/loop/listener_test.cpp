#include "core/loop/listener.h"

#include "core/base/listen_socket.h"
#include "tests/fakes/temp_dir.h"
#include "tests/streamd/raw_client.h"

#include <gtest/gtest.h>
#include <optional>
#include <sys/resource.h>

namespace picam {
namespace {

using testing::kDeadline;
using testing::RawClient;

// The process may open nothing more while it lives.
class NoMoreFiles {
public:
    NoMoreFiles()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    NoMoreFiles(const NoMoreFiles &) = delete;
    NoMoreFiles &operator=(const NoMoreFiles &) = delete;
    ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

class ListenerTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        auto socket = ListenSocket::open(path, true);
        ASSERT_TRUE(socket);
        socket_.emplace(std::move(*socket));
        auto created = Listener::create(context, socket_->release(), "a test", [this](Listener::Socket connection) {
            accepted.push_back(std::move(connection));
        });
        ASSERT_TRUE(created);
        listener = std::move(*created);
    }
    // Runs the loop until so many connections have come.
    bool runUntil(std::size_t connections)
    {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (accepted.size() < connections && context.run_one_until(deadline) > 0) {
        }
        return accepted.size() == connections;
    }

    testing::TempDir dir;
    const std::string path = dir.path() + "/listener.sock";
    boost::asio::io_context context;
    std::optional<ListenSocket> socket_;
    std::vector<Listener::Socket> accepted;
    std::unique_ptr<Listener> listener;
};

TEST_F(ListenerTest, AcceptsOneAfterAnotherWithASmallSendBuffer)
{
    const RawClient one(path);
    const RawClient two(path);
    ASSERT_TRUE(runUntil(2));
    boost::asio::socket_base::send_buffer_size size;
    accepted[0].get_option(size);
    EXPECT_EQ(size.value(), Listener::kSendBufferBytes);
}

TEST_F(ListenerTest, TriesAgainAfterTooManyOpenFilesAndDoesNotSpin)
{
    const RawClient client(path);
    {
        const NoMoreFiles limit;
        const auto begun = std::chrono::steady_clock::now();
        // An attempt that fails, the wait, another one, the wait: four handlers, and two whole waits between them.
        for (int i = 0; i < 4; ++i)
            ASSERT_EQ(context.run_one_until(begun + kDeadline), 1U);
        EXPECT_GE(std::chrono::steady_clock::now() - begun, 2 * Listener::kRetryDelay);
        EXPECT_TRUE(accepted.empty());
    }
    EXPECT_TRUE(runUntil(1));
}

TEST_F(ListenerTest, AcceptsNobodyOnceStopped)
{
    const RawClient client(path);
    listener->stop();
    listener->stop();
    context.run(); // ends: nothing is left to wait for
    EXPECT_TRUE(accepted.empty());
}

TEST_F(ListenerTest, StoppedWhileItWaitsToTryAgainItEnds)
{
    const RawClient client(path);
    const NoMoreFiles limit;
    ASSERT_EQ(context.run_one(), 1U);
    listener.reset();
    context.run();
    EXPECT_TRUE(accepted.empty());
}

TEST_F(ListenerTest, TheHandlerMayStopIt)
{
    const RawClient one(path);
    const RawClient two(path);
    auto other = ListenSocket::open(dir.path() + "/other.sock", true);
    ASSERT_TRUE(other);
    int calls = 0;
    std::unique_ptr<Listener> stopping;
    auto created = Listener::create(context, other->release(), "a test", [&](const Listener::Socket &) {
        ++calls;
        stopping->stop();
    });
    ASSERT_TRUE(created);
    stopping = std::move(*created);
    const RawClient three(dir.path() + "/other.sock");
    const RawClient four(dir.path() + "/other.sock");
    ASSERT_TRUE(runUntil(2));
    listener->stop();
    context.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(ListenerTest, RefusesWhatIsNoSocket)
{
    const auto created = Listener::create(context, -1, "a test", [](const Listener::Socket &) {});
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind, ErrorKind::kIo);
}

} // namespace
} // namespace picam
