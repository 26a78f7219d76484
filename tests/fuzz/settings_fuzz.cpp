// The settings file.
#include "core/base/settings.h"

#include <array>
#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    static const int fd = ::memfd_create("settings", 0);
    static const std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, data, bytes, 0) != static_cast<ssize_t>(bytes))
        __builtin_trap();
    const std::array<const char *, 4> arguments{"picam", "--config", path.c_str(), nullptr};
    const std::array<const char *, 1> environment{nullptr};
    const auto line = picam::readSettings(3, arguments.data(), environment.data(), "a fuzzer");
    // What passed the checks makes paths and sizes that the programs count on.
    if (line && (line->settings.storePath().size() > 107 || line->settings.stream.size.width < 16 ||
                 line->settings.stream.fps <= 0.0 || line->settings.snapshot.threads == 0))
        __builtin_trap();
    if (!line && line.error().message.empty())
        __builtin_trap();
    return 0;
}
