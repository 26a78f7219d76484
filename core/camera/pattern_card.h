// The test card's drawing: bars, a grey ramp, a sweeping block, a clock that people read and a strip that programs
// read. Pure: pixels in, pixels out; planar 4:2:0, full range, BT.601.
//
// The strip carries the capture time, so that a viewer's program can tell how old the picture is that it sees. It is
// 80 cells from the left end of the lowest rows: the start mark 10100101, 64 bits of microseconds since the epoch (most
// significant first), and 8 bits of checksum (the sum of the eight bytes, exclusive-or 0x5a). A white cell is 1. From
// 640 pixels of width on it is one row of cells, each the even part of width / 80 wide; below that cells are 8 wide and
// wrap into further rows, the first row on top. A cell is as high as wide, and 16 at least.
#pragma once

#include "core/image/geometry.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace picam {

struct CardPixels {
    Size size;
    std::vector<std::uint8_t> y, u, v; // strides: width, width / 2, width / 2
};

struct StripLayout {
    std::uint32_t cell_width = 8;   // pixels
    std::uint32_t cell_height = 16; // pixels
    std::uint32_t cells_per_row = 80;
    std::uint32_t rows = 1;
};
[[nodiscard]] StripLayout stripLayout(Size size);

class PatternCard {
public:
    explicit PatternCard(Size size); // even, 16 at least

    // A buffer with what does not move.
    [[nodiscard]] const CardPixels &still() const { return still_; }
    // The rows above clock and strip, which are for people and programs that look how old the picture is.
    [[nodiscard]] std::uint32_t pictureRows() const;
    // Draws what moves into a copy of still() or one drawn into before.
    void draw(CardPixels &pixels, std::uint64_t wall_us, std::uint64_t frame_number) const;

private:
    void drawClock(CardPixels &pixels, std::uint64_t wall_us) const;
    void drawStrip(CardPixels &pixels, std::uint64_t wall_us) const;

    CardPixels still_;
};

} // namespace picam
