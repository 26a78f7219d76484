// Openh264Encoder is a VideoEncoder in software, over libopenh264 (BSD; Debian builds it from source, and Cisco's grant
// for patents covers Cisco's own binary alone). Only this pair includes its headers; it is compiled into the module
// that openh264_loader.h loads.
#pragma once

#include "streamd/video/video_encoder.h"

#include <memory>

namespace picam {

// Opening takes some ten milliseconds and, with the first frame, memory: 9 MB for 1280x720. Errors: kUnsupported, a
// size that the library does not take.
[[nodiscard]] Expected<std::unique_ptr<VideoEncoder>> makeOpenh264Encoder(const VideoEncoderOptions &options);

} // namespace picam
