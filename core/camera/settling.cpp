#include "core/camera/settling.h"

#include <cmath>

namespace picam {
namespace {

// Colour gains move by steps well above this while white balance searches.
constexpr float kGainStandsStill = 0.01F;

bool standsStill(const std::array<float, 2> &now, const std::array<float, 2> &before)
{
    return now[0] > 0 && before[0] > 0 && std::fabs(now[0] - before[0]) <= kGainStandsStill * before[0] &&
           std::fabs(now[1] - before[1]) <= kGainStandsStill * before[1];
}

} // namespace

bool Settling::settled(const CaptureMetadata &metadata, MonotonicTime now)
{
    if (settled_)
        return true;
    bool good = metadata.exposure_settled.value_or(false);
    if (metadata.white_balance_settled)
        good = good && *metadata.white_balance_settled;
    else if (metadata.color_gains[0] > 0)
        good = good && standsStill(metadata.color_gains, last_gains_);
    last_gains_ = metadata.color_gains;
    in_a_row_ = good ? in_a_row_ + 1 : 0;
    settled_ = in_a_row_ >= kFramesInARow || now - opened_ >= limit_;
    return settled_;
}

} // namespace picam
