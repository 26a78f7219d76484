// Stills chooses the picture that answers a request: a capture of our own, the stream's newest frame, or another
// worker's picture. get() may be called from any thread, by many at once.
#pragma once

#include "core/base/settings.h"
#include "core/base/thread_annotations.h"
#include "core/store/frame_store.h"
#include "fcgi/still_capture.h"

#include <memory>
#include <optional>

namespace picam {

enum class StillOrigin : std::uint8_t { kCapture, kStream, kCache };

struct Still {
    PicturePtr picture;
    StillOrigin origin = StillOrigin::kCapture;
};

class Stills {
public:
    // All must outlive this.
    Stills(const Settings &settings, const FrameStore &store, const CameraRequests &requests, StillCapture &capture)
        : settings_(settings), store_(store), requests_(requests), capture_(capture)
    {
    }

    // A picture of now: not older than one frame interval before the call, unless its origin is kCache, and taken with
    // the controls that are wanted at the call, or later ones. Of the still's size, unless the stream runs and its
    // camera has no second output. Errors: kTimeout after snapshot.deadline, naming who has the camera, or why the
    // camera gave nothing.
    [[nodiscard]] Expected<Still> get() const;

private:
    struct Asked {
        MonotonicTime at;
        std::uint32_t controls_generation = 0; // that was wanted then
    };
    [[nodiscard]] Expected<Still> fromStore(const Asked &asked) const;
    [[nodiscard]] Expected<Still> copied(FrameStore::Kind kind, const Picture &known, StillOrigin origin) const;
    [[nodiscard]] std::optional<Still> fromStream(const Asked &asked, MonotonicTime deadline) const;

    const Settings settings_;
    const FrameStore &store_;
    const CameraRequests &requests_;
    StillCapture &capture_;

    mutable Mutex mutex_;
    mutable std::weak_ptr<const Picture> last_copied_ PICAM_GUARDED_BY(mutex_); // shared by all who ask meanwhile
};

} // namespace picam
