// The interface of the loadable module (core/base/module.h), through which libcamera_loader.cpp reaches
// libcamera_source.h.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/camera/camera_claim.h"
#include "core/camera/source.h"

#include <memory>
#include <string>
#include <vector>

namespace picam::libcamera_module {

constexpr const char *kFileName = "picam-libcamera.so";

using CreateSource = void(const CameraSettings &settings, std::shared_ptr<const CameraClaim> claim,
                          std::unique_ptr<Source> &source);
using ListCameras = void(Expected<std::vector<std::string>> &ids);
// Their names in the module.
constexpr const char *kVersion = "picam_libcamera_version";
constexpr const char *kCreateSource = "picam_libcamera_create_source";
constexpr const char *kListCameras = "picam_libcamera_list_cameras";

} // namespace picam::libcamera_module
