#include "core/camera/source.h"

#include "core/camera/camera_claim.h"
#include "core/camera/libcamera_loader.h"
#include "core/camera/pattern_source.h"
#include "core/camera/replay_source.h"

#include <utility>

namespace picam {

Expected<SourceFactory> sourceFactory(const Settings &settings)
{
    switch (settings.camera.source) {
    case SourceKind::kPattern:
        return [] { return Expected<std::unique_ptr<Source>>(createPatternSource()); };
    case SourceKind::kReplay:
        return [file = settings.camera.file] { return Expected<std::unique_ptr<Source>>(createReplaySource(file)); };
    case SourceKind::kAuto: // deploy/run alone makes something else of it
    case SourceKind::kLibcamera:
        break;
    }
    auto claim = CameraClaim::open(settings.runtime_dir, settings.instance, settings.camera.id);
    if (!claim)
        return tl::unexpected<Error>(std::move(claim.error()));
    return [camera = settings.camera, claim = std::make_shared<const CameraClaim>(std::move(*claim))] {
        return createLibcameraSource(camera, claim);
    };
}

} // namespace picam
