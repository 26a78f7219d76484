#include "core/camera/libcamera_module.h"

#include "core/camera/libcamera_source.h"

#include <utility>

extern "C" {

const char *picam_libcamera_version()
{
    return PICAM_VERSION;
}

void picam_libcamera_create_source(const picam::CameraSettings &settings,
                                   std::shared_ptr<const picam::CameraClaim> claim,
                                   std::unique_ptr<picam::Source> &source)
{
    source = picam::makeLibcameraSource(settings, std::move(claim));
}

void picam_libcamera_list_cameras(picam::Expected<std::vector<std::string>> &ids)
{
    ids = picam::libcameraIds();
}

} // extern "C"
