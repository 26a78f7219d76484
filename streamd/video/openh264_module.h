// The interface of the loadable module (core/base/module.h), through which openh264_loader.cpp reaches
// openh264_encoder.h.
#pragma once

#include "streamd/video/video_encoder.h"

#include <memory>

namespace picam::openh264_module {

constexpr const char *kFileName = "picam-openh264.so";

using CreateEncoder = void(const VideoEncoderOptions &options, Expected<std::unique_ptr<VideoEncoder>> &encoder);
// Their names in the module.
constexpr const char *kVersion = "picam_openh264_version";
constexpr const char *kCreateEncoder = "picam_openh264_create_encoder";

} // namespace picam::openh264_module
