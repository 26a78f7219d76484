// Source is the interface of everything that gives frames: a camera, a test card, a recording. start(), setFrameRate(),
// setControls(), readControls() and stop() are called by the one thread that owns the source; frames arrive at the sink
// in a thread of the source's own. A source does not encode, does not wait for its sink, and takes no camera lock.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/camera/source_request.h"
#include "core/controls/control.h"
#include "core/image/frame.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace picam {

using ControlProblems = std::map<std::string, std::string, std::less<>>;

// Called from the source's thread; must not block. The last holder of a frame recycles its buffer, in any thread.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    virtual void onFrame(std::shared_ptr<Frame> frame) = 0;
    // A frame of the still output, after Source::requestStill(). As onFrame(), and before it for the same exposure.
    virtual void onStill(std::shared_ptr<Frame> /*frame*/) {}
    // A camera was plugged in, of which a source tells whose start() failed with kNoCamera: start() is worth a try.
    virtual void onCameraAdded() {}
    // What is wanted of the camera's controls and not in force, though nothing locks it: why, by the control's name.
    // All of them, each time that one comes or goes. As onFrame(), or within start() and setControls().
    virtual void onControlProblems(const ControlProblems & /*problems*/) {}
    // The source cannot go on (unplugged, driver error). No frame follows until start().
    virtual void onSourceError(Error error) = 0;
};

// What start() arranged.
struct SourceInfo {
    std::string name;    // "imx708", "pattern", "replay /srv/a.y4m": one line for the log and /status
    std::string id;      // of the camera, by which its controls are kept
    FrameFormat format;  // of the frames as they arrive, before `remaining`
    Transform remaining; // what of the requested transform is left for the encoder to do
    double fps = 0.0;    // frames per second that the source keeps to; 0: it promises none
    std::optional<FrameFormat>
        still_output; // empty: none was asked for, or the camera cannot without harm to the frames
    ControlInfos controls;
    // Each frame has its price on its way: the source is told which rate is taken, and keeps to it.
    bool follows_demand = false;
};

class Source {
public:
    virtual ~Source() = default; // stops

    // Opens the camera and starts it. Errors: kNoCamera, kCameraBusy, kCameraFailed, kUnsupported, kCorrupt, kIo;
    // kInterrupted where request.interrupted asked for it.
    // `sink` must live until stop() has returned. After kNoCamera the source may be kept to tell of a camera that comes
    // (onCameraAdded()), and started again; where it cannot tell, another try is all there is.
    [[nodiscard]] virtual Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) = 0;
    // Asks a running source for another rate (idling while nobody takes a still). A source may not manage.
    virtual void setFrameRate(double fps) = 0;
    // Asks a running source for what is wanted of its controls now, as SourceRequest::controls at the start. What it
    // does not have, or does not allow, is left out. Frames for which it is in force have its generation; a source
    // without controls gives it to the next one.
    virtual void setControls(const ControlsRequest &controls) = 0;
    // What the camera has now of those controls of which its frames say nothing. May wait for the camera.
    [[nodiscard]] virtual ControlValues readControls() { return {}; }
    // With a still output: its next frame, once, through onStill(). Any thread, between start() and stop().
    virtual void requestStill() {}
    // Stops and closes the camera. After it returns the sink is not called again, and every Frame still out may
    // only be released, not read. Does nothing when stopped.
    virtual void stop() = 0;
};

using SourceFactory = std::function<Expected<std::unique_ptr<Source>>()>;

// Makes the source that settings.camera.source names; `auto` is libcamera, where this claims a camera for the instance
// as long as the factory lives. Nothing is opened yet. Errors: kIo.
[[nodiscard]] Expected<SourceFactory> sourceFactory(const Settings &settings);

} // namespace picam
