// M2mDevice is an open V4L2 memory-to-memory device, reduced to the four calls that a codec takes, so that a test can
// put one of its own in its place. It knows nothing of what is asked of it. One thread at a time.
#pragma once

#include "core/base/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace picam {

class M2mDevice {
public:
    M2mDevice() = default;
    M2mDevice(const M2mDevice &) = delete;
    M2mDevice &operator=(const M2mDevice &) = delete;
    virtual ~M2mDevice() = default;

    // As ioctl(2) on a descriptor that does not block: 0, or -1 and errno; EINTR is one.
    [[nodiscard]] virtual int ioctl(unsigned long request, void *argument) = 0;

    // As mmap(2), shared, to read and write; empty, and errno: it failed. The caller unmaps what it got.
    [[nodiscard]] virtual std::span<std::uint8_t> map(std::size_t bytes, std::uint32_t offset) = 0;
    virtual void unmap(std::span<std::uint8_t> mapping) = 0;

    // As poll(2) for `events`: what is there, 0 after the timeout, or -1 and errno; EINTR is one.
    [[nodiscard]] virtual int poll(short events, std::chrono::milliseconds timeout) = 0;
};

using OpenM2mDevice = std::function<Expected<std::unique_ptr<M2mDevice>>(const std::string &path)>;

// Errors: kIo. Whether it is such a device at all nobody has asked yet.
[[nodiscard]] Expected<std::unique_ptr<M2mDevice>> openM2mDevice(const std::string &path);

// Where an encoder may be: /dev/video11, the Pi's, then every other /dev/video… by number. `dev` is for tests.
[[nodiscard]] std::vector<std::string> m2mDevicePaths(const std::string &dev = "/dev");

} // namespace picam
