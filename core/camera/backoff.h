// Backoff gives the time to wait before the next try: doubling from 250 ms to 10 s, with jitter, so that several
// programs that lost one camera do not try in step. Pure logic.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace picam {

class Backoff {
public:
    static constexpr std::chrono::milliseconds kFirst{250};
    static constexpr std::chrono::milliseconds kLongest{10000};

    explicit Backoff(std::uint32_t seed) : random_(seed) {}

    // Between half of the step and the whole; the step doubles with each call.
    [[nodiscard]] std::chrono::milliseconds next()
    {
        const auto step = step_;
        step_ = std::min(step_ * 2, kLongest);
        std::uniform_int_distribution<std::int64_t> spread(step.count() / 2, step.count());
        return std::chrono::milliseconds(spread(random_));
    }
    void reset() { step_ = kFirst; }

private:
    std::minstd_rand random_;
    std::chrono::milliseconds step_ = kFirst;
};

} // namespace picam
