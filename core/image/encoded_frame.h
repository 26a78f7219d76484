// EncodedFrame is one frame as an encoder made it, with what is known about its capture. Immutable once it is shared
// (EncodedFramePtr) by all who serve it.
#pragma once

#include "core/image/codec.h"
#include "core/image/frame.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

// The exposure, as far as the camera reports it; 0: it does not.
struct Exposure {
    std::uint32_t time_us = 0;           // microseconds
    std::uint32_t sensitivity = 0;       // ISO
    std::uint32_t color_temperature = 0; // kelvin, by automatic white balance

    friend bool operator==(const Exposure &, const Exposure &) = default;
};

[[nodiscard]] Exposure exposureOf(const CaptureMetadata &metadata);
// The gain of which exposureOf() makes this sensitivity.
[[nodiscard]] float gainOf(std::uint32_t sensitivity);

struct EncodedFrame {
    Codec codec = Codec::kJpeg;
    bool key = true;            // decodable by itself; every JPEG is
    Size size;                  // pixels, after rotation
    std::uint64_t sequence = 0; // grows by one with every picture published, across programs; 0: not published
    MonotonicTime captured{};   // when the exposure was done
    WallTime captured_wall{};   // the same, by the wall clock of now
    Exposure exposure;
    std::uint32_t controls_generation = 0; // as CaptureMetadata
    bool converged = true;                 // exposure and white balance had converged, or nobody could tell
    std::vector<std::uint8_t> bytes;       // a whole JPEG, or an access unit
};

// All that a frame says about its capture, for what an encoder makes of it: times, exposure, controls.
void describeCapture(EncodedFrame &encoded, const Frame &frame);

using EncodedFramePtr = std::shared_ptr<const EncodedFrame>;

// A picture is an encoded frame that is a JPEG: what the frame store keeps and /pi.jpg answers with.
using Picture = EncodedFrame;
using PicturePtr = EncodedFramePtr;

// The wall time of a monotonic stamp, by today's difference of the two clocks (a wall clock may step).
[[nodiscard]] inline WallTime wallTimeOf(MonotonicTime stamp)
{
    const auto age = std::chrono::steady_clock::now() - stamp;
    return std::chrono::system_clock::now() - std::chrono::duration_cast<WallTime::duration>(age);
}

} // namespace picam
