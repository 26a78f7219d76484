// Loads the part of picam that links libcamera (libcamera_module.cpp) when it is first needed: libcamera and its
// dependencies take about 5 MB, which an idle program, or one with another source, does not pay.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/camera/camera_claim.h"
#include "core/camera/source.h"

#include <memory>
#include <string>
#include <vector>

namespace picam {

// A source over libcamera, whose camera `claim` chooses. Nothing is opened yet. Errors: kCameraFailed when the module
// cannot be loaded. Any thread.
[[nodiscard]] Expected<std::unique_ptr<Source>> createLibcameraSource(const CameraSettings &settings,
                                                                      std::shared_ptr<const CameraClaim> claim);

// The ids of all cameras; empty: none. Call with the camera lock held and no source started: it starts and ends a
// CameraManager. Errors: kCameraFailed.
[[nodiscard]] Expected<std::vector<std::string>> listCameras();

} // namespace picam
