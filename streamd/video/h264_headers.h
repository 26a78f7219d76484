// H264Headers keeps the parameter sets of an encoder's stream and completes its access units: each key frame has them
// before it, and the SPS says what VideoEncoder promises. For encoders that do not do this themselves. One thread.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <vector>

namespace picam {

enum class H264Unit : std::uint8_t { kHeaders, kDelta, kKey }; // kHeaders: no picture in it

class H264Headers {
public:
    // `unit`: an access unit in Annex B format, as the encoder made it; as a viewer gets it afterwards, where it is a
    // picture. Errors: kCorrupt, a key frame and no parameter sets yet; as withFullRangeVui().
    [[nodiscard]] Expected<H264Unit> complete(std::vector<std::uint8_t> &unit);

private:
    std::vector<std::uint8_t> sps_; // NAL unit, with VUI; empty: none yet
    std::vector<std::uint8_t> pps_;
};

} // namespace picam
