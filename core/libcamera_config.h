// What picam asks of libcamera and what its answers mean: formats, sizes, orientation, colours, planes, metadata.
// Everything that differs between libcamera's versions is here. Internal to libcamera_source.cpp; no state.
#pragma once

#include "core/error.h"
#include "core/frame.h"

#include <libcamera/libcamera.h>
#include <memory>
#include <vector>

namespace picam::libcamera_config {

struct Chosen {
    std::unique_ptr<libcamera::CameraConfiguration> config; // validated, one stream
    FrameFormat format;                                     // as the frames will come
    Transform remaining;                                    // what the camera cannot turn
};

// The validated configuration nearest to `native` (the size before `transform`). Errors: kUnsupported, kCameraFailed.
[[nodiscard]] Expected<Chosen> configure(libcamera::Camera &camera, Size native, const Transform &transform,
                                         unsigned int buffers, bool still);

// Continuous focus where the camera has a focus.
void setFocus(const libcamera::Camera &camera, libcamera::ControlList &controls);

// Bytes of each plane of a frame of ours in memory, for a buffer that we allocate.
[[nodiscard]] std::vector<unsigned int> planeLengths(const libcamera::StreamConfiguration &stream, PixelFormat pixels);

// The format's planes from the buffer's: one buffer plane may hold them all, one behind the other.
[[nodiscard]] std::array<Plane, 3> layOut(const libcamera::StreamConfiguration &stream, const FrameFormat &format,
                                          const std::vector<Plane> &buffer_planes);

[[nodiscard]] CaptureMetadata captureMetadata(const libcamera::ControlList &metadata);

} // namespace picam::libcamera_config
