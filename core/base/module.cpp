#include "core/base/module.h"

#include "core/base/log.h"

#include <array>
#include <climits>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace picam {
namespace {

// Beside the program, where modules are installed, and where they are built.
constexpr std::array<const char *, 4> kFolders{"", "../lib/picam/", "../core/", "../streamd/"};

std::string programFolder()
{
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    const std::string program(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return program.substr(0, program.rfind('/') + 1);
}

} // namespace

Expected<Module> Module::load(const std::string &file, const char *version)
{
    std::string path;
    for (const char *folder : kFolders) {
        path = programFolder() + folder + file;
        if (::access(path.c_str(), R_OK) == 0)
            break;
    }
    void *handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        return fail(ErrorKind::kUnsupported, fmt::format("{} cannot be loaded: {}", file, ::dlerror()));
    using Version = const char *();
    const auto said = reinterpret_cast<Version *>(::dlsym(handle, version));
    if (said == nullptr || std::strcmp(said(), PICAM_VERSION) != 0)
        return fail(ErrorKind::kUnsupported, fmt::format("{} is of another version of picam", path));
    log::debug("loaded {}", path);
    return Module(handle, file);
}

Expected<void *> Module::symbol(const char *name) const
{
    void *found = ::dlsym(handle_, name);
    if (found == nullptr)
        return fail(ErrorKind::kUnsupported, fmt::format("{} lacks {}", file_, name));
    return found;
}

} // namespace picam
