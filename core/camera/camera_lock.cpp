#include "core/camera/camera_lock.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace picam {
namespace {

// A signal may come between: the call is made again.
template <class Call>
auto retried(Call call)
{
    auto result = call();
    while (result < 0 && errno == EINTR)
        result = call();
    return result;
}

} // namespace

int LockCalls::open(const char *path, int flags)
{
    return ::open(path, flags, 0660);
}

int LockCalls::lock(int fd)
{
    return ::flock(fd, LOCK_EX | LOCK_NB);
}

int LockCalls::truncate(int fd)
{
    return ::ftruncate(fd, 0);
}

long LockCalls::write(int fd, const void *from, std::size_t bytes)
{
    return static_cast<long>(::pwrite(fd, from, bytes, 0));
}

Expected<std::optional<CameraLock>> CameraLock::tryTake(const std::string &path, std::string_view holder)
{
    LockCalls calls;
    return tryTake(path, holder, calls);
}

Expected<std::optional<CameraLock>> CameraLock::tryTake(const std::string &path, std::string_view holder,
                                                        LockCalls &calls)
{
    FileDescriptor fd(retried([&] { return calls.open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW); }));
    if (!fd)
        return failErrno(ErrorKind::kIo, fmt::format("cannot open the camera lock {}", path), errno);
    if (retried([&] { return calls.lock(fd.get()); }) != 0) {
        if (errno == EWOULDBLOCK)
            return std::optional<CameraLock>();
        return failErrno(ErrorKind::kIo, fmt::format("cannot lock {}", path), errno);
    }
    // The holder's name is a courtesy to people: that it cannot be written is no reason to refuse the camera.
    const std::string text = fmt::format("{} {}\n", holder, ::getpid());
    if (calls.truncate(fd.get()) == 0)
        static_cast<void>(calls.write(fd.get(), text.data(), text.size()));
    return std::optional<CameraLock>(CameraLock(std::move(fd)));
}

std::string CameraLock::holder(const std::string &path)
{
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd)
        return {};
    std::array<char, 80> text{};
    const auto got = ::pread(fd.get(), text.data(), text.size(), 0);
    std::string name;
    for (std::size_t i = 0; got > 0 && i < static_cast<std::size_t>(got); ++i) {
        const char c = text.at(i);
        if (c < ' ' || c > '~')
            break;
        name += c;
    }
    return name;
}

} // namespace picam
