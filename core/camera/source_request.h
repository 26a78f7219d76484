// SourceRequest is what a program asks of a camera when it opens it.
#pragma once

#include "core/base/settings.h"
#include "core/controls/controls_document.h"
#include "core/image/geometry.h"

#include <optional>
#include <stop_token>

namespace picam {

// A second output, for stills beside the frames: a camera's image processor often makes two sizes of one exposure.
struct StillOutputRequest {
    Size size;              // as the viewer sees it
    bool exact_size = true; // rather none than another size
};

struct SourceRequest {
    Size size;              // of the picture as the viewer sees it, after `transform`
    bool exact_size = true; // kUnsupported, naming the nearest size, rather than another size
    double fps = 30.0;
    bool still = false; // best single pictures rather than smooth video (the camera's StillCapture role)
    Transform transform;
    std::optional<StillOutputRequest> still_output;
    ControlsRequest controls;
    unsigned frames_held = 2; // how many may be held at once without the source running short of buffers
    // Nobody wants the camera any more: a start() that waits for somebody else's answer ends. A driver's it waits out.
    std::stop_token interrupted;
};

// For live viewers: smooth video of stream.size, and stills of snapshot.size beside it where that differs.
[[nodiscard]] SourceRequest streamRequest(const Settings &settings);
// For stills alone: best single pictures of snapshot.size.
[[nodiscard]] SourceRequest stillRequest(const Settings &settings);

} // namespace picam
