// Codec names how an encoded frame is coded. The numbers stand on the wire (frame_header.h), where 0 is a message
// without a frame. Plain C++17.
#pragma once

#include <cstdint>

namespace picam {

enum class Codec : std::uint8_t {
    kNone = 0, // no frame: the sender's state, as JSON
    kJpeg = 1, // baseline JFIF, each frame by itself
    kH264 = 2, // an access unit in Annex B format
};

} // namespace picam
