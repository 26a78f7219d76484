#include "core/camera/libcamera_loader.h"

#include "core/base/log.h"
#include "core/camera/libcamera_module.h"

#include <array>
#include <climits>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace picam {
namespace {

// Beside the program, where it is installed, and where it is built.
constexpr std::array<const char *, 3> kFolders{"", "../lib/picam/", "../core/"};

std::string programFolder()
{
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    const std::string program(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return program.substr(0, program.rfind('/') + 1);
}

// The module, loaded once and for good: libcamera leaves threads and handlers behind.
Expected<void *> module()
{
    static const Expected<void *> loaded = []() -> Expected<void *> {
        std::string file;
        for (const char *folder : kFolders) {
            file = programFolder() + folder + libcamera_module::kFileName;
            if (::access(file.c_str(), R_OK) == 0)
                break;
        }
        void *handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr)
            return fail(ErrorKind::kCameraFailed, fmt::format("libcamera cannot be loaded: {}", ::dlerror()));
        const auto version = reinterpret_cast<libcamera_module::Version *>(::dlsym(handle, libcamera_module::kVersion));
        if (version == nullptr || std::strcmp(version(), libcamera_module::kModuleVersion) != 0)
            return fail(ErrorKind::kCameraFailed, fmt::format("{} is of another version of picam", file));
        log::debug("loaded {}", file);
        return handle;
    }();
    return loaded;
}

template <class Function>
Expected<Function *> function(const char *name)
{
    auto loaded = module();
    if (!loaded)
        return tl::unexpected<Error>(std::move(loaded.error()));
    void *found = ::dlsym(*loaded, name);
    if (found == nullptr)
        return fail(ErrorKind::kCameraFailed, fmt::format("{} lacks {}", libcamera_module::kFileName, name));
    return reinterpret_cast<Function *>(found);
}

} // namespace

Expected<std::unique_ptr<Source>> createLibcameraSource(const CameraSettings &settings,
                                                        std::shared_ptr<const CameraClaim> claim)
{
    const auto create = function<libcamera_module::CreateSource>(libcamera_module::kCreateSource);
    if (!create)
        return tl::unexpected<Error>(create.error());
    std::unique_ptr<Source> source;
    (*create)(settings, std::move(claim), source);
    return source;
}

Expected<std::vector<std::string>> listCameras()
{
    const auto list = function<libcamera_module::ListCameras>(libcamera_module::kListCameras);
    if (!list)
        return tl::unexpected<Error>(list.error());
    Expected<std::vector<std::string>> ids;
    (*list)(ids);
    return ids;
}

} // namespace picam
