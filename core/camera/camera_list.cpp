#include "core/camera/camera_list.h"

#include "core/base/runtime_dir.h"
#include "core/camera/camera_lock.h"
#include "core/camera/libcamera_loader.h"

#include <fmt/format.h>

namespace picam {

Expected<std::string> cameraList(const Settings &settings)
{
    if (auto done = prepareRuntimeDir(settings.runtime_dir); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    auto lock = CameraLock::tryTake(settings.lockPath(), "the list of cameras");
    if (!lock)
        return tl::unexpected<Error>(std::move(lock.error()));
    if (!*lock)
        return fail(ErrorKind::kCameraBusy, fmt::format("{} has the camera; try again when nobody looks",
                                                        CameraLock::holder(settings.lockPath())));
    auto cameras = listCameras();
    if (!cameras)
        return tl::unexpected<Error>(std::move(cameras.error()));
    if (cameras->empty())
        return fail(ErrorKind::kNoCamera, "there is no camera");
    std::string text;
    for (const std::string &id : *cameras)
        text += id + "\n";
    return text;
}

} // namespace picam
