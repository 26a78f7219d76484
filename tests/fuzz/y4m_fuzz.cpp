// A recording in Y4M.
#include "core/camera/y4m.h"

#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    static const int fd = ::memfd_create("recording", 0);
    static const std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, data, bytes, 0) != static_cast<ssize_t>(bytes))
        __builtin_trap();
    auto file = picam::Y4mFile::open(path);
    if (!file)
        return 0;
    const auto size = file->header().format.size;
    if (std::uint64_t{size.width} * size.height > (1U << 20)) // a large size is right, and only slow here
        return 0;
    std::vector<std::uint8_t> planes;
    for (int i = 0; i < 4; ++i)
        if (file->readFrame(planes) && planes.size() != std::size_t{size.width} * size.height * 3 / 2)
            __builtin_trap();
    return 0;
}
