// Codec names how an encoded frame is coded. The numbers stand on the wire (frame_header.h). Plain C++17.
#pragma once

#include <cstdint>

namespace picam {

enum class Codec : std::uint8_t {
    kJpeg = 1, // baseline JFIF, each frame by itself
    kH264 = 2, // an access unit in Annex B format
};

} // namespace picam
