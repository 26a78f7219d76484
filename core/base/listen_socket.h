// A listening unix socket of ours: mode 0660 (nginx's group may connect, others not), a leftover of a dead process is
// replaced, a living one is not, and the name goes with the object.
#pragma once

#include "core/base/error.h"

#include <string>

namespace picam {

class ListenSocket {
public:
    // Non-blocking when `non_blocking`. Errors: kIo: "X is served by another process already", or why not.
    [[nodiscard]] static Expected<ListenSocket> open(const std::string &path, bool non_blocking);

    ListenSocket(const ListenSocket &) = delete;
    ListenSocket &operator=(const ListenSocket &) = delete;
    ListenSocket(ListenSocket &&other) noexcept;
    ListenSocket &operator=(ListenSocket &&other) noexcept;
    ~ListenSocket(); // closes, and removes the name if it is still ours

    [[nodiscard]] int fd() const { return fd_; }
    // Hands the descriptor to a library that closes it; the name stays ours.
    [[nodiscard]] int release();

private:
    ListenSocket(int fd, std::string path, unsigned long inode) : fd_(fd), path_(std::move(path)), inode_(inode) {}

    int fd_ = -1;
    std::string path_;
    unsigned long inode_ = 0;
};

} // namespace picam
