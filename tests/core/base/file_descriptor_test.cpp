#include "core/base/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <utility>

namespace picam {
namespace {

FileDescriptor openNull()
{
    return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool isOpen(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(FileDescriptor, ClosesWhatItOwnsOnce)
{
    int number = -1;
    {
        FileDescriptor first = openNull();
        number = first.get();
        ASSERT_TRUE(isOpen(number));
        const FileDescriptor second(std::move(first));
        EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): what is moved from owns none
        EXPECT_EQ(second.get(), number);
    }
    EXPECT_FALSE(isOpen(number));
}

TEST(FileDescriptor, AssignedItClosesItsOldOne)
{
    FileDescriptor fd = openNull();
    FileDescriptor other = openNull();
    const int old = fd.get();
    const int kept = other.get();
    fd = std::move(other);
    EXPECT_FALSE(isOpen(old));
    EXPECT_EQ(fd.get(), kept);
    EXPECT_TRUE(isOpen(kept));
}

TEST(FileDescriptor, ReleasedItIsTheCallers)
{
    int number = -1;
    {
        FileDescriptor fd = openNull();
        number = fd.release();
        EXPECT_FALSE(fd);
    }
    EXPECT_TRUE(isOpen(number));
    FileDescriptor again(number);
    again.reset();
    EXPECT_FALSE(isOpen(number));
}

TEST(FileDescriptor, AFailedOpenIsNoneAndItsReasonStays)
{
    FileDescriptor fd = openNull();
    fd.reset(::open("/nonexistent/file", O_RDONLY | O_CLOEXEC)); // closes the old one behind the failure
    EXPECT_EQ(errno, ENOENT);
    EXPECT_FALSE(fd);
    EXPECT_EQ(fd.get(), FileDescriptor::kNone);
}

} // namespace
} // namespace picam
