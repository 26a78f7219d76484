#include "core/camera_lock.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace picam {

Expected<std::optional<CameraLock>> CameraLock::tryTake(const std::string &path, std::string_view holder)
{
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot open the camera lock {}", path), errno);
    CameraLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return std::optional<CameraLock>();
        return failErrno(ErrorKind::kIo, fmt::format("cannot lock {}", path), errno);
    }
    // The holder's name is a courtesy to people: that it cannot be written is no reason to refuse the camera.
    const std::string text = fmt::format("{} {}\n", holder, ::getpid());
    if (::ftruncate(fd, 0) == 0)
        static_cast<void>(!::pwrite(fd, text.data(), text.size(), 0));
    return std::optional<CameraLock>(std::move(lock));
}

std::string CameraLock::holder(const std::string &path)
{
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return {};
    std::array<char, 80> text{};
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    ::close(fd);
    std::string name;
    for (std::size_t i = 0; got > 0 && i < static_cast<std::size_t>(got); ++i) {
        const char c = text.at(i);
        if (c < ' ' || c > '~')
            break;
        name += c;
    }
    return name;
}

CameraLock::CameraLock(CameraLock &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

CameraLock &CameraLock::operator=(CameraLock &&other) noexcept
{
    std::swap(fd_, other.fd_);
    return *this;
}

CameraLock::~CameraLock()
{
    if (fd_ >= 0)
        ::close(fd_);
}

} // namespace picam
