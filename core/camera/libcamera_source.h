// LibcameraSource gives the frames of a camera that libcamera knows. The files libcamera_* alone include libcamera, as
// part of the module that libcamera_loader.h loads; they compile against 0.0.3 and later by detecting what the headers
// have, never by their version. The process's one CameraManager lives from start() to stop(), so that an idle camera
// has no thread; after a start() that found no camera it tells of one that comes.
#pragma once

#include "core/camera/camera_claim.h"
#include "core/camera/source.h"

#include <memory>
#include <string>
#include <vector>

namespace picam {

// As createLibcameraSource() and listCameras() of libcamera_loader.h.
[[nodiscard]] std::unique_ptr<Source> makeLibcameraSource(const CameraSettings &settings,
                                                          std::shared_ptr<const CameraClaim> claim);
[[nodiscard]] Expected<std::vector<std::string>> libcameraIds();

} // namespace picam
