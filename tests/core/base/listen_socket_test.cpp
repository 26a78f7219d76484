#include "core/base/listen_socket.h"

#include "tests/fakes/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

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

TEST(ListenSocket, ReplacesADeadOne)
{
    const TempDir dir;
    {
        auto dead = ListenSocket::open(dir.file("s"), true);
        ASSERT_TRUE(dead);
        std::filesystem::rename(dir.file("s"), dir.file("kept")); // so that closing does not remove it
    }
    std::filesystem::rename(dir.file("kept"), dir.file("s"));
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
