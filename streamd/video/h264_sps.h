// Rewrites the sequence parameter set (SPS) of an H.264 encoder that does not say how its numbers map to colours, or
// lets decoders expect frames out of order. The syntax is ITU-T H.264's 7.3.2.1.1 and E.1.1. Pure functions over
// bytes that may be anything; any thread.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <span>
#include <vector>

namespace picam {

// The SPS with VUI that says: full range, BT.601's matrix, sRGB's primaries and transfer, which are JPEG's colours; no
// frame is reordered, and none is held beyond the references. Everything else, crop and timing too, stays as it is.
// `sps` and the answer are a whole NAL unit: its header byte, emulation prevention, no start code.
// Errors: kUnsupported, a profile other than baseline; kCorrupt, no SPS, or one that is cut off or out of range.
[[nodiscard]] Expected<std::vector<std::uint8_t>> withFullRangeVui(std::span<const std::uint8_t> sps);

} // namespace picam
