#include "streamd/video/m2m_device.h"

#include "core/base/file_descriptor.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <system_error>
#include <utility>

namespace picam {
namespace {

constexpr unsigned kPiEncoder = 11; // the driver's default

class KernelM2mDevice : public M2mDevice {
public:
    explicit KernelM2mDevice(FileDescriptor fd) : fd_(std::move(fd)) {}

    int ioctl(unsigned long request, void *argument) override { return ::ioctl(fd_.get(), request, argument); }

    std::span<std::uint8_t> map(std::size_t bytes, std::uint32_t offset) override
    {
        void *address =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), static_cast<off_t>(offset));
        if (address == MAP_FAILED)
            return {};
        return {static_cast<std::uint8_t *>(address), bytes};
    }

    void unmap(std::span<std::uint8_t> mapping) override { ::munmap(mapping.data(), mapping.size()); }

    int poll(short events, std::chrono::milliseconds timeout) override
    {
        pollfd poll{fd_.get(), events, 0};
        const int ready = ::poll(&poll, 1, static_cast<int>(timeout.count()));
        return ready <= 0 ? ready : poll.revents;
    }

private:
    const FileDescriptor fd_;
};

} // namespace

Expected<std::unique_ptr<M2mDevice>> openM2mDevice(const std::string &path)
{
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return failErrno(ErrorKind::kIo, fmt::format("cannot open {}", path), errno);
    return std::make_unique<KernelM2mDevice>(std::move(fd));
}

std::vector<std::string> m2mDevicePaths(const std::string &dev)
{
    constexpr std::string_view kPrefix = "video";
    std::vector<unsigned> numbers;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(dev, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        unsigned number = 0;
        if (!name.starts_with(kPrefix))
            continue;
        const char *const last = name.data() + name.size();
        const auto [stopped, bad] = std::from_chars(name.data() + kPrefix.size(), last, number);
        if (bad == std::errc{} && stopped == last)
            numbers.push_back(number);
    }
    std::sort(numbers.begin(), numbers.end(),
              [](unsigned a, unsigned b) { return std::pair(a != kPiEncoder, a) < std::pair(b != kPiEncoder, b); });
    std::vector<std::string> paths;
    paths.reserve(numbers.size());
    for (const unsigned number : numbers)
        paths.push_back(fmt::format("{}/{}{}", dev, kPrefix, number));
    return paths;
}

} // namespace picam
