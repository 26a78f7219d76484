// MeanColor tells how bright a frame is and of what colour, on the whole: enough to see whether exposure and white
// balance still move. It samples pixels of raw frames and decodes JPEGs at an eighth of their size. One thread.
#pragma once

#include "core/image/frame.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace picam {

class MeanColor {
public:
    // Three channels, 0 to 255: Y, Cb and Cr of raw YCbCr, R, G and B of anything else. Comparable between frames of
    // one format only.
    using Color = std::array<float, 3>;

    // Empty: the frame cannot be read (a JPEG that cannot be decoded, planes too short), or is nearly black.
    [[nodiscard]] std::optional<Color> of(const Frame &frame);

private:
    struct Destroy {
        void operator()(void *handle) const;
    };
    [[nodiscard]] std::optional<Color> ofJpeg(const Plane &plane, Size expected);

    std::unique_ptr<void, Destroy> decompressor_; // made for the first JPEG
    std::vector<std::uint8_t> pixels_;
};

} // namespace picam
