#include "core/camera/convergence.h"

#include <cmath>

namespace picam {
namespace {

// Colour gains move by steps well above this while white balance searches.
constexpr float kGainStandsStill = 0.01F;

bool gainsStandStill(const std::array<float, 2> &now, const std::array<float, 2> &before)
{
    return now[0] > 0 && before[0] > 0 && std::fabs(now[0] - before[0]) <= kGainStandsStill * before[0] &&
           std::fabs(now[1] - before[1]) <= kGainStandsStill * before[1];
}

} // namespace

bool Convergence::saysConverged(const CaptureMetadata &metadata) const
{
    if (!metadata.exposure_converged.value_or(false) || !metadata.focus_converged.value_or(true))
        return false;
    if (metadata.white_balance_converged)
        return *metadata.white_balance_converged;
    return metadata.color_gains[0] <= 0 || gainsStandStill(metadata.color_gains, last_gains_);
}

bool Convergence::standsStill(const MeanColor::Color &color, MonotonicTime now)
{
    bool still = reference_.has_value();
    for (std::size_t i = 0; still && i < color.size(); ++i)
        still = std::fabs(color.at(i) - reference_->at(i)) <= kStillColor;
    if (still)
        return true;
    reference_ = color;
    still_since_ = now;
    return false;
}

bool Convergence::update(const CaptureMetadata &metadata, std::optional<MeanColor::Color> color, MonotonicTime now)
{
    if (converged_)
        return true;
    bool done = false;
    if (metadata.exposure_converged) {
        in_a_row_ = saysConverged(metadata) ? in_a_row_ + 1 : 0;
        done = in_a_row_ >= (metadata.convergence_judged ? 1 : kFramesInARow);
    } else if (color) {
        in_a_row_ = standsStill(*color, now) ? in_a_row_ + 1 : 1;
        done = in_a_row_ >= kStillFrames && now - still_since_ >= kStillTime && metadata.focus_converged.value_or(true);
    }
    last_gains_ = metadata.color_gains;
    converged_ = done || now - opened_ >= timeout_;
    return converged_;
}

} // namespace picam
