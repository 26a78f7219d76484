#include "core/camera/source.h"

#include "core/camera/libcamera_loader.h"
#include "core/camera/pattern_source.h"
#include "core/camera/replay_source.h"

namespace picam {

Expected<std::unique_ptr<Source>> createSource(const CameraSettings &settings)
{
    switch (settings.source) {
    case SourceKind::kPattern:
        return createPatternSource();
    case SourceKind::kReplay:
        return createReplaySource(settings.file);
    case SourceKind::kAuto: // deploy/run alone makes something else of it
    case SourceKind::kLibcamera:
        break;
    }
    return createLibcameraSource(settings);
}

} // namespace picam
