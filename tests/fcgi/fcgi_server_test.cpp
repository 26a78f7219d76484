// The server with real sockets: how it accepts, stops, and bears being out of descriptors.
#include "fcgi/fcgi_server.h"

#include "core/base/file_descriptor.h"
#include "core/base/listen_socket.h"
#include "tests/fakes/temp_dir.h"

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

namespace picam {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// BEGIN_REQUEST, REQUEST_METHOD=GET, the end of the parameters.
std::string request()
{
    const std::string pair = std::string("\x0e\x03", 2) + "REQUEST_METHODGET";
    return std::string("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16) + std::string("\1\4\0\1\0", 5) +
           static_cast<char>(pair.size()) + std::string("\0\0", 2) + pair + std::string("\1\4\0\1\0\0\0\0", 8);
}

FileDescriptor makeClient()
{
    return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool ask(const FileDescriptor &client, const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const std::string bytes = request();
    return ::connect(client.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0 &&
           ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// What comes until the server hangs up or the time is over.
std::string answer(const FileDescriptor &client, std::chrono::milliseconds time)
{
    const auto deadline = steady_clock::now() + time;
    std::string all;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
        pollfd waited{client.get(), POLLIN, 0};
        if (left <= 0 || ::poll(&waited, 1, static_cast<int>(left)) <= 0)
            return all;
        std::array<char, 1000> part{};
        const ssize_t got = ::recv(client.get(), part.data(), part.size(), 0);
        if (got <= 0)
            return all;
        all.append(part.data(), static_cast<std::size_t>(got));
    }
}

StillResponse hello()
{
    StillResponse response;
    response.head = "Status: 200 OK\r\n\r\n";
    response.text = "hello\n";
    return response;
}

bool isHello(const std::string &bytes)
{
    return bytes.find("Status: 200 OK") != std::string::npos && bytes.find("hello\n") != std::string::npos;
}

std::chrono::nanoseconds cpuTime()
{
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// No further descriptor can be opened until free(), or until the object goes.
class NoDescriptorsLeft {
public:
    NoDescriptorsLeft()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        taken_.emplace_back(lowest);
        rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest) + 1;
        ::setrlimit(RLIMIT_NOFILE, &limit); // numbers above, which are in use, stay so
    }
    NoDescriptorsLeft(const NoDescriptorsLeft &) = delete;
    NoDescriptorsLeft &operator=(const NoDescriptorsLeft &) = delete;
    ~NoDescriptorsLeft() { free(); }
    void free()
    {
        ::setrlimit(RLIMIT_NOFILE, &before_);
        taken_.clear();
    }

private:
    rlimit before_{};
    std::vector<FileDescriptor> taken_;
};

class FcgiServerTest : public ::testing::Test {
protected:
    const testing::TempDir dir_;
    const std::string path_ = dir_.file("s");
    const ListenSocket socket_ = ListenSocket::open(path_, true).value();
};

TEST_F(FcgiServerTest, Answers)
{
    const auto server = FcgiServer::create(socket_.fd(), 2, [](const StillRequest &still) {
        EXPECT_EQ(still.method, "GET");
        return hello();
    });
    ASSERT_TRUE(server);
    for (int i = 0; i < 20; ++i) {
        const FileDescriptor client = makeClient();
        ASSERT_TRUE(ask(client, path_));
        ASSERT_TRUE(isHello(answer(client, 20s))) << i;
    }
}

// Each request brings the next before it is answered: there is always one to accept.
TEST_F(FcgiServerTest, StopsUnderSteadyLoad)
{
    const auto deadline = steady_clock::now() + 10s; // then the load ends, so that the test does
    std::atomic<bool> load_ended{false};
    std::atomic<int> served{0};
    FileDescriptor last;
    auto server = FcgiServer::create(socket_.fd(), 1, [&](const StillRequest &) {
        ++served;
        served.notify_one();
        if (steady_clock::now() < deadline) {
            last = makeClient();
            EXPECT_TRUE(ask(last, path_));
        } else {
            load_ended = true;
        }
        return hello();
    });
    ASSERT_TRUE(server);
    const FileDescriptor client = makeClient();
    ASSERT_TRUE(ask(client, path_));
    served.wait(0);
    server->reset();
    EXPECT_FALSE(load_ended) << "it served as long as somebody asked";
    EXPECT_GE(served, 1);
}

TEST_F(FcgiServerTest, OutOfDescriptorsItWaitsAndServesAgain)
{
    std::atomic<int> served{0};
    const auto server = FcgiServer::create(socket_.fd(), 1, [&](const StillRequest &) {
        ++served;
        return hello();
    });
    ASSERT_TRUE(server);
    {
        const FileDescriptor first = makeClient();
        ASSERT_TRUE(ask(first, path_));
        ASSERT_TRUE(isHello(answer(first, 20s))); // the server has all that it needs
    }
    const FileDescriptor client = makeClient();
    NoDescriptorsLeft none;
    ASSERT_FALSE(makeClient());
    ASSERT_TRUE(ask(client, path_));
    const auto before = cpuTime();
    EXPECT_EQ(answer(client, 1s), "");
    EXPECT_LT(cpuTime() - before, 200ms) << "it does not wait";
    EXPECT_EQ(served, 1);
    none.free();
    EXPECT_TRUE(isHello(answer(client, 20s)));
}

TEST_F(FcgiServerTest, OutOfDescriptorsItStops)
{
    auto server = FcgiServer::create(socket_.fd(), 1, [](const StillRequest &) { return hello(); });
    ASSERT_TRUE(server);
    const FileDescriptor first = makeClient();
    ASSERT_TRUE(ask(first, path_));
    ASSERT_TRUE(isHello(answer(first, 20s)));
    const FileDescriptor client = makeClient();
    const NoDescriptorsLeft none;
    ASSERT_TRUE(ask(client, path_));
    server->reset(); // ends, or the test's time does
    EXPECT_EQ(answer(client, 0ms), "");
}

} // namespace
} // namespace picam
