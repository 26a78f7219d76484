// A camera, an encoder of inter-frame video and one viewer behind a bottleneck, in simulated time, for flow control:
// the link's rate changes, it loses packets and pauses; the viewer acknowledges at receipt, with its display or in
// batches. The same seed gives the same run.
#pragma once

#include "streamd/viewers/video_flow_control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace picam::testing {

inline constexpr VideoFlowControl::Limits kLimits{100'000, 4'000'000, 800'000};
// Times are seconds.
inline constexpr double kNever = 1e9;

struct Rate {
    double from;
    double bits_per_second;
};

struct Link {
    std::vector<Rate> rates;
    double round_trip = 0.02;
    double loss = 0.0;      // of the packets
    bool stalls = false;    // a WLAN's: 100 to 200 ms, each 2 to 5 s
    double detour = kNever; // from when on the round trip is 80 ms longer
};

struct Receiver {
    double refresh = 0.0; // its display's, in which it paints the newest frame and acknowledges; zero: at receipt
    double jitter = 0.0;  // that it takes longer at most
    std::size_t batch = 1;
};

struct Content {
    double key_bytes = 55e3;      // at full size: the pan, VGA
    double key_interval = kNever; // in which a key frame is requested
    double spread = 0.35;         // of the logarithm of a frame's size
    double detail = kNever;       // bits a second at most, however many there may be
    double motion = 1.0;          // frames are so many times as large for 0.2 s every 4 s: the rate control comes late
};

inline constexpr Content kDay{.key_bytes = 14e3};
inline constexpr Content k720p{.key_bytes = 116e3};

struct VideoCase {
    const char *name;
    Link link;
    Receiver receiver = {};
    Content content = {};
    double seconds = 60.0;
    double fps = 30.0;
};

class SimulatedVideo {
public:
    SimulatedVideo(const VideoCase &c, unsigned seed) : c_(c), random_(seed), encoder_bitrate_(kLimits.start)
    {
        if (c.link.stalls)
            for (double t = 2.0; t < c.seconds; t += uniform(2.0, 5.0))
                stalls_.emplace_back(t, t + uniform(0.1, 0.2));
        run();
    }

    // All of what was captured (or arrived) since `from`.
    [[nodiscard]] double fps(double from) const
    {
        const auto count =
            std::count_if(frames_.begin(), frames_.end(), [&](const auto &f) { return f.captured >= from; });
        return static_cast<double>(count) / (c_.seconds - from);
    }
    [[nodiscard]] double age(double quantile, double from) const
    {
        std::vector<double> ages;
        for (const auto &f : frames_)
            if (f.captured >= from)
                ages.push_back(f.arrived - f.captured);
        std::sort(ages.begin(), ages.end());
        return ages.empty() ? kNever : ages[static_cast<std::size_t>(quantile * static_cast<double>(ages.size() - 1))];
    }
    // The part that was carried of what the link could have.
    [[nodiscard]] double use(double from) const
    {
        double bits = 0.0;
        for (const auto &f : frames_)
            if (f.arrived >= from && f.arrived < c_.seconds)
                bits += 8 * f.bytes;
        double could = 0.0;
        for (double t = from; t < c_.seconds; t += 0.001)
            could += 0.001 * rateAt(t);
        return bits / could;
    }

    VideoFlowControl flow{kLimits};
    double highest_at = kNever; // when the bitrate was first the highest
    std::size_t max_in_flight = 0;

private:
    [[nodiscard]] static VideoFlowControl::Time at(double seconds)
    {
        return VideoFlowControl::Time{std::chrono::hours(1)} +
               std::chrono::duration_cast<VideoFlowControl::Duration>(std::chrono::duration<double>(seconds));
    }

    struct Frame {
        double captured;
        double arrived;
        double bytes;
    };
    struct Ack {
        double at;
        std::uint64_t sequence;
    };
    static constexpr double kAckDelay = 0.1;   // an acknowledgement of less than a batch is put off no longer …
    static constexpr double kSingleAcks = 5.0; // … and after one that was there are no batches for so long

    double uniform(double from, double to)
    {
        return from + (to - from) * static_cast<double>(random_()) / 4294967296.0;
    }
    double normal() // std::normal_distribution is not the same in each library
    {
        return std::sqrt(-2 * std::log(1 - uniform(0, 1))) * std::cos(uniform(0, 6.283185307));
    }

