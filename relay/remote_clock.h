// RemoteClock translates times of the camera host's wall clock, which may be hours off, into ages. It compares the
// clocks by requests: the answer's time lies between sending and arrival, so the error is at most half of the round
// trip. The quickest of the last answers counts, until one contradicts it: then a clock was set. Pure logic, one
// thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace picam::relay {

class RemoteClock {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Microseconds = std::chrono::microseconds;
    static constexpr std::size_t kSamples = 8;
    static constexpr Microseconds kTolerance{5'000}; // clocks of different speed

    // A request was sent at `sent` and its answer, which tells `remote_us` (µs since the epoch), came at `arrived`.
    void add(Time sent, std::uint64_t remote_us, Time arrived)
    {
        const auto round_trip = std::chrono::duration_cast<Microseconds>(arrived - sent);
        if (round_trip.count() < 0 || remote_us == 0 || remote_us > INT64_MAX / 2)
            return;
        const Sample sample{static_cast<std::int64_t>(remote_us) - microsecondsOf(sent) - round_trip.count() / 2,
                            round_trip.count() / 2};
        if (const auto best = quickest();
            best && std::abs(sample.offset - best->offset) > sample.error + best->error + kTolerance.count())
            count_ = 0;
        samples_[count_++ % kSamples] = sample;
    }
    void reset() { count_ = 0; }
    [[nodiscard]] bool isKnown() const { return count_ > 0; }
    // How old what was taken at `remote_us` is; not less than nothing. REQUIRES: isKnown().
    [[nodiscard]] Microseconds age(std::uint64_t remote_us, Time now) const
    {
        const auto there = microsecondsOf(now) + quickest()->offset;
        const auto taken = static_cast<std::int64_t>(std::min<std::uint64_t>(remote_us, INT64_MAX / 2));
        return Microseconds(std::max<std::int64_t>(there - taken, 0));
    }

private:
    struct Sample {
        std::int64_t offset; // what the remote wall clock is ahead of this machine's monotonic clock, µs
        std::int64_t error;
    };
    [[nodiscard]] static std::int64_t microsecondsOf(Time time)
    {
        return std::chrono::duration_cast<Microseconds>(time.time_since_epoch()).count();
    }
    [[nodiscard]] std::optional<Sample> quickest() const
    {
        std::optional<Sample> best;
        for (std::size_t i = 0; i < std::min(count_, kSamples); ++i)
            if (!best || samples_[i].error < best->error)
                best = samples_[i];
        return best;
    }

    std::array<Sample, kSamples> samples_{};
    std::size_t count_ = 0;
};

} // namespace picam::relay
