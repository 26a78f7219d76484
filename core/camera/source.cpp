#include "core/camera/source.h"

#include "core/base/log.h"
#include "core/camera/libcamera_loader.h"
#include "core/camera/pattern_source.h"
#include "core/camera/replay_source.h"

#include <atomic>

namespace picam {

Expected<std::unique_ptr<Source>> createSource(const CameraSettings &settings)
{
    // A machine that had a camera once is expected to have it: the test pattern must never hide that it is gone.
    static std::atomic<bool> camera_seen{false};
    switch (settings.source) {
    case SourceKind::kLibcamera:
        return createLibcameraSource(settings);
    case SourceKind::kPattern:
        return createPatternSource();
    case SourceKind::kReplay:
        return createReplaySource(settings.file);
    case SourceKind::kAuto:
        break;
    }
    if (!camera_seen) {
        auto cameras = listCameras();
        if (!cameras)
            return tl::unexpected<Error>(std::move(cameras.error()));
        camera_seen = !cameras->empty();
    }
    if (camera_seen)
        return createLibcameraSource(settings);
    log::warning(
        "there is no camera: the test pattern is shown (camera.source = libcamera waits for a camera instead)");
    return createPatternSource();
}

} // namespace picam
