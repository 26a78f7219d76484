// FrameRate measures how many frames a second arrive, by their capture times. Pure logic.
#pragma once

#include "core/image/frame.h"

#include <chrono>
#include <cmath>
#include <deque>

namespace picam {

// Between two frames; 0 of a rate that is not known.
[[nodiscard]] inline std::chrono::microseconds frameInterval(double fps)
{
    return std::chrono::microseconds(fps > 0.0 ? std::llround(1e6 / fps) : 0);
}

class FrameRate {
public:
    static constexpr std::chrono::milliseconds kWindow{2000};
    static constexpr std::chrono::milliseconds kLeast{500}; // shorter says nothing

    void add(MonotonicTime captured)
    {
        stamps_.push_back(captured);
        // At least two stay: of a camera that gives a frame every few seconds, the last interval counts.
        while (stamps_.size() > 2 && captured - stamps_[1] >= kWindow)
            stamps_.pop_front();
    }

    // Of the last kWindow; 0: not known yet.
    [[nodiscard]] double fps() const
    {
        if (stamps_.size() < 2 || stamps_.back() - stamps_.front() < kLeast)
            return 0.0;
        const std::chrono::duration<double> passed = stamps_.back() - stamps_.front();
        return static_cast<double>(stamps_.size() - 1) / passed.count();
    }

private:
    std::deque<MonotonicTime> stamps_;
};

} // namespace picam
