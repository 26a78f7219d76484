// A listening unix socket of ours: mode 0660 (nginx's group may connect, others not). A leftover of a dead process is
// replaced, a living one is not, and the name goes with the object. open() and the destructor hold flock() on the
// socket's folder while they look at the name and change it: of programs that start at once exactly one gets it. Any
// thread; the waits are as short as the others' few system calls.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"

#include <string>
#include <utility>

namespace picam {

class ListenSocket {
public:
    // Non-blocking when `non_blocking`. Errors: kIo: "X is served by another process already", or why not.
    [[nodiscard]] static Expected<ListenSocket> open(const std::string &path, bool non_blocking);

    ListenSocket(const ListenSocket &) = delete;
    ListenSocket &operator=(const ListenSocket &) = delete;
    ListenSocket(ListenSocket &&other) noexcept
        : fd_(std::move(other.fd_)), name_(std::move(other.name_)), path_(std::exchange(other.path_, {}))
    {
    }
    ListenSocket &operator=(ListenSocket &&other) = delete;
    ~ListenSocket(); // closes, and removes the name if it is still ours

    [[nodiscard]] int fd() const { return fd_.get(); }
    // Hands the descriptor to a library that closes it; the name stays ours.
    [[nodiscard]] int release() { return fd_.release(); }

private:
    ListenSocket(FileDescriptor fd, FileDescriptor name, std::string path)
        : fd_(std::move(fd)), name_(std::move(name)), path_(std::move(path))
    {
    }

    FileDescriptor fd_;
    FileDescriptor name_; // the file of that name (O_PATH): while it is open its inode's number stays its own
    std::string path_;    // empty: moved from
};

} // namespace picam
