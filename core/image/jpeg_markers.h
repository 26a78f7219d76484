// The structure of a JPEG (ITU-T T.81, annex B): where its segments begin and end, and whether it is a JPEG at all.
// For what a camera or a recording gives, which may be cut short, padded or noise: every bound is checked, nothing is
// decoded. Pure functions, any thread.
#pragma once

#include "core/base/error.h"
#include "core/image/geometry.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace picam {

struct JpegLayout {
    Size size;                       // pixels
    bool has_huffman_tables = false; // before the first scan
    std::size_t first_scan = 0;      // offset of the first SOS marker: where missing tables belong
    std::size_t end = 0;             // offset behind the EOI marker; what follows is padding
};

// Walks the whole picture. Taken is what libjpeg's marker reader takes as far as the first scan, stray bytes between
// segments among it, since decoders show it; but for progressive pictures without Huffman tables. Errors: kCorrupt,
// saying what is wrong; a picture without an end is wrong.
[[nodiscard]] Expected<JpegLayout> readJpegLayout(std::span<const std::uint8_t> bytes);

// Whether a picture is so much larger than the one that was agreed on that its header must be damaged: a decoder would
// take gigabytes for it.
[[nodiscard]] bool isTooLarge(Size size, Size expected);

// Walks as far as the size. Errors: kCorrupt.
[[nodiscard]] Expected<Size> readJpegSize(std::span<const std::uint8_t> bytes);

// The tables of T.81 K.3 to K.6 as four DHT segments: what a Motion JPEG without tables is coded with.
[[nodiscard]] std::span<const std::uint8_t> standardHuffmanTables();

} // namespace picam
