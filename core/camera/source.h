// Where frames come from: a camera, a test card or a recording, behind one interface.
// start(), setFrameRate() and stop() are called by the one thread that owns the source; frames arrive at the sink in a
// thread of the source's own. A source never encodes, never waits for its sink and takes no camera lock.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/image/frame.h"

#include <memory>
#include <optional>
#include <string>

namespace picam {

// Called from the source's thread; must not block. onFrame() may drop the frame: destroying it gives it back.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    virtual void onFrame(Frame frame) = 0;
    // A frame of the still output, after Source::requestStill(). As onFrame(), and before it for the same exposure.
    virtual void onStill(Frame /*frame*/) {}
    // The source cannot go on (unplugged, driver error). No frame follows until start().
    virtual void onSourceError(Error error) = 0;
};

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
    unsigned frames_held = 2; // how many may be out at once without the source running short of buffers
};

// What start() arranged.
struct SourceInfo {
    std::string name;    // "imx708", "pattern", "replay /srv/a.y4m": one line for the log and /status
    FrameFormat format;  // of the frames as they arrive, before `remaining`
    Transform remaining; // what of the requested transform is left for the encoder to do
    double fps = 0.0;    // frames per second to expect; 0: unknown
    std::optional<FrameFormat>
        still_output; // empty: none was asked for, or the camera cannot without harm to the frames
};

class Source {
public:
    virtual ~Source() = default; // stops

    // Opens the camera and starts it. Errors: kNoCamera, kCameraBusy, kCameraFailed, kUnsupported, kCorrupt, kIo.
    // `sink` must live until stop() has returned.
    [[nodiscard]] virtual Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) = 0;
    // Asks a running source for another rate (idling while nobody takes a still). A source may not manage.
    virtual void setFrameRate(double fps) = 0;
    // With a still output: its next frame, once, through onStill(). Any thread, between start() and stop().
    virtual void requestStill() {}
    // Stops and closes the camera. After it returns the sink is not called again, and every Frame still out may
    // only be destroyed, not read. Does nothing when stopped.
    virtual void stop() = 0;
};

// The source that settings.camera.source names. `auto` is libcamera where it lists a camera (once seen, always
// expected), else the pattern. Nothing is opened yet. Call with the camera lock held: it may enumerate.
[[nodiscard]] Expected<std::unique_ptr<Source>> createSource(const CameraSettings &settings);

} // namespace picam
