// The camera lock: flock() on a file in the runtime directory, held exactly while this process has the camera open.
// The kernel drops it with the process, however that ends; the file itself is never removed.
#pragma once

#include "core/error.h"

#include <optional>
#include <string>
#include <string_view>

namespace picam {

class CameraLock {
public:
    // Takes the lock if it is free; empty when another open file (this process's included) holds it. Any thread.
    // `holder` is written into the file for people ("picam-streamd 1234"). Errors: kIo, with the path.
    [[nodiscard]] static Expected<std::optional<CameraLock>> tryTake(const std::string &path, std::string_view holder);

    // What the file says about its last holder; empty when it says nothing. For messages only: it may be stale.
    [[nodiscard]] static std::string holder(const std::string &path);

    CameraLock(const CameraLock &) = delete;
    CameraLock &operator=(const CameraLock &) = delete;
    CameraLock(CameraLock &&other) noexcept;
    CameraLock &operator=(CameraLock &&other) noexcept;
    ~CameraLock(); // releases

private:
    explicit CameraLock(int fd) : fd_(fd) {}

    int fd_ = -1;
};

} // namespace picam
