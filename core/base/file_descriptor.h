// FileDescriptor owns an open descriptor and closes it, once. Move-only; one thread at a time uses an object. It opens
// nothing, and a close() that fails is not reported. C++17, since the unit with websocketpp may include it.
#pragma once

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace picam {

class FileDescriptor {
public:
    static constexpr int kNone = -1;

    FileDescriptor() = default;
    // Takes over what open(), socket() … returned; a negative number is none. errno stays as the call left it.
    explicit FileDescriptor(int fd) noexcept : fd_(fd < 0 ? kNone : fd) {}
    FileDescriptor(const FileDescriptor &) = delete;
    FileDescriptor &operator=(const FileDescriptor &) = delete;
    FileDescriptor(FileDescriptor &&other) noexcept : fd_(other.release()) {}
    FileDescriptor &operator=(FileDescriptor &&other) noexcept
    {
        reset(other.release());
        return *this;
    }
    ~FileDescriptor() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; } // kNone: owns none
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ != kNone; }

    // Hands the descriptor over: the caller closes it, or what it gives it to.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, kNone); }

    // Closes what it owns and takes over `fd`. errno is left as it was: the reason of an earlier failure survives.
    void reset(int fd = kNone) noexcept
    {
        const int old = std::exchange(fd_, fd < 0 ? kNone : fd);
        if (old == kNone)
            return;
        const int error = errno;
        ::close(old);
        errno = error;
    }

private:
    int fd_ = kNone;
};

} // namespace picam
