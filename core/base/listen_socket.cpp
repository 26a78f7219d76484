#include "core/base/listen_socket.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr int kBacklog = 512;

int closeAndKeepErrno(int fd)
{
    const int error = errno;
    ::close(fd);
    return error;
}

// Does a living process answer there?
bool answers(const sockaddr_un &address)
{
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
    // EAGAIN: the queue of a living listener is full.
    const bool alive = connected || errno == EAGAIN;
    ::close(fd);
    return alive;
}

} // namespace

Expected<ListenSocket> ListenSocket::open(const std::string &path, bool non_blocking)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        return fail(ErrorKind::kIo,
                    fmt::format("the socket path {} is longer than {} bytes", path, sizeof(address.sun_path) - 1));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return fail(ErrorKind::kIo, fmt::format("{} is in the way: it is no socket", path));
        if (answers(address))
            return fail(ErrorKind::kIo, fmt::format("{} is served by another process already", path));
        ::unlink(path.c_str());
    }

    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0)
        return failErrno(ErrorKind::kIo, "cannot make a socket", errno);
    // Nobody can connect before listen(), so the mode is right before it matters.
    if (::bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot make the socket {}", path), closeAndKeepErrno(fd));
    if (::chmod(path.c_str(), 0660) != 0 || ::lstat(path.c_str(), &status) != 0 || ::listen(fd, kBacklog) != 0) {
        const int error = closeAndKeepErrno(fd);
        ::unlink(path.c_str());
        return failErrno(ErrorKind::kIo, fmt::format("cannot listen on {}", path), error);
    }
    return ListenSocket(fd, path, static_cast<unsigned long>(status.st_ino));
}

ListenSocket::ListenSocket(ListenSocket &&other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::exchange(other.path_, {})), inode_(other.inode_)
{
}

ListenSocket &ListenSocket::operator=(ListenSocket &&other) noexcept
{
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(inode_, other.inode_);
    return *this;
}

ListenSocket::~ListenSocket()
{
    if (fd_ >= 0)
        ::close(fd_);
    struct stat status {};
    // A successor may have put its own socket there already.
    if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && static_cast<unsigned long>(status.st_ino) == inode_)
        ::unlink(path_.c_str());
}

int ListenSocket::release()
{
    return std::exchange(fd_, -1);
}

} // namespace picam
