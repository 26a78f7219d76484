#include "core/base/listen_socket.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr int kBacklog = 512;

// Does a living process answer there?
bool answers(const sockaddr_un &address)
{
    const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return false;
    // EAGAIN: the queue of a living listener is full.
    return ::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0 || errno == EAGAIN;
}

// flock() on the folder of `path` until the result goes; none when that is not possible, errno says why.
FileDescriptor lockFolderOf(const std::string &path)
{
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (fd && ::flock(fd.get(), LOCK_EX) != 0)
        if (errno != EINTR)
            fd.reset();
    return fd;
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

    const FileDescriptor folder = lockFolderOf(path);
    if (!folder)
        return failErrno(ErrorKind::kIo, fmt::format("cannot lock the folder of the socket {}", path), errno);
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return fail(ErrorKind::kIo, fmt::format("{} is in the way: it is no socket", path));
        if (answers(address))
            return fail(ErrorKind::kIo, fmt::format("{} is served by another process already", path));
        ::unlink(path.c_str());
    }

    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0), 0));
    if (!fd)
        return failErrno(ErrorKind::kIo, "cannot make a socket", errno);
    // Nobody can connect before listen(), so the mode is right before it matters.
    if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot make the socket {}", path), errno);
    FileDescriptor name(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!name || ::chmod(path.c_str(), 0660) != 0 || ::listen(fd.get(), kBacklog) != 0) {
        const int error = errno;
        ::unlink(path.c_str());
        return failErrno(ErrorKind::kIo, fmt::format("cannot listen on {}", path), error);
    }
    return ListenSocket(std::move(fd), std::move(name), path);
}

ListenSocket::~ListenSocket()
{
    fd_.reset();
    if (path_.empty())
        return;
    // A successor may have put its own socket there already, or be about to: it waits for the lock.
    const FileDescriptor folder = lockFolderOf(path_);
    struct stat ours {};
    struct stat there {};
    if (::fstat(name_.get(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev)
        ::unlink(path_.c_str());
}

} // namespace picam
