// Convergence decides when exposure and white balance (3A) have converged after the camera was opened: several frames
// in a row that say so, or the timeout. Owned by one thread.
#pragma once

#include "core/base/settings.h"
#include "core/image/frame.h"

namespace picam {

class Convergence {
public:
    static constexpr int kFramesInARow = 3;

    Convergence(MonotonicTime opened, Milliseconds timeout) : opened_(opened), timeout_(timeout) {}

    // To be called with the metadata of every frame, in order; true from the first converged one on. A camera that says
    // nothing about white balance is judged by its exposure and by its colour gains standing still.
    bool update(const CaptureMetadata &metadata, MonotonicTime now);

private:
    MonotonicTime opened_;
    Milliseconds timeout_;
    int in_a_row_ = 0;
    bool converged_ = false;
    std::array<float, 2> last_gains_{};
};

} // namespace picam
