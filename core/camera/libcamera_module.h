// The interface of the loadable module, through which libcamera_loader.cpp reaches libcamera_source.h. Program and
// module are built together: kModuleVersion detects a module of another version, as an upgrade under a running program
// leaves one.
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
constexpr const char *kModuleVersion = PICAM_VERSION;

using Version = const char *();
using CreateSource = void(const CameraSettings &settings, std::shared_ptr<const CameraClaim> claim,
                          std::unique_ptr<Source> &source);
using ListCameras = void(Expected<std::vector<std::string>> &ids);
// Their names in the module.
constexpr const char *kVersion = "picam_libcamera_version";
constexpr const char *kCreateSource = "picam_libcamera_create_source";
constexpr const char *kListCameras = "picam_libcamera_list_cameras";

} // namespace picam::libcamera_module
