// JpegDecoder makes a raw frame of a JPEG frame, for encoders of other codecs: many webcams give nothing else at their
// larger sizes. One decoder per thread: it keeps its decompressor and its planes from frame to frame.
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

class JpegDecoder {
public:
    JpegDecoder();
    JpegDecoder(const JpegDecoder &) = delete;
    JpegDecoder &operator=(const JpegDecoder &) = delete;
    ~JpegDecoder();

    // The picture, full range, BT.601, with what the frame says about its capture: kYuv420, or kRgb24 where its chroma
    // is neither 4:2:0 nor 4:2:2. It lies in this decoder's memory until the next call. A picture that is cut short is
    // grey where it lacks, as viewers show it. REQUIRES: the frame is kJpeg. Errors: kCorrupt (no JPEG, or larger than
    // the frame's format says), kUnsupported (odd sides).
    [[nodiscard]] Expected<Frame> decode(const Frame &frame);

private:
    struct Destroy {
        void operator()(void *handle) const;
    };

    std::unique_ptr<void, Destroy> decompressor_; // a tjhandle
    std::vector<std::uint8_t> pixels_;
};

} // namespace picam
