#include "core/camera/libcamera_loader.h"

#include "core/base/module.h"
#include "core/camera/libcamera_module.h"

#include <utility>

namespace picam {
namespace {

const Expected<Module> &module()
{
    static const Expected<Module> loaded = Module::load(libcamera_module::kFileName, libcamera_module::kVersion);
    return loaded;
}

template <class Function>
Expected<Function *> function(const char *name)
{
    auto found = module().and_then([name](const Module &loaded) { return loaded.function<Function>(name); });
    if (!found)
        found.error().kind = ErrorKind::kCameraFailed;
    return found;
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
