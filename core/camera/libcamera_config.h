// Translation between picam and libcamera: formats, sizes, orientation, colours, planes, metadata. Everything that
// differs between libcamera's versions is here. Part of the module (libcamera_loader.h); no state.
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <libcamera/libcamera.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picam::libcamera_config {

struct Chosen {
    std::unique_ptr<libcamera::CameraConfiguration> config; // validated, one stream; two with a still output
    FrameFormat format;                                     // as the frames will come
    Transform remaining;                                    // what the camera cannot turn
    std::optional<FrameFormat> still_output;                // of the second stream
};

// What is wanted of a camera. Sizes are the camera's own, before `transform`.
struct Wanted {
    Size size;
    Transform transform;
    unsigned int buffers = 0;
    bool still = false;               // single pictures rather than video
    std::optional<Size> still_output; // a second stream
};

// The validated configuration nearest to what is wanted. Errors: kUnsupported (no such size; no second stream),
// kStalled (the camera does not answer: what it offers itself is refused), kCameraFailed.
[[nodiscard]] Expected<Chosen> configure(libcamera::Camera &camera, const Wanted &wanted);

// Asks for the size in the best format that has it, or for the nearest size that is offered; for planar 4:2:0 where
// nothing is listed. In full-range BT.601, with strides as the driver likes them.
void askFor(libcamera::StreamConfiguration &stream, Size size, unsigned int buffers);

// The sizes of all formats that we know, smallest first; of a range the usual ones.
[[nodiscard]] std::vector<Size> offeredSizes(const libcamera::StreamConfiguration &stream);

// Whether the camera's frame rate can be set, so that it gives the rate that it is asked for (within keepsRate()). A
// webcam gives what its format and the light allow. Sensors behind an ISP can.
[[nodiscard]] bool promisesRate(const libcamera::Camera &camera);

// Whether outputs of these sizes show the scene undistorted beside each other: a camera that crops once for all of them
// (Raspberry Pi's until the 4) squeezes one that has another shape.
[[nodiscard]] bool cropsAlike(const libcamera::Camera &camera, Size one, Size other);

// By libcamera's name.
[[nodiscard]] bool hasControl(const libcamera::Camera &camera, std::string_view name);

// The device node of a webcam; empty: the camera is none, or its node is not found.
[[nodiscard]] std::optional<std::string> webcamDevice(const libcamera::Camera &camera);

// Whether the camera, configured, can give so many frames a second; true where it does not say.
[[nodiscard]] bool keepsRate(const libcamera::Camera &camera, double fps);

// FrameDurationLimits, µs, for a rate. They cap the exposure: equal ones keep the rate; a still may take longer in the
// dark, and what is set by hand (`exposure`; 0: it is not) takes as long as it takes.
[[nodiscard]] std::array<std::int64_t, 2> frameDurations(double fps, bool still, std::chrono::microseconds exposure);

// What an error number of the driver's says while a camera is opened: kStalled where it is gone or does not answer,
// else kCameraFailed.
[[nodiscard]] ErrorKind openingError(int error);

// Bytes of each plane of a frame of ours in memory, for a buffer that we allocate.
[[nodiscard]] std::vector<unsigned int> planeLengths(const libcamera::StreamConfiguration &stream, PixelFormat pixels);

// The format's planes from the buffer's: one buffer plane may hold them all, one behind the other.
[[nodiscard]] std::array<Plane, 3> layOut(const libcamera::StreamConfiguration &stream, const FrameFormat &format,
                                          const std::vector<Plane> &buffer_planes);

[[nodiscard]] CaptureMetadata captureMetadata(const libcamera::ControlList &metadata);

} // namespace picam::libcamera_config
