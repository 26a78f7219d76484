// The network header of an encoded frame, and its parser: the one definition for all that will carry frames between
// processes and machines (picam.v2, the feed, the relay). Pure functions, any thread. It is not the layout of the frame
// store, nor that of picam.v1, which is frozen.
//
// 40 bytes, all integers unsigned and big-endian, then the payload:
//
//   offset  bytes  field
//        0      1  format version: 1. A reader refuses any other
//        1      1  codec: 1 JPEG, 2 H.264 (Annex B, an access unit); 0 no frame: the payload is the sender's state
//        2      1  rung: which of the sizes that the sender offers at the same time; 0 is the largest
//        3      1  flags: bit 0 key frame, decodable by itself (a JPEG always is); bit 1 exposure and white balance had
//                  converged; the others are 0, and a reader refuses them
//        4      4  payload bytes, 1 to kMaxPayloadBytes
//        8      8  sequence of the frame at its source, not 0
//       16      8  wall time of its capture by the sender's clock, µs since the epoch; 0: not known
//       24      2  width in pixels, not 0
//       26      2  height in pixels, not 0
//       28      4  exposure time in µs; 0: unknown
//       32      4  sensitivity as ISO speed; 0: unknown
//       36      4  generation of the controls: rises each time a control is changed
//
// A state is the text of picam.v2's message (viewer_protocol.h), {"state":"unavailable","reason":"the cable is out"},
// in at most kMaxStateBytes: the feed and the relay send it so, picam.v2 as a message of its own. Its wall time is that
// of the sending; the other fields of its header are 0, and not looked at.
#pragma once

#include "core/base/error.h"
#include "core/image/codec.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace picam {

struct FrameHeader {
    Codec codec = Codec::kJpeg;
    std::uint8_t rung = 0;
    bool key = true;
    bool converged = false;
    std::uint32_t payload_bytes = 0;
    std::uint64_t sequence = 0;
    std::uint64_t captured_wall_us = 0;
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    std::uint32_t exposure_us = 0; // 0: unknown
    std::uint32_t iso = 0;         // 0: unknown
    std::uint32_t controls_generation = 0;

    friend bool operator==(const FrameHeader &, const FrameHeader &) = default;
};

constexpr std::uint8_t kFrameHeaderVersion = 1;
constexpr std::size_t kFrameHeaderBytes = 40;
// As much as a slot of the frame store holds.
constexpr std::uint32_t kMaxPayloadBytes = 32U << 20U;
constexpr std::uint32_t kMaxStateBytes = 4096;

// REQUIRES: `header` is one that parseFrameHeader() accepts.
[[nodiscard]] std::array<std::uint8_t, kFrameHeaderBytes> serializeFrameHeader(const FrameHeader &header);

// Parses the first kFrameHeaderBytes of `bytes`; what follows is not looked at, and need not have come yet.
// Error kCorrupt: too few bytes, or a field with a value that the table above forbids; the message names it.
[[nodiscard]] Expected<FrameHeader> parseFrameHeader(std::span<const std::uint8_t> bytes);

} // namespace picam
