// What viewers are sent, made of what an encoder made. Any thread.
#pragma once

#include "core/image/encoded_frame.h"
#include "streamd/viewers/connection.h"

namespace picam {

// `rung` and `sequence` as the header of picam.v2 has them.
[[nodiscard]] FramePtr makeStreamFrame(const EncodedFramePtr &encoded, std::uint8_t rung, std::uint64_t sequence);

} // namespace picam
