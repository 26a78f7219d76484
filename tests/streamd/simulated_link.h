// A link in simulated time, for flow control: so many bits a second, so long a way, a receiver that paints in so long
// and acknowledges each frame, or only every few. Frames wait in line in front of the bottleneck, as they do in a
// proxy's and a kernel's buffers.
#pragma once

#include "streamd/viewers/flow_control.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace picam::testing {

class SimulatedLink {
public:
    using Time = FlowControl::Time;
    using Duration = FlowControl::Duration;

    struct Link {
        double bits_per_second = 1e9;
        std::chrono::microseconds round_trip{0};
        std::chrono::microseconds paint{0};  // the receiver's time for each frame, one after another
        std::chrono::microseconds jitter{0}; // of the painting, evenly spread
    };
    struct Painted {
        Time at;
        Duration age;
    };

    SimulatedLink(Link link, double fps, std::size_t bytes) : link_(link), interval_(1.0 / fps), bytes_(bytes) {}

    void setLink(Link link) { link_ = link; }
    // The receiver acknowledges every so many frames, and none later than kAckDelay: after one that it had put off so
    // long it acknowledges each frame for a while (as html/acknowledger.js does).
    std::size_t ack_batch = 1;
    static constexpr std::chrono::milliseconds kAckDelay{100};
    static constexpr std::chrono::seconds kSingleAcks{5};
    // The size of frame n; the constant one where not set.
    std::function<std::size_t(std::uint64_t)> size_of;

    // Lets so much time pass.
    void run(std::chrono::duration<double> duration)
    {
        const Time end = now_ + std::chrono::duration_cast<Duration>(duration);
        while (true) {
            const Time next_ack = acks_.empty() ? Time::max() : acks_.front().at;
            const Time next_paint = paints_.empty() ? Time::max() : paints_.front().at;
            const Time delayed = owed_ > 0 ? owed_since_ + kAckDelay : Time::max();
            const Time next = std::min({next_frame_, next_ack, next_paint, delayed});
            if (next > end)
                break;
            now_ = next;
            if (next == next_paint) {
                paint(paints_.front().sequence);
                paints_.pop();
            } else if (next == delayed) {
                single_acks_until_ = now_ + kSingleAcks;
                acknowledge();
            } else if (next == next_ack) {
                const Event ack = acks_.front();
                acks_.pop();
                if (!flow.onAcknowledged(ack.sequence, now_, ack.batch))
                    ++refused_acks;
                send();
            } else {
                pending_ = {++sequence_, now_};
                next_frame_ += std::chrono::duration_cast<Duration>(interval_);
                send();
            }
        }
        now_ = end;
    }

    [[nodiscard]] Duration transferTime() const
    {
        return seconds(static_cast<double>(bytes_) * 8 / link_.bits_per_second);
    }
    // Of the frames painted since `from`.
    [[nodiscard]] double framesPerSecond(Time from) const
    {
        const auto count = std::count_if(painted.begin(), painted.end(), [&](const auto &p) { return p.at >= from; });
        return static_cast<double>(count) / std::chrono::duration<double>(now_ - from).count();
    }
    [[nodiscard]] double ageQuantile(double q, Time from) const
    {
        std::vector<double> ages;
        for (const auto &p : painted)
            if (p.at >= from)
                ages.push_back(std::chrono::duration<double>(p.age).count());
        std::sort(ages.begin(), ages.end());
        return ages.empty() ? 0.0 : ages[static_cast<std::size_t>(q * static_cast<double>(ages.size() - 1))];
    }
    [[nodiscard]] Time now() const { return now_; }

    FlowControl flow;
    std::vector<Painted> painted;
    int acks = 0;
    int refused_acks = 0;

private:
    struct Event {
        std::uint64_t sequence;
        Time at;
        std::size_t batch = 1; // what an acknowledgement says
    };
    struct Frame {
        std::uint64_t sequence = 0; // 0: none
        Time captured;
    };

    static Duration seconds(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

    void send()
    {
        if (pending_.sequence == 0)
            return;
        if (!flow.maySend(now_)) {
            flow.onHeldBack();
            return;
        }
        const std::size_t bytes = size_of ? size_of(pending_.sequence) : bytes_;
        flow.onSent(pending_.sequence, bytes, now_);
        link_free_ = std::max(link_free_, now_) + seconds(static_cast<double>(bytes) * 8 / link_.bits_per_second);
        const Time arrived = link_free_ + link_.round_trip / 2;
        random_ = random_ * 1664525U + 1013904223U;
        const auto jitter = link_.jitter * (random_ >> 16U) / 65536;
        painter_free_ = std::max(painter_free_, arrived) + link_.paint + jitter;
        painted.push_back({painter_free_, painter_free_ - pending_.captured});
        paints_.push({pending_.sequence, painter_free_});
        pending_ = {};
    }

    void paint(std::uint64_t sequence)
    {
        last_painted_ = sequence;
        if (++owed_ == 1)
            owed_since_ = now_;
        if (owed_ >= agreed_)
            acknowledge();
    }
    void acknowledge()
    {
        agreed_ = now_ < single_acks_until_ ? 1 : ack_batch;
        acks_.push({last_painted_, now_ + link_.round_trip / 2, agreed_});
        ++acks;
        owed_ = 0;
    }

    Link link_;
    const std::chrono::duration<double> interval_;
    const std::size_t bytes_;
    Time now_{std::chrono::hours(1)};
    Time next_frame_ = now_;
    Time link_free_ = now_;
    Time painter_free_ = now_;
    std::uint64_t sequence_ = 0;
    std::uint32_t random_ = 1;
    Frame pending_;
    std::queue<Event> paints_;
    std::queue<Event> acks_;
    std::uint64_t last_painted_ = 0;
    std::size_t owed_ = 0; // painted and not acknowledged, since when
    Time owed_since_{};
    std::size_t agreed_ = 1; // what the last acknowledgement said
    Time single_acks_until_{};
};

} // namespace picam::testing
