#include "core/camera/convergence.h"

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

bool Convergence::update(const CaptureMetadata &metadata, MonotonicTime now)
{
    if (converged_)
        return true;
    bool good = metadata.exposure_converged.value_or(false);
    if (metadata.white_balance_converged)
        good = good && *metadata.white_balance_converged;
    else if (metadata.color_gains[0] > 0)
        good = good && standsStill(metadata.color_gains, last_gains_);
    last_gains_ = metadata.color_gains;
    in_a_row_ = good ? in_a_row_ + 1 : 0;
    converged_ = in_a_row_ >= kFramesInARow || now - opened_ >= timeout_;
    return converged_;
}

} // namespace picam
