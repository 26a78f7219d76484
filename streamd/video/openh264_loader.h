// Loads the part of picam that links libopenh264 (openh264_module.cpp) when somebody first takes H.264.
#pragma once

#include "streamd/video/video_encoder.h"

#include <memory>

namespace picam {

// As makeOpenh264Encoder(). Errors: kUnsupported also when the module cannot be loaded. Any thread.
[[nodiscard]] Expected<std::unique_ptr<VideoEncoder>> createOpenh264Encoder(const VideoEncoderOptions &options);

} // namespace picam
