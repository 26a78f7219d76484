// JpegEncoder makes a JPEG from a raw frame: TurboJPEG straight from the planes, libyuv (pixels.h) where pixels have
// to be rearranged first. Only this pair and mean_color include turbojpeg.h. One encoder per thread: it keeps its
// compressor and its buffers from frame to frame. It does not scale and does not touch metadata.
#pragma once

#include "core/base/error.h"
#include "core/image/encoded_frame.h"
#include "core/image/frame.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

struct EncodeOptions {
    int quality = 80; // 1 to 100, libjpeg's scale
    Transform transform;
};

class JpegEncoder {
public:
    [[nodiscard]] static Expected<JpegEncoder> create();

    JpegEncoder(JpegEncoder &&) noexcept;
    JpegEncoder &operator=(JpegEncoder &&) noexcept;
    JpegEncoder(const JpegEncoder &) = delete;
    JpegEncoder &operator=(const JpegEncoder &) = delete;
    ~JpegEncoder();

    // A baseline 4:2:0 full-range JFIF picture, options.transform.apply(size) pixels large. RGB is taken as full range.
    // A kJpeg frame is passed through: Huffman tables are added where they lack, what stands behind its end is cut off,
    // quality is ignored and its size is what its own header says. A transform of it is done losslessly: blocks (8 or
    // 16 pixels) at an edge that are not whole are cut off where they would have to move, so that the picture may be
    // up to 15 pixels smaller (jpegSize() tells), and markers for metadata are dropped.
    // Errors: kCorrupt (not a JPEG, planes too short), kUnsupported (odd, empty or too large), kCameraFailed
    // (TurboJPEG's own message).
    [[nodiscard]] Expected<std::vector<std::uint8_t>> encode(const Frame &frame, const EncodeOptions &options);
    // The same with all that the frame says: size, times, exposure. Not published.
    [[nodiscard]] Expected<Picture> encodePicture(const Frame &frame, const EncodeOptions &options);

private:
    struct State;
    explicit JpegEncoder(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Size of a JPEG in pixels, from its header; the rest is not looked at. Errors: kCorrupt.
[[nodiscard]] Expected<Size> jpegSize(const std::uint8_t *data, std::size_t bytes);

} // namespace picam
