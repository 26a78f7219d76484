#include "core/camera/camera_lock.h"

#include "tests/fakes/temp_dir.h"

#include <cerrno>
#include <csignal>
#include <filesystem>
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

std::size_t openDescriptors()
{
    std::size_t count = 0;
    for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

// The real calls, of which the Nth fails; so do all after it, or none.
class FailingCalls : public LockCalls {
public:
    FailingCalls(int nth, int error, bool once) : left_(nth), error_(error), once_(once) {}
    [[nodiscard]] bool hasFailed() const { return failed_; }
    int open(const char *path, int flags) override { return fails() ? -1 : LockCalls::open(path, flags); }
    int lock(int fd) override { return fails() ? -1 : LockCalls::lock(fd); }
    int truncate(int fd) override { return fails() ? -1 : LockCalls::truncate(fd); }
    long write(int fd, const void *from, std::size_t bytes) override
    {
        return fails() ? -1 : LockCalls::write(fd, from, bytes);
    }

private:
    bool fails()
    {
        if (left_ > 1) {
            --left_;
            return false;
        }
        if (once_ && failed_)
            return false;
        failed_ = true;
        errno = error_;
        return true;
    }

    int left_;
    int error_;
    bool once_;
    bool failed_ = false;
};

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

TEST(CameraLock, FailsWholeOrNotAtAllAtEachCall)
{
    const TempDir dir;
    const auto before = openDescriptors();
    int failures = 0;
    for (const int error : {ENOLCK, EIO, ENOSPC, EMFILE}) {
        for (int nth = 1;; ++nth) {
            FailingCalls calls(nth, error, false);
            {
                const auto lock = CameraLock::tryTake(dir.file("l"), "x", calls);
                if (!calls.hasFailed()) {
                    ASSERT_TRUE(lock && *lock);
                    break; // there is no Nth call
                }
                ++failures;
                if (lock) {
                    // Only the name could not be written: the camera is ours all the same.
                    ASSERT_TRUE(*lock) << "call " << nth;
                    EXPECT_GT(nth, 2);
                    EXPECT_FALSE(isFree(dir.file("l"))) << "call " << nth;
                } else {
                    EXPECT_EQ(lock.error().kind, ErrorKind::kIo);
                    EXPECT_NE(lock.error().message.find(dir.file("l")), std::string::npos) << lock.error().message;
                    EXPECT_EQ(openDescriptors(), before) << "call " << nth;
                }
            }
            EXPECT_TRUE(isFree(dir.file("l"))) << "call " << nth;
            EXPECT_EQ(openDescriptors(), before) << "call " << nth;
        }
    }
    EXPECT_EQ(failures, 4 * 4); // open, flock, and the two that write the name
}

TEST(CameraLock, IsTakenAlthoughASignalComesBetween)
{
    const TempDir dir;
    for (int nth = 1; nth <= 2; ++nth) {
        FailingCalls calls(nth, EINTR, true);
        const auto lock = CameraLock::tryTake(dir.file("l"), "x", calls);
        ASSERT_TRUE(lock && *lock) << "call " << nth;
        EXPECT_TRUE(calls.hasFailed());
    }
}

TEST(CameraLock, TakenByAnotherIsNoErrorAndLeavesItAsItIs)
{
    const TempDir dir;
    const auto first = CameraLock::tryTake(dir.file("l"), "first");
    ASSERT_TRUE(first && *first);
    const auto before = openDescriptors();
    const auto second = CameraLock::tryTake(dir.file("l"), "second");
    ASSERT_TRUE(second);
    EXPECT_FALSE(*second);
    EXPECT_EQ(openDescriptors(), before);
    EXPECT_EQ(CameraLock::holder(dir.file("l")), "first " + std::to_string(::getpid()));
}

} // namespace
} // namespace picam
