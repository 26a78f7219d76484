// FramePacer drops frames to keep a rate, evenly by the frames' own capture times. Pure logic.
#pragma once

#include <algorithm>
#include <chrono>

namespace picam {

class FramePacer {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    explicit FramePacer(double fps = 0.0) { setRate(fps); }

    // 0: no limit.
    void setRate(double fps)
    {
        const auto interval = fps > 0.0 ? std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.0 / fps))
                                        : Duration::zero();
        if (interval == interval_)
            return;
        // The next frame stays due no later than the new rate would have it.
        if (started_)
            due_ = std::min(due_ - interval_ + interval, due_);
        interval_ = interval;
    }

    [[nodiscard]] Duration interval() const { return interval_; }

    // True: the frame captured at `stamp` is due. The grid of due times stands still under jitter, and a frame may be
    // a quarter of an interval early, so that a camera of exactly this rate loses none; after a gap the grid moves.
    [[nodiscard]] bool take(Time stamp)
    {
        if (interval_ == Duration::zero())
            return true;
        if (started_ && stamp < due_ - interval_ / 4 && stamp > due_ - 2 * interval_)
            return false;
        const bool follows = started_ && stamp >= due_ - interval_ / 4 && stamp < due_ + interval_;
        due_ = follows ? std::max(due_ + interval_, stamp + interval_ / 2) : stamp + interval_;
        started_ = true;
        return true;
    }

private:
    Duration interval_{};
    Time due_{};
    bool started_ = false;
};

} // namespace picam
