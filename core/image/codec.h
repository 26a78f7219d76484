// How the bytes of an encoded frame are coded. Plain C++17 (see streamd/viewers/connection.h).
#pragma once

#include <cstdint>

namespace picam {

// The values are those of the frame header (frame_header.h).
enum class Codec : std::uint8_t {
    kJpeg = 1,
    kH264 = 2,
};

} // namespace picam
