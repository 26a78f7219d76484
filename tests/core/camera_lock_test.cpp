#include "core/camera_lock.h"

#include "tests/fakes/temp_dir.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace picam {
namespace {

using testing::TempDir;

bool isFree(const std::string &path)
{
    auto lock = CameraLock::tryTake(path, "test");
    return lock && *lock;
}

TEST(CameraLock, HasOneOwner)
{
    const TempDir dir;
    auto first = CameraLock::tryTake(dir.file("l"), "first");
    ASSERT_TRUE(first && *first);
    EXPECT_FALSE(isFree(dir.file("l")));
    EXPECT_EQ(CameraLock::holder(dir.file("l")), "first " + std::to_string(::getpid()));
    first->reset();
    EXPECT_TRUE(isFree(dir.file("l")));
}

TEST(CameraLock, MovesWithItsOwner)
{
    const TempDir dir;
    auto taken = CameraLock::tryTake(dir.file("l"), "a");
    ASSERT_TRUE(taken && *taken);
    {
        const CameraLock moved = std::move(**taken);
        taken->reset();
        EXPECT_FALSE(isFree(dir.file("l")));
    }
    EXPECT_TRUE(isFree(dir.file("l")));
}

TEST(CameraLock, IsDroppedWithAKilledProcess)
{
    const TempDir dir;
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto lock = CameraLock::tryTake(dir.file("l"), "child");
        const char ok = lock && *lock ? '1' : '0';
        static_cast<void>(!::write(ready[1], &ok, 1));
        while (true)
            ::pause();
    }
    char ok = 0;
    ASSERT_EQ(::read(ready[0], &ok, 1), 1);
    EXPECT_EQ(ok, '1');
    EXPECT_FALSE(isFree(dir.file("l")));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(isFree(dir.file("l")));
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST(CameraLock, SaysWhyItCannotBeTaken)
{
    const TempDir dir;
    const auto lock = CameraLock::tryTake(dir.file("none/l"), "x");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().kind, ErrorKind::kIo);
    EXPECT_NE(lock.error().message.find(dir.file("none/l")), std::string::npos);
    EXPECT_EQ(CameraLock::holder(dir.file("none/l")), "");
}

} // namespace
} // namespace picam
