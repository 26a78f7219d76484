// SenderClock tells how old a picture is at its arrival, by the wall time that its sender put on it. Pure logic, one
// thread.
//
// A unix socket ends on this machine, and the sender has this machine's clock, until it tells otherwise: then ages are
// exact, and an old picture is old. A sender whose times are by another clock, which may be hours off, tells what that
// says now, by the time of a state; and a picture from the future tells as much. From then on the offset is the least
// difference that was seen between arrival and time, as far as a state was sent at once and a picture taken just now:
// pictures may seem younger than they are by that delay. The least difference is forgotten at the rate of kDrift, for
// clocks of different speed; a clock that goes backwards was set, and the age goes on from the last.
// The smallest difference of pictures alone would do without a state, and show an old picture as a new one: a sender
// whose camera hangs and one whose clock is late look the same. Asking there and back would bound the error by the
// round trip, but the sender would have to answer, and who only sends can be thirty lines.
#pragma once

#include "core/image/frame.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace picam {

class SenderClock {
public:
    using Microseconds = std::chrono::microseconds;
    static constexpr Microseconds kEarly{5'000};          // from the future by no more: the sender rounds its times
    static constexpr std::int64_t kDrift = 10'000;        // one in so many, more than any clock's
    static constexpr std::chrono::hours kOldest{100'000}; // no age is more

    // The age of a picture that was taken at `sent_us` (µs since the epoch, any number; 0: nobody knows: no age) and
    // has arrived `now`, which this machine's wall clock calls `wall`. To be called in order, and as tell().
    [[nodiscard]] Microseconds age(std::uint64_t sent_us, WallTime wall, MonotonicTime now);
    // The sender's clock was at `sent_us` when it sent what has arrived `now`; 0: it does not say.
    void tell(std::uint64_t sent_us, MonotonicTime now);

private:
    void passTo(MonotonicTime now);

    // What this machine's monotonic clock is ahead of the sender's, µs, by the least delay; empty: the sender's clock
    // is this machine's wall clock.
    std::optional<std::int64_t> offset_;
    MonotonicTime last_now_{};
    std::int64_t last_taken_ = 0;
    Microseconds last_age_{0};
};

} // namespace picam
