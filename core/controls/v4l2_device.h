// V4l2Device is an open V4L2 device, reduced to its ioctl(), so that a test can put one of its own in its place. Beside
// it, how the device node of a webcam is found in sysfs: libcamera 0.0.3 does not say which one it has opened. Nothing
// here streams. One thread at a time uses an object; the functions are for any thread.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace picam {

class V4l2Device {
public:
    V4l2Device() = default;
    V4l2Device(const V4l2Device &) = delete;
    V4l2Device &operator=(const V4l2Device &) = delete;
    virtual ~V4l2Device() = default;

    // As ioctl(2): 0, or -1 and errno. A signal does not end it. It may wait for the camera, over USB for seconds.
    [[nodiscard]] virtual int ioctl(unsigned long request, void *argument) = 0;
};

// Opens the node at `path`; others may have it open, and stream from it. Errors: kCameraFailed, also where it is no
// V4L2 device.
[[nodiscard]] Expected<std::unique_ptr<V4l2Device>> openV4l2Device(const std::string &path);

// The node from which a webcam's pictures come, as "/dev/video0", by the id that libcamera gives it: the controller's
// firmware node, the USB ports and interface, vendor and product ("\_SB_.PCI0.S28_-1:1.0-1209:5043", its
// UVCCameraData::generateId()). Empty where there is none, where several would do, and for what is no webcam. `sysfs`
// and `dev` are for tests.
[[nodiscard]] std::optional<std::string>
v4l2DeviceOf(const std::string &libcamera_id, const std::string &sysfs = "/sys", const std::string &dev = "/dev");

// The same by the device numbers of libcamera's property SystemDevices (0.1 and later). Only a USB device is a webcam:
// what belongs to another pipeline is not found.
[[nodiscard]] std::optional<std::string> v4l2DeviceOf(std::span<const std::int64_t> system_devices,
                                                      const std::string &sysfs = "/sys",
                                                      const std::string &dev = "/dev");

} // namespace picam
