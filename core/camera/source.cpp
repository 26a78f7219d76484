#include "core/camera/source.h"

#include "core/camera/camera_claim.h"
#include "core/camera/feed_source.h"
#include "core/camera/libcamera_loader.h"
#include "core/camera/pattern_source.h"
#include "core/camera/replay_source.h"

#include <algorithm>
#include <utility>

namespace picam {
namespace {

// A picture of a feed may always be so old: it may have a long way behind it.
constexpr Milliseconds kLeastAge{1000};

} // namespace

Expected<SourceFactory> sourceFactory(const Settings &settings)
{
    switch (settings.camera.source) {
    case SourceKind::kPattern:
        return [] { return Expected<std::unique_ptr<Source>>(createPatternSource()); };
    case SourceKind::kReplay:
        return [file = settings.camera.file] { return Expected<std::unique_ptr<Source>>(createReplaySource(file)); };
    case SourceKind::kFeed:
        return [path = settings.feedPath(), max_age = std::max(settings.camera.stall, kLeastAge)] {
            return Expected<std::unique_ptr<Source>>(createFeedSource(path, max_age));
        };
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
