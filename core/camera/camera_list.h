// The output of --list-cameras: the ids that camera.id chooses from.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"

#include <string>

namespace picam {

// One camera a line. Errors: kNoCamera, kCameraBusy when a program of this instance has the camera (looking for cameras
// could disturb it), kIo.
[[nodiscard]] Expected<std::string> cameraList(const Settings &settings);

} // namespace picam
