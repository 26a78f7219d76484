// JPEG from a raw frame: TurboJPEG straight from the planes, libyuv where pixels have to be rearranged first.
// One encoder per thread: it keeps its compressor and its buffers from frame to frame.
#pragma once

#include "core/error.h"
#include "core/frame.h"

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

    // A baseline 4:2:0 full-range JFIF picture, options.transform.apply(size) pixels large. A kJpeg frame is passed
    // through: Huffman tables are added where they lack, a transform is done losslessly (partial blocks at the
    // edge that it cannot move are cut off), quality is ignored. Errors: kCorrupt (not a JPEG, planes too short),
    // kUnsupported (odd or empty size), kCameraFailed (TurboJPEG's own message).
    [[nodiscard]] Expected<std::vector<std::uint8_t>> encode(const Frame &frame, const EncodeOptions &options);

private:
    struct State;
    explicit JpegEncoder(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Size of a whole JPEG in pixels, from its header. Errors: kCorrupt.
[[nodiscard]] Expected<Size> jpegSize(const std::uint8_t *data, std::size_t bytes);

} // namespace picam
