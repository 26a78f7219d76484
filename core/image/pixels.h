// PixelConverter rearranges pixels for the encoder: every format becomes planar 4:2:0, full range, BT.601, rotated as
// requested. The only pair that includes libyuv. One converter per thread: it keeps its buffers from frame to frame.
// It does not encode.
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

constexpr std::uint32_t kMaxSide = 65500; // pixels; libjpeg's limit

// Planes Y, U, V of a 4:2:0 picture; chroma is (width / 2) x (height / 2).
struct PlanarView {
    std::array<const std::uint8_t *, 3> data{};
    std::array<std::size_t, 3> stride{}; // bytes
    Size size;                           // pixels, even
};

// Whether all the pixels that the format promises may be read (not for kJpeg, whose bytes say it themselves).
// Errors: kUnsupported (empty, odd or too large), kCorrupt (a plane is missing or too short for its rows).
[[nodiscard]] Expected<void> checkPlanes(const Frame &frame);

// What an image processor does for a smaller output: the middle of the picture that has the output's shape, scaled
// down. Planes Y, U, V one behind the other, without gaps; both sizes even, `to_size` not larger than `from_size`
// either way.
void scaleDown(const std::vector<std::uint8_t> &from, Size from_size, std::vector<std::uint8_t> &to, Size to_size);

class PixelConverter {
public:
    // The frame's picture as JPEG wants it. A plane that needs no change stays where it is, in the frame; the others
    // are in this converter's buffers until the next call. RGB is taken as full range, whatever the format says.
    // Errors: as checkPlanes(); kUnsupported for kJpeg.
    [[nodiscard]] Expected<PlanarView> toJpegPlanes(const Frame &frame, const Transform &transform);

    // The whole picture in another size, even and not larger either way, in this converter's buffers until the next
    // call of either kind. `view` is what toJpegPlanes() returned.
    [[nodiscard]] PlanarView resized(const PlanarView &view, Size size);

private:
    // Memory for three planes, grown when a larger picture comes; never cleared.
    struct Buffer {
        std::unique_ptr<std::uint8_t[]> bytes;
        std::size_t capacity = 0;
        std::array<std::uint8_t *, 3> data{};
        std::array<std::size_t, 3> stride{};

        void shape(Size size);
    };

    void unpack(const Frame &frame, PlanarView &view);
    void convertColors(const FrameFormat &format, PlanarView &view);
    void turn(const Transform &transform, PlanarView &view);
    void turnNv12(const Frame &frame, const Transform &transform, PlanarView &view);

    Buffer first_;                               // unpacked, or turned
    Buffer second_;                              // converted, or turned
    Buffer third_;                               // scaled
    std::unique_ptr<std::int16_t[]> luma_shift_; // one row: what chroma adds to luma
    std::size_t luma_shift_capacity_ = 0;
};

} // namespace picam
