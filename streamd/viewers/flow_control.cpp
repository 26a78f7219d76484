#include "streamd/viewers/flow_control.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace picam {

bool FlowControl::maySend(Time now) const
{
    return fits(trying_ ? proven_ : window_, now);
}

std::size_t FlowControl::presumedDelivered(Time now) const
{
    if (!shortest_ || !presume_)
        return 0;
    std::size_t count = 0;
    while (count + 1 < batch_ && count < in_flight_.size() &&
           now - in_flight_[count].at >= expected(in_flight_[count].bytes) + jitter_)
        ++count;
    return count;
}

bool FlowControl::fits(double window, Time now) const
{
    const std::size_t presumed = presumedDelivered(now);
    if (presumed == in_flight_.size())
        return true;
    const double whole = std::floor(window);
    const auto count = static_cast<double>(in_flight_.size() - presumed);
    if (count < whole)
        return true;
    const double part = window - whole;
    if (count > whole || part <= 0.0 || !shortest_)
        return false;
    const auto age = std::chrono::duration<double>(now - in_flight_[presumed].at);
    return age >= (1.0 - part) * std::chrono::duration<double>(shortest_->round_trip);
}

void FlowControl::onSent(std::uint64_t sequence, std::size_t bytes, Time now)
{
    const std::size_t others = in_flight_.size() - presumedDelivered(now);
    const bool filled = static_cast<double>(others + 1) >= window_;
    const bool trial = filled && !trying_ && window_ > proven_;
    trying_ = trying_ || trial;
    in_flight_.push_back({sequence, bytes, now, others == 0, filled, trial});
    last_sequence_ = sequence;
}

void FlowControl::clear()
{
    in_flight_.clear();
    trying_ = false;
    batch_ = 1;
    presume_ = false;
}

bool FlowControl::onAcknowledged(std::uint64_t sequence, Time now, std::size_t batch)
{
    if (sequence == 0 || sequence > last_sequence_)
        return false;
    // An old acknowledgement again (or of a frame that a later one covered) is no news.
    if (in_flight_.empty() || sequence < in_flight_.front().sequence)
        return true;

    Sent frame{};
    std::size_t covered = 0;
    while (!in_flight_.empty() && in_flight_.front().sequence <= sequence) {
        ++covered;
        frame = in_flight_.front();
        if (frame.trial)
            trying_ = false;
        in_flight_.pop_front();
    }
    last_ack_ = now;
    if (frame.sequence != sequence)
        return false; // between two that were sent: this viewer never got it

    const std::size_t agreed = std::exchange(batch_, batch);
    presume_ = false;
    if (covered < agreed)
        return true; // it waited for the next frame: its time says nothing of the link
    remember({now - frame.at, frame.bytes, now});
    presume_ = prompt(frame, now - frame.at);
    if (!presume_ && agreed > 1)
        return true; // was it alone in flight? Only presumed so: frames by themselves tell how slow the link is
    if (late(frame, now - frame.at)) {
        shrink(frame, now);
        return true;
    }
    if (frame.trial)
        prove();
    if (held_back_ && frame.filled && window_ <= proven_)
        grow(now);
    return true;
}

FlowControl::Duration FlowControl::silence(Time now) const
{
    if (in_flight_.empty())
        return Duration::zero();
    return now - std::max(last_ack_, in_flight_.front().at);
}

void FlowControl::remember(const RoundTrip &sample)
{
    if (!shortest_ || sample.round_trip <= shortest_->round_trip) {
        // A much shorter way is another link: what was learned about the old one's limit does not hold.
        if (shortest_ && sample.round_trip < shortest_->round_trip / 2) {
            ceiling_ = kMaxWindow;
            hold_ = kFirstHold;
        }
        shortest_ = sample;
        next_shortest_.reset();
        return;
    }
    if (sample.at - shortest_->at > kMinRoundTripMemory / 2 &&
        (!next_shortest_ || sample.round_trip <= next_shortest_->round_trip))
        next_shortest_ = sample;
    if (sample.at - shortest_->at > kMinRoundTripMemory) {
        shortest_ = next_shortest_ ? *next_shortest_ : sample;
        next_shortest_.reset();
    }
}

// Part of a round trip grows with the frame and part does not; which is which is unknown, so half is taken for each.
FlowControl::Duration FlowControl::expected(std::size_t bytes) const
{
    const double ratio = static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(shortest_->bytes, 1));
    const double factor = 1.0 + 0.5 * std::clamp(ratio - 1.0, 0.0, 2.0);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(shortest_->round_trip) * factor);
}

bool FlowControl::prompt(const Sent &frame, Duration round_trip) const
{
    return round_trip - expected(frame.bytes) <= std::max<Duration>(kPromptJitter, 2 * jitter_);
}

bool FlowControl::late(const Sent &frame, Duration round_trip)
{
    const Duration beyond = round_trip - expected(frame.bytes);
    if (!frame.alone)
        return beyond > expected(frame.bytes) / 10 + jitter_;
    // Alone it cannot have waited for another; what made it late then is no sign of a full link.
    jitter_ = std::clamp<Duration>(std::max(beyond, jitter_ - jitter_ / 8), kMinJitter, kMaxJitter);
    return false;
}

void FlowControl::prove()
{
    proven_ = window_;
    // The old limit was passed without harm: the link has changed.
    if (proven_ > ceiling_) {
        ceiling_ = kMaxWindow;
        hold_ = kFirstHold;
    }
}

void FlowControl::grow(Time now)
{
    const double limit = now < try_above_ ? ceiling_ : kMaxWindow;
    if (window_ + kStep > limit)
        return;
    window_ += kStep;
    held_back_ = false;
}

void FlowControl::shrink(const Sent &frame, Time now)
{
    if (frame.trial) {
        window_ = proven_;
        holdOff(proven_, now);
    } else if (frame.at >= shrunk_ && window_ > 1.0) {
        // (Frames sent before the last shrinking say nothing about the window of now.)
        holdOff(std::max(1.0, window_ - kStep), now);
        window_ = std::max(1.0, std::floor(window_ * 0.75 / kStep) * kStep);
        proven_ = window_;
        shrunk_ = now;
    }
}

void FlowControl::holdOff(double ceiling, Time now)
{
    ceiling_ = ceiling;
    try_above_ = now + hold_;
    hold_ = std::min<Duration>(hold_ * 2, kMaxHold);
}

} // namespace picam
