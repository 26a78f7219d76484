// The EXIF of a still (CIPA DC-008): when and how it was taken, as far as the camera says. The pixels are upright, so
// the orientation always is. Pure functions, any thread.
#pragma once

#include "core/picture.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace picam {

// A whole APP1 segment, its marker included. Local time, with its offset from UTC.
[[nodiscard]] std::vector<std::uint8_t> exifSegment(const Picture &picture);

// Where the segment belongs in a JPEG: behind SOI and a JFIF header. 0: nowhere, since the camera has put one in.
[[nodiscard]] std::size_t exifOffset(const std::vector<std::uint8_t> &jpeg);

} // namespace picam
