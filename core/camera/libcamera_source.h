// Frames from a camera that libcamera knows. The only folder of files that includes libcamera (libcamera_*), and part
// of the module that libcamera_loader.h loads; it compiles against 0.0.3 and everything after it by looking at what the
// headers have, never at their version. The process's one CameraManager lives from start() to stop(), so a camera that
// nobody watches costs no thread.
#pragma once

#include "core/camera/source.h"

#include <memory>
#include <string>
#include <vector>

namespace picam {

// As createLibcameraSource() and listCameras() of libcamera_loader.h.
[[nodiscard]] std::unique_ptr<Source> makeLibcameraSource(const CameraSettings &settings);
[[nodiscard]] Expected<std::vector<std::string>> libcameraIds();

} // namespace picam
