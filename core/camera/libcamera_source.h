// Frames from a camera that libcamera knows. The only pair that includes libcamera; it compiles against 0.0.3 and
// everything after it by looking at what the headers have, never at their version. The process's one CameraManager
// lives from start() to stop(), so a camera that nobody watches costs no thread.
#pragma once

#include "core/camera/source.h"

#include <memory>
#include <string>
#include <vector>

namespace picam {

// settings.id chooses the camera: its place in the list, or a part of its id or model.
[[nodiscard]] std::unique_ptr<Source> createLibcameraSource(const CameraSettings &settings);

// The ids of all cameras; empty: none. Call with the camera lock held and no source started: it starts and ends a
// CameraManager. Errors: kCameraFailed.
[[nodiscard]] Expected<std::vector<std::string>> listCameras();

} // namespace picam
