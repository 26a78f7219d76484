// VideoEncoder is the interface of the H.264 encoders. Each frame that one makes refers to the one before, back to the
// last key frame, so whoever gets a frame must have got all since then. It is made for one size and belongs to one
// thread at a time. It neither converts nor scales (VideoFrames), and sends nothing.
#pragma once

#include "core/base/error.h"
#include "core/image/encoded_frame.h"
#include "core/image/frame.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace picam {

struct VideoEncoderOptions {
    Size size;                 // pixels, even
    double fps = 30.0;         // frames a second to expect; fewer may come, and at any distance
    std::uint32_t bitrate = 0; // bits a second
};

class VideoEncoder {
public:
    VideoEncoder() = default;
    VideoEncoder(const VideoEncoder &) = delete;
    VideoEncoder &operator=(const VideoEncoder &) = delete;
    virtual ~VideoEncoder() = default;

    // The frame as an access unit in Annex B format, constrained baseline, full-range BT.601 as its SPS says; `key`: a
    // key frame, with SPS and PPS before it, which the first one always is. With all that the frame says about its
    // capture; `sequence` is 0. Nothing: the encoder has left this frame out, and the next one refers to the one before
    // it. Error: this encoder is at its end; what it makes from here on nobody may be sent.
    // REQUIRES: the frame is kYuv420 or, where takesNv12(), kNv12, of the size of the options, full range, BT.601.
    [[nodiscard]] virtual Expected<std::optional<EncodedFrame>> encode(const Frame &frame, bool key) = 0;

    // Bits a second, from the next frame on.
    virtual void setBitrate(std::uint32_t bitrate) = 0;

    [[nodiscard]] virtual bool takesNv12() const { return false; }
    // As /status has it: "openh264", "v4l2".
    [[nodiscard]] virtual std::string_view name() const = 0;
};

} // namespace picam
