#include "streamd/video/openh264_module.h"

#include "streamd/video/openh264_encoder.h"

extern "C" {

const char *picam_openh264_version()
{
    return PICAM_VERSION;
}

void picam_openh264_create_encoder(const picam::VideoEncoderOptions &options,
                                   picam::Expected<std::unique_ptr<picam::VideoEncoder>> &encoder)
{
    encoder = picam::makeOpenh264Encoder(options);
}

} // extern "C"
