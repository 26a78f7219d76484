// An encoded picture: a whole JPEG with what is known about it. Immutable once made and shared by all who serve it.
#pragma once

#include "core/frame.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace picam {

struct Picture {
    std::vector<std::uint8_t> jpeg;
    Size size;                  // pixels, after rotation
    std::uint64_t sequence = 0; // grows by one with every picture published, across programs; 0: not published
    MonotonicTime captured{};
    WallTime captured_wall{};
    bool settled = true; // exposure and white balance had converged, or nobody could tell
};

using PicturePtr = std::shared_ptr<const Picture>;

// The wall time of a monotonic stamp, by today's difference of the two clocks (a wall clock may step).
[[nodiscard]] inline WallTime wallTimeOf(MonotonicTime stamp)
{
    const auto age = std::chrono::steady_clock::now() - stamp;
    return std::chrono::system_clock::now() - std::chrono::duration_cast<WallTime::duration>(age);
}

} // namespace picam