    [[nodiscard]] double rateAt(double t) const
    {
        for (const auto &[from, to] : stalls_)
            if (from <= t && t < to)
                return 0.0;
        double rate = 0.0;
        for (const auto &step : c_.link.rates)
            if (step.from <= t)
                rate = step.bits_per_second;
        return rate;
    }
    // When the link is through with so many bytes.
    [[nodiscard]] double carried(double t, double bytes) const
    {
        for (double bits = bytes * 8;;) {
            double next = kNever;
            for (const auto &step : c_.link.rates)
                if (step.from > t)
                    next = std::min(next, step.from);
            for (const auto &[from, to] : stalls_)
                for (const double edge : {from, to})
                    if (edge > t)
                        next = std::min(next, edge);
            const double rate = rateAt(t);
            if (rate * (next - t) >= bits)
                return t + bits / rate;
            bits -= rate * (next - t);
            t = next;
        }
    }

    void send(double now, double bytes)
    {
        flow.onSent(++sequence_, static_cast<std::size_t>(bytes), at(now));
        max_in_flight = std::max(max_in_flight, flow.inFlight());
        const double round_trip = c_.link.round_trip + (now >= c_.link.detour ? 0.08 : 0.0);
        link_free_ = carried(std::max(link_free_, now), bytes);
        arrived_ = std::max(arrived_, link_free_ + round_trip / 2);
        // What is lost is sent again after a round trip, some of it only after a timeout; it holds up what follows.
        for (double sent = 0.0; sent < bytes; sent += 1400)
            if (uniform(0, 1) < c_.link.loss)
                arrived_ = std::max(arrived_, link_free_ + 1.5 * round_trip + (uniform(0, 1) < 0.95 ? 0.01 : 0.2));
        frames_.push_back({now, arrived_, bytes});

        double painted = arrived_ + uniform(0, c_.receiver.jitter);
        if (c_.receiver.refresh > 0)
            painted = std::ceil(painted / c_.receiver.refresh) * c_.receiver.refresh;
        painted_ = std::max(painted_, painted);
        acknowledgeDelayed(painted_);
        if (owed_++ == 0)
            owed_since_ = painted_;
        owed_sequence_ = sequence_;
        if (owed_ >= (painted_ < single_acks_until_ ? 1 : c_.receiver.batch))
            acknowledge(painted_ + round_trip / 2);
    }
    void acknowledge(double heard)
    {
        owed_ = 0;
        if (c_.receiver.refresh > 0 && !acks_.empty() && acks_.back().at >= heard)
            acks_.back().sequence = owed_sequence_; // both came in one refresh
        else
            acks_.push_back({heard, owed_sequence_});
    }
    void acknowledgeDelayed(double until)
    {
        const double at = owed_since_ + kAckDelay;
        if (owed_ == 0 || at > until)
            return;
        single_acks_until_ = at + kSingleAcks;
        acknowledge(at + c_.link.round_trip / 2);
    }

    void hear(double until)
    {
        acknowledgeDelayed(until);
        while (!acks_.empty() && acks_.front().at <= until) {
            EXPECT_TRUE(flow.onAcknowledged(acks_.front().sequence, at(acks_.front().at)));
            acks_.pop_front();
        }
    }

    void run()
    {
        double last = -1 / c_.fps;
        double next_key = 0.0;
        for (double now = 0.0; now < c_.seconds; now += 1 / c_.fps) {
            hear(now);
            if (flow.bitrate() == kLimits.max)
                highest_at = std::min(highest_at, now);
            if (!flow.maySend(at(now)))
                continue;
            // A rate control comes to a new rate in some frames. It gives a frame the bits of the time since the last.
            encoder_bitrate_ += (std::min<double>(flow.bitrate(), c_.content.detail) - encoder_bitrate_) / 6;
            const double spread = c_.content.spread;
            double bytes = encoder_bitrate_ / 8 * std::min(now - last, 2 / c_.fps) *
                           std::exp(spread * normal() - spread * spread / 2);
            if (std::fmod(now, 4.0) < 0.2)
                bytes *= c_.content.motion;
            if (now >= next_key) {
                bytes = c_.content.key_bytes;
                next_key = now + c_.content.key_interval;
            }
            if (flow.transferTime(static_cast<std::size_t>(bytes), at(now)) > std::chrono::milliseconds(250))
                bytes /= 4;
            last = now;
            send(now, std::max(bytes, 60.0));
        }
    }

    const VideoCase c_;
    std::mt19937 random_;
    std::vector<std::pair<double, double>> stalls_;
    std::vector<Frame> frames_;
    double encoder_bitrate_;
    std::uint64_t sequence_ = 0;
    double link_free_ = 0.0;
    double arrived_ = 0.0;
    double painted_ = 0.0;
    std::size_t owed_ = 0; // painted and not acknowledged, since when
    double owed_since_ = 0.0;
    std::uint64_t owed_sequence_ = 0;
    double single_acks_until_ = 0.0;
    std::deque<Ack> acks_;
};

} // namespace picam::testing
