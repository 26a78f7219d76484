// VideoFrames prepares a camera's frames for a video encoder: decoded where they are JPEGs, planar 4:2:0, full range,
// BT.601, upright, scaled. One per encoder: it keeps its buffers from frame to frame.
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"
#include "core/image/jpeg_decoder.h"
#include "core/image/pixels.h"

#include <optional>

namespace picam {

class VideoFrames {
public:
    // `size`: what comes out, in pixels, even; `takes_nv12`: as VideoEncoder's.
    VideoFrames(Size size, const Transform &transform, bool takes_nv12)
        : size_(size), transform_(transform), takes_nv12_(takes_nv12)
    {
    }

    // The frame itself where nothing has to be changed, so that an encoder may import its dma-buf; else one whose
    // planes are valid until the next call. With what the frame says about its capture. Errors: as PixelConverter and
    // JpegDecoder: this frame cannot be encoded, and the next one may be.
    [[nodiscard]] Expected<const Frame *> prepare(const Frame &frame);

private:
    [[nodiscard]] Expected<const Frame *> prepareRaw(const Frame &frame);

    const Size size_;
    const Transform transform_;
    const bool takes_nv12_;
    std::optional<JpegDecoder> jpegs_;
    PixelConverter pixels_;
    Frame decoded_;
    Frame prepared_;
};

} // namespace picam
