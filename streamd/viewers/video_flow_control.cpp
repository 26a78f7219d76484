#include "streamd/viewers/video_flow_control.h"

#include <algorithm>
#include <cmath>

namespace picam {
namespace {

// Seconds.
constexpr double kMeasureMemory = 0.4;  // of the measured rate: some frames, whose sizes and delays differ
constexpr double kQueueMemory = 0.2;    // of the mean queue
constexpr double kMaxQueue = 0.1;       // one frame counts for no more in it
constexpr double kQueueWeight = 0.033;  // … and for no longer after a pause: a frame at 30 a second
constexpr double kOverdue = 0.02;       // an acknowledgement later than that closes the window
constexpr double kBaseTransfer = 0.015; // of a small frame at 30 a second, at most
constexpr double kMaxBase = 1.0;        // a viewer that acknowledges later gets no larger window for it
constexpr double kMaxLonger = 0.1;      // that it becomes at once: the link may have become slower only now
constexpr double kMaxElapsed = 1.0;     // a pause counts for no more
constexpr double kMaxStep = 0.1;        // … and the rate grows for no more

constexpr std::chrono::seconds kHold{1}; // no growth so soon after the link was full: the encoder takes some frames
constexpr std::chrono::seconds kDrainAfter{2}; // full for so long at a lower rate: the base round trip is in doubt

constexpr int kFirstAcks = 4; // until then the shortest round trip may be a key frame's

// Growth of the rate, by a factor of e in a second.
constexpr double kMaxGrowth = 0.7;
constexpr double kMinGrowth = 0.02;
constexpr double kCatchUp = 2.0; // for each time that the measured rate is above it

constexpr double kPassed = 1.25;      // so far above the rate that failed the link is another
constexpr double kLeastRate = 1000.0; // bytes a second
constexpr double kMostOfMax = 4.0;    // no more of the highest bitrate is learned: a key frame passes at once with it
constexpr double kBusyEncoder = 0.7;  // an encoder that makes less of what it may says nothing of the link

double seconds(VideoFlowControl::Duration duration)
{
    return std::max(0.0, std::chrono::duration<double>(duration).count());
}

VideoFlowControl::Duration duration(double seconds)
{
    return std::chrono::duration_cast<VideoFlowControl::Duration>(
        std::chrono::duration<double>(std::min(seconds, 3600.0)));
}

} // namespace

VideoFlowControl::VideoFlowControl(Limits limits) : limits_(limits), link_(limits.start / kUse / 8) {}

std::uint32_t VideoFlowControl::bitrate() const
{
    return static_cast<std::uint32_t>(
        std::clamp(link_ * kUse * 8, static_cast<double>(limits_.min), static_cast<double>(limits_.max)));
}

bool VideoFlowControl::maySend(Time now) const
{
    if (in_flight_.empty())
        return true;
    if (acks_ < kFirstAcks)
        return in_flight_.size() < 2;
    return !draining(now) && in_flight_bytes_ <= rateNow(now) * (base() + seconds(kSlack));
}

void VideoFlowControl::onSent(std::uint64_t sequence, std::size_t bytes, Time now)
{
    const double size = std::max(1.0, static_cast<double>(bytes));
    in_flight_.push_back({sequence, size, in_flight_bytes_, now});
    in_flight_bytes_ += size;
    last_sequence_ = sequence;
}

void VideoFlowControl::clear()
{
    in_flight_.clear();
    in_flight_bytes_ = 0.0;
}

bool VideoFlowControl::onAcknowledged(std::uint64_t sequence, Time now)
{
    if (sequence == 0 || sequence > last_sequence_)
        return false;
    // An old acknowledgement again (or of a frame that a later one covered) is no news.
    if (in_flight_.empty() || sequence < in_flight_.front().sequence)
        return true;

    const double busy = busySince(in_flight_.front(), now);
    const double elapsed = std::min(seconds(now - last_ack_), kMaxElapsed);
    Sent frame{};
    double bytes = 0.0;
    while (!in_flight_.empty() && in_flight_.front().sequence <= sequence) {
        frame = in_flight_.front();
        bytes += frame.bytes;
        in_flight_.pop_front();
    }
    in_flight_bytes_ = in_flight_.empty() ? 0.0 : in_flight_bytes_ - bytes;
    last_ack_ = now;
    acks_ = std::min(acks_ + 1, kFirstAcks);

    const double kept = std::exp(-elapsed / kMeasureMemory);
    delivered_ = delivered_ * kept + bytes;
    busy_ = busy_ * kept + busy;
    elapsed_ = elapsed_ * kept + elapsed;
    last_rate_ = busy > 0.0 ? bytes / busy : link_;

    const double round_trip = seconds(now - frame.at);
    // Whatever else was in its way, the link carried it in this time.
    if (round_trip > 0.0)
        link_ = std::max(link_, std::min(frame.bytes / round_trip, kMostOfMax * limits_.max / 8));
    learnBase(frame, round_trip, now);
    learnQueue(frame, round_trip, elapsed, now);
    adaptRate(elapsed, now);
    return frame.sequence == sequence; // between two that were sent: this viewer never got it
}

// What the frame itself takes is no part of it, as far as the link's rate is known. That may be far too low, after a
// stall or before the link was ever full, so no more is taken off than a small frame takes on a link that is well used.
void VideoFlowControl::learnBase(const Sent &frame, double round_trip, Time now)
{
    const double transfer = frame.bytes / link_;
    if (draining(now) && frame.ahead == 0.0) {
        base_ = Base{std::clamp(round_trip - transfer, 0.0, std::min(base() + kMaxLonger, kMaxBase)), now};
        next_base_.reset();
        full_since_ = now;
    } else {
        remember({std::clamp(round_trip - std::min(transfer, kBaseTransfer), 0.0, kMaxBase), now});
    }
}

void VideoFlowControl::remember(const Base &sample)
{
    if (!base_ || sample.seconds <= base_->seconds) {
        base_ = sample;
        next_base_.reset();
        return;
    }
    if (sample.at - base_->at > kBaseMemory / 2 && (!next_base_ || sample.seconds <= next_base_->seconds))
        next_base_ = sample;
    if (sample.at - base_->at > kBaseMemory) {
        base_ = next_base_ ? *next_base_ : sample;
        next_base_.reset();
    }
}

void VideoFlowControl::learnQueue(const Sent &frame, double round_trip, double elapsed, Time now)
{
    const double late = round_trip - base() - frame.bytes / link_;
    // What was in flight then was on its way and in no queue.
    if (frame.ahead <= 0.8 * link_ * base())
        jitter_ += (std::clamp(late, 0.0, seconds(kMaxJitter)) - jitter_) / 8;
    // By time and not by frame: those that a stall held back come at once.
    queue_ += (std::clamp(late - jitter_, 0.0, kMaxQueue) - queue_) * std::min(elapsed, kQueueWeight) / kQueueMemory;
    if (queue_ <= seconds(kFullQueue))
        full_since_.reset();
    else if (!full_since_)
        full_since_ = now;
}

void VideoFlowControl::adaptRate(double elapsed, Time now)
{
    const double most = kMostOfMax * limits_.max / 8;
    const double measured = busy_ > 0.0 ? std::max(delivered_ / busy_, kLeastRate) : most;
    if (full_since_) {
        if (measured < link_) {
            link_ = measured;
            failed_ = measured;
            failed_at_ = now;
        }
        return;
    }
    const double may = std::min(link_ * kUse, limits_.max / 8.0);
    if ((failed_ > 0.0 && now - failed_at_ < kHold) || delivered_ < kBusyEncoder * may * elapsed_)
        return;
    const double growth =
        failed_ > 0.0 ? std::clamp(kCatchUp * (measured / link_ - 1.0), kMinGrowth, kMaxGrowth) : kMaxGrowth;
    link_ = std::min(link_ * std::exp(growth * std::min(elapsed, kMaxStep)), most);
    if (link_ > kPassed * failed_)
        failed_ = 0.0;
}

// A link that stays full although the rate was lowered may only have become longer. One frame alone tells.
bool VideoFlowControl::draining(Time now) const
{
    return full_since_ && now - *full_since_ >= kDrainAfter;
}

double VideoFlowControl::busySince(const Sent &frame, Time now) const
{
    return std::min(seconds(now - last_ack_), std::max(0.0, seconds(now - frame.at) - base() - jitter_));
}

// While the link is full it may have become slower than is measured by now. An acknowledgement that is overdue says how
// fast it is at most.
double VideoFlowControl::rateNow(Time now) const
{
    const double rate = full_since_ ? std::min(link_, last_rate_) : link_;
    if (in_flight_.empty())
        return rate;
    const Sent &oldest = in_flight_.front();
    const double busy = busySince(oldest, now) - kOverdue;
    return busy * rate > oldest.bytes ? oldest.bytes / busy : rate;
}

VideoFlowControl::Duration VideoFlowControl::transferTime(std::size_t bytes, Time now) const
{
    if (acks_ == 0)
        return Duration::zero();
    const double rate = rateNow(now);
    return duration(std::max(0.0, in_flight_bytes_ / rate - base()) + static_cast<double>(bytes) / rate);
}

VideoFlowControl::Duration VideoFlowControl::shortestRoundTrip() const
{
    return duration(base());
}

VideoFlowControl::Duration VideoFlowControl::silence(Time now) const
{
    if (in_flight_.empty())
        return Duration::zero();
    return now - std::max(last_ack_, in_flight_.front().at);
}

} // namespace picam
