// CameraLock is flock() on a file in the runtime directory, held exactly while this process has the camera open. The
// kernel releases it with the process, however that ends; the file itself is never removed.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace picam {

// The system calls of the lock, so that a test can fail the Nth. Each as its namesake: -1 and errno on failure.
class LockCalls {
public:
    LockCalls() = default;
    LockCalls(const LockCalls &) = delete;
    LockCalls &operator=(const LockCalls &) = delete;
    virtual ~LockCalls() = default;
    virtual int open(const char *path, int flags); // what it makes has mode 0660, whatever the umask leaves of it
    virtual int lock(int fd);                      // flock, exclusive, without waiting
    virtual int truncate(int fd);                  // to nothing
    virtual long write(int fd, const void *from, std::size_t bytes);
};

class CameraLock {
public:
    // Takes the lock if it is free; empty when another open file (this process's included) holds it. Any thread.
    // `holder` is written into the file for people ("picam-streamd 1234"). Errors: kIo, with the path.
    [[nodiscard]] static Expected<std::optional<CameraLock>> tryTake(const std::string &path, std::string_view holder);
    [[nodiscard]] static Expected<std::optional<CameraLock>> tryTake(const std::string &path, std::string_view holder,
                                                                     LockCalls &calls);

    // What the file says about its last holder; empty when it says nothing. For messages only: it may be stale.
    [[nodiscard]] static std::string holder(const std::string &path);

    CameraLock(const CameraLock &) = delete;
    CameraLock &operator=(const CameraLock &) = delete;
    CameraLock(CameraLock &&other) noexcept = default;
    CameraLock &operator=(CameraLock &&other) noexcept = default;
    ~CameraLock() = default; // releases

private:
    explicit CameraLock(FileDescriptor fd) : fd_(std::move(fd)) {}

    FileDescriptor fd_; // open as long as the lock is held
};

} // namespace picam
