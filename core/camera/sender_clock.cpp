#include "core/camera/sender_clock.h"

#include <algorithm>

namespace picam {
namespace {

using Microseconds = SenderClock::Microseconds;

constexpr std::int64_t kFarthest = std::int64_t{1} << 60; // sums of three such numbers fit

std::int64_t bounded(std::uint64_t sent_us)
{
    return static_cast<std::int64_t>(std::min<std::uint64_t>(sent_us, kFarthest));
}

template <class Time>
std::int64_t microsecondsOf(Time time)
{
    return std::chrono::duration_cast<Microseconds>(time.time_since_epoch()).count();
}

} // namespace

void SenderClock::passTo(MonotonicTime now)
{
    if (offset_)
        *offset_ += std::chrono::duration_cast<Microseconds>(now - last_now_).count() / kDrift;
    last_now_ = now;
}

void SenderClock::tell(std::uint64_t sent_us, MonotonicTime now)
{
    if (sent_us == 0)
        return;
    passTo(now);
    // Newer than what was learnt before, which may be by a clock that was set meanwhile.
    offset_ = microsecondsOf(now) - bounded(sent_us);
    last_taken_ = 0;
}

Microseconds SenderClock::age(std::uint64_t sent_us, WallTime wall, MonotonicTime now)
{
    if (sent_us == 0)
        return Microseconds(0);
    passTo(now);
    const std::int64_t taken = bounded(sent_us);
    const bool set_back = taken < last_taken_;
    last_taken_ = taken;
    if (!offset_) {
        const std::int64_t age = microsecondsOf(wall) - taken;
        if (age < -kEarly.count())
            offset_ = microsecondsOf(now) - taken;
        last_age_ = std::clamp<Microseconds>(Microseconds(age), Microseconds(0), kOldest);
        return last_age_;
    }
    const std::int64_t age = microsecondsOf(now) - taken - *offset_;
    if (set_back)
        *offset_ += age - last_age_.count();
    else
        *offset_ += std::min<std::int64_t>(age, 0);
    last_age_ = std::clamp<Microseconds>(set_back ? last_age_ : Microseconds(age), Microseconds(0), kOldest);
    return last_age_;
}

} // namespace picam
