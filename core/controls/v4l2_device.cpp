#include "core/controls/v4l2_device.h"

#include "core/base/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <linux/videodev2.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <system_error>
#include <utility>
#include <vector>

namespace picam {
namespace {

namespace fs = std::filesystem;

class DeviceFile : public V4l2Device {
public:
    explicit DeviceFile(FileDescriptor fd) : fd_(std::move(fd)) {}

    int ioctl(unsigned long request, void *argument) override
    {
        int result = 0;
        do
            result = ::ioctl(fd_.get(), request, argument);
        while (result != 0 && errno == EINTR);
        return result;
    }

private:
    const FileDescriptor fd_;
};

// The first line of a file; empty where there is none.
std::string lineOf(const fs::path &file)
{
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

std::optional<fs::path> resolved(const fs::path &path)
{
    std::error_code error;
    fs::path found = fs::canonical(path, error);
    if (error)
        return std::nullopt;
    return found;
}

// What the firmware calls a device in sysfs, as libcamera's sysfs::firmwareNodePath() says it; empty: nothing.
std::string firmwareNode(const fs::path &device, const fs::path &sysfs)
{
    if (const std::optional<fs::path> node = resolved(device / "of_node")) {
        const std::string prefix = (sysfs / "firmware/devicetree").string();
        const std::string path = node->string();
        return path.starts_with(prefix) ? path.substr(prefix.size()) : path;
    }
    return lineOf(device / "firmware_node/path");
}

// The id that libcamera gives to the camera at a USB interface; empty where it is none.
std::string libcameraId(const fs::path &interface, const fs::path &sysfs)
{
    const std::string vendor = lineOf(interface.parent_path() / "idVendor");
    const std::string product = lineOf(interface.parent_path() / "idProduct");
    const std::string name = interface.filename().string(); // bus-ports:configuration.interface
    const std::size_t bus_end = name.find('-');
    if (vendor.empty() || product.empty() || bus_end == std::string::npos)
        return {};
    for (fs::path above = interface.parent_path(); above != sysfs && above.has_relative_path();
         above = above.parent_path()) {
        const std::string controller = firmwareNode(above, sysfs);
        if (!controller.empty())
            return fmt::format("{}-{}-{}:{}", controller, std::string_view(name).substr(bus_end + 1), vendor, product);
    }
    return {};
}

// A webcam has a node more for metadata; the one for pictures is its first.
bool givesPictures(const fs::path &node)
{
    return node.filename().string().starts_with("video") && lineOf(node / "index") == "0";
}

} // namespace

Expected<std::unique_ptr<V4l2Device>> openV4l2Device(const std::string &path)
{
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return failErrno(ErrorKind::kCameraFailed, fmt::format("cannot open {}", path), errno);
    auto device = std::make_unique<DeviceFile>(std::move(fd));
    v4l2_capability capability{};
    if (device->ioctl(VIDIOC_QUERYCAP, &capability) != 0)
        return failErrno(ErrorKind::kCameraFailed, fmt::format("{} does not answer as a camera", path), errno);
    return device;
}

std::optional<std::string> v4l2DeviceOf(const std::string &libcamera_id, const std::string &sysfs,
                                        const std::string &dev)
{
    const std::optional<fs::path> root = resolved(sysfs);
    if (!root || libcamera_id.empty())
        return std::nullopt;
    std::vector<std::string> found;
    std::error_code error;
    // Every step may fail: webcams come and go meanwhile.
    for (fs::directory_iterator entry(*root / "class/video4linux", error), end; !error && entry != end;
         entry.increment(error)) {
        if (!givesPictures(entry->path()))
            continue;
        const std::optional<fs::path> interface = resolved(entry->path() / "device");
        if (interface && libcameraId(*interface, *root) == libcamera_id)
            found.push_back(fmt::format("{}/{}", dev, entry->path().filename().string()));
    }
    // The id leaves the bus out: the same ports on two buses of one controller cannot be told apart.
    if (found.size() != 1)
        return std::nullopt;
    return found.front();
}

std::optional<std::string> v4l2DeviceOf(std::span<const std::int64_t> system_devices, const std::string &sysfs,
                                        const std::string &dev)
{
    for (const std::int64_t number : system_devices) {
        const auto device = static_cast<dev_t>(number);
        const std::optional<fs::path> node =
            resolved(fmt::format("{}/dev/char/{}:{}", sysfs, major(device), minor(device)));
        if (!node || !givesPictures(*node))
            continue;
        const std::optional<fs::path> interface = resolved(*node / "device");
        if (interface && !lineOf(interface->parent_path() / "idVendor").empty())
            return fmt::format("{}/{}", dev, node->filename().string());
    }
    return std::nullopt;
}

} // namespace picam
