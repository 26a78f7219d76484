#include "core/base/listen_socket.h"

#include "tests/fakes/temp_dir.h"

#include <barrier>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <vector>

namespace picam {
namespace {

using testing::TempDir;

TEST(ListenSocket, IsForOwnerAndGroupAndGoesWithItsObject)
{
    const TempDir dir;
    {
        const auto socket = ListenSocket::open(dir.file("s"), true);
        ASSERT_TRUE(socket);
        struct stat status {};
        ASSERT_EQ(::stat(dir.file("s").c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0660U);
    }
    EXPECT_FALSE(std::filesystem::exists(dir.file("s")));
}

TEST(ListenSocket, LeavesALivingOneAlone)
{
    const TempDir dir;
    const auto first = ListenSocket::open(dir.file("s"), true);
    const auto second = ListenSocket::open(dir.file("s"), true);
    ASSERT_TRUE(first);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("already"), std::string::npos);
}

// A socket that nobody listens on, as a killed process leaves it.
void leaveDeadSocket(const std::string &path)
{
    {
        const auto dead = ListenSocket::open(path, true);
        ASSERT_TRUE(dead);
        std::filesystem::rename(path, path + ".kept"); // so that closing does not remove it
    }
    std::filesystem::rename(path + ".kept", path);
}

TEST(ListenSocket, ReplacesADeadOne)
{
    const TempDir dir;
    leaveDeadSocket(dir.file("s"));
    EXPECT_TRUE(ListenSocket::open(dir.file("s"), true));
}

TEST(ListenSocket, RemovesNoSuccessor)
{
    const TempDir dir;
    auto first = ListenSocket::open(dir.file("s"), true);
    ASSERT_TRUE(first);
    std::filesystem::remove(dir.file("s"));
    const auto second = ListenSocket::open(dir.file("s"), true);
    ASSERT_TRUE(second);
    {
        const ListenSocket gone = std::move(*first);
    }
    EXPECT_TRUE(std::filesystem::exists(dir.file("s")));
}

bool reaches(const std::string &path, const ListenSocket &socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
        return false;
    // The look of those that were turned away is queued before.
    bool ours = false;
    while (true) {
        const FileDescriptor accepted(::accept4(socket.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!accepted)
            return ours;
        pollfd left{client.get(), POLLIN, 0};
        const char one = '1';
        static_cast<void>(!::send(accepted.get(), &one, 1, MSG_NOSIGNAL));
        ours = ours || ::poll(&left, 1, 0) == 1;
    }
}

TEST(ListenSocket, OfManyThatStartAtOnceExactlyOneGetsTheName)
{
    constexpr int kRounds = 300;
    constexpr std::size_t kStarters = 6;
    const TempDir dir;
    const std::string path = dir.file("s");
    for (int round = 0; round < kRounds; ++round) {
        if (round % 2 == 0)
            leaveDeadSocket(path);
        std::vector<std::optional<Expected<ListenSocket>>> opened(kStarters);
        std::barrier start(kStarters);
        std::vector<std::thread> threads;
        for (auto &mine : opened)
            threads.emplace_back([&] {
                start.arrive_and_wait();
                mine.emplace(ListenSocket::open(path, true));
            });
        for (std::thread &thread : threads)
            thread.join();
        const ListenSocket *winner = nullptr;
        for (const auto &one : opened) {
            if (!*one) {
                EXPECT_NE(one->error().message.find("is served by another process already"), std::string::npos)
                    << one->error().message;
                continue;
            }
            ASSERT_EQ(winner, nullptr) << "two have the name in round " << round;
            winner = &**one;
        }
        ASSERT_NE(winner, nullptr) << "nobody has the name in round " << round;
        ASSERT_TRUE(reaches(path, *winner)) << "round " << round;
    }
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// One closes while the other opens: the name is never taken from who has it now.
TEST(ListenSocket, WhoClosesRemovesNoNameOfWhoOpens)
{
    constexpr int kRounds = 300;
    const TempDir dir;
    const std::string path = dir.file("s");
    for (int round = 0; round < kRounds; ++round) {
        std::optional<ListenSocket> first(std::move(ListenSocket::open(path, true).value()));
        std::optional<Expected<ListenSocket>> second;
        std::barrier start(2);
        std::thread closing([&] {
            start.arrive_and_wait();
            first.reset();
        });
        start.arrive_and_wait();
        do
            second.emplace(ListenSocket::open(path, true));
        while (!*second);
        closing.join();
        ASSERT_TRUE(reaches(path, **second)) << "round " << round;
    }
}

TEST(ListenSocket, SaysWhatIsInTheWay)
{
    const TempDir dir;
    std::ofstream(dir.file("f")) << "precious";
    EXPECT_FALSE(ListenSocket::open(dir.file("f"), true));
    EXPECT_TRUE(std::filesystem::exists(dir.file("f")));
    EXPECT_FALSE(ListenSocket::open(dir.file(std::string(200, 'x')), true));
    EXPECT_FALSE(ListenSocket::open(dir.file("none/s"), true));
}

} // namespace
} // namespace picam
