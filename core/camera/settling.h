// Decides when exposure and white balance have settled after the camera was opened: several frames in a row that
// say so, or the limit. Owned by one thread.
#pragma once

#include "core/base/settings.h"
#include "core/image/frame.h"

namespace picam {

class Settling {
public:
    static constexpr int kFramesInARow = 3;

    Settling(MonotonicTime opened, Milliseconds limit) : opened_(opened), limit_(limit) {}

    // Show every frame, in order; true from the first settled one on. A camera that says nothing about
    // white balance is judged by its exposure and by its colour gains standing still.
    bool settled(const CaptureMetadata &metadata, MonotonicTime now);
    [[nodiscard]] bool settled() const { return settled_; }

private:
    const MonotonicTime opened_;
    const Milliseconds limit_;
    int in_a_row_ = 0;
    bool settled_ = false;
    std::array<float, 2> last_gains_{};
};

} // namespace picam
