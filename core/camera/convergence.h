// Convergence decides when exposure, white balance and focus (3A) have converged after the camera was opened: several
// frames in a row of which the camera says so, one of a feed, whose sender has judged it; of a camera that says nothing
// about its exposure, pictures that stand still in brightness and colour; or the timeout. Owned by one thread.
#pragma once

#include "core/base/settings.h"
#include "core/image/frame.h"
#include "core/image/mean_color.h"

#include <optional>

namespace picam {

class Convergence {
public:
    static constexpr int kFramesInARow = 3;
    // By the pictures it takes longer: an exposure that moves in steps stands still for some frames.
    static constexpr int kStillFrames = 5;
    static constexpr std::chrono::milliseconds kStillTime{300};
    static constexpr float kStillColor = 3.0F; // of 255, in each channel

    Convergence(MonotonicTime opened, Milliseconds timeout) : opened_(opened), timeout_(timeout) {}

    // Whether update() wants to know the frame's colour.
    [[nodiscard]] bool needsColor(const CaptureMetadata &metadata) const
    {
        return !converged_ && !metadata.exposure_converged;
    }
    // To be called for every frame, in order; true from the first converged one on. A camera that says nothing about
    // white balance, but about exposure, is judged by its colour gains standing still. `color`: empty where it is not
    // needed, or not to be had (a bad frame, which counts for nothing).
    bool update(const CaptureMetadata &metadata, std::optional<MeanColor::Color> color, MonotonicTime now);

private:
    [[nodiscard]] bool saysConverged(const CaptureMetadata &metadata) const;
    [[nodiscard]] bool standsStill(const MeanColor::Color &color, MonotonicTime now);

    MonotonicTime opened_;
    Milliseconds timeout_;
    int in_a_row_ = 0;
    bool converged_ = false;
    std::array<float, 2> last_gains_{};
    std::optional<MeanColor::Color> reference_; // the pictures' colour since still_since_
    MonotonicTime still_since_{};
};

} // namespace picam
