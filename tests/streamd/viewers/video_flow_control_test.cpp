#include "streamd/viewers/video_flow_control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace picam {
namespace {

using namespace std::chrono_literals;
using Time = VideoFlowControl::Time;
using Duration = VideoFlowControl::Duration;
using Limits = VideoFlowControl::Limits;

constexpr Limits kLimits{100'000, 4'000'000, 800'000};
constexpr double kFps = 30.0;
constexpr double kNever = 1e9;
const Time kStart{1h};

Duration duration(double seconds)
{
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Times are seconds.
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
};

constexpr Content kDay{.key_bytes = 14e3};
constexpr Content k720p{.key_bytes = 116e3};

struct Case {
    const char *name;
    Link link;
    Receiver receiver = {};
    Content content = {};
    double seconds = 60.0;
};

// A camera, an encoder and one viewer behind a bottleneck with a queue.
class Simulation {
public:
    Simulation(const Case &c, unsigned seed) : c_(c), random_(seed), encoder_bitrate_(kLimits.start)
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
    double bitrate = 0.0;       // mean after two seconds
    std::size_t max_in_flight = 0;

private:
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
        flow.onSent(++sequence_, static_cast<std::size_t>(bytes), kStart + duration(now));
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
            EXPECT_TRUE(flow.onAcknowledged(acks_.front().sequence, kStart + duration(acks_.front().at)));
            acks_.pop_front();
        }
    }

    void run()
    {
        double last = -1 / kFps;
        double next_key = 0.0;
        for (double now = 0.0; now < c_.seconds; now += 1 / kFps) {
            hear(now);
            if (flow.bitrate() == kLimits.max)
                highest_at = std::min(highest_at, now);
            if (now >= 2.0)
                bitrate += flow.bitrate() / kFps / (c_.seconds - 2.0);
            if (!flow.maySend(kStart + duration(now)))
                continue;
            // A rate control comes to a new rate in some frames. It gives a frame the bits of the time since the last.
            encoder_bitrate_ += (std::min<double>(flow.bitrate(), c_.content.detail) - encoder_bitrate_) / 6;
            const double spread = c_.content.spread;
            double bytes = encoder_bitrate_ / 8 * std::min(now - last, 2 / kFps) *
                           std::exp(spread * normal() - spread * spread / 2);
            if (now >= next_key) {
                bytes = c_.content.key_bytes;
                next_key = now + c_.content.key_interval;
            }
            if (flow.transferTime(static_cast<std::size_t>(bytes), kStart + duration(now)) > 250ms)
                bytes /= 4;
            last = now;
            send(now, std::max(bytes, 60.0));
        }
    }

    const Case c_;
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

struct Bar {
    Case c;
    double min_fps;
    double max_age; // p99
    double min_use = 0.0;
    double highest_within = kNever;
};

void PrintTo(const Bar &bar, std::ostream *out)
{
    *out << bar.c.name;
}

class VideoFlowControlOnLink : public ::testing::TestWithParam<Bar> {};

TEST_P(VideoFlowControlOnLink, FreshAndBusy)
{
    const Bar &bar = GetParam();
    double fps = kNever, p50 = 0, p99 = 0, use = kNever, highest = 0, rate = 0;
    for (unsigned seed = 1; seed <= 10; ++seed) {
        const Simulation s(bar.c, seed);
        EXPECT_GE(s.fps(2.0), bar.min_fps) << seed;
        EXPECT_LE(s.age(0.99, 2.0), bar.max_age) << seed;
        EXPECT_GE(s.use(2.0), bar.min_use) << seed;
        EXPECT_LE(s.highest_at, bar.highest_within) << seed;
        EXPECT_LE(s.max_in_flight, 16U) << seed;
        fps = std::min(fps, s.fps(2));
        p50 = std::max(p50, s.age(.5, 2));
        p99 = std::max(p99, s.age(.99, 2));
        use = std::min(use, s.use(2));
        highest = std::max(highest, s.highest_at);
        rate += s.bitrate / 10;
    }
    if (std::getenv("TABLE"))
        std::printf("| %s | %.1f | %.0f | %.0f | %.0f | %.0f | %.1f |\n", bar.c.name, fps, p50 * 1e3, p99 * 1e3,
                    use * 100, rate / 1e3, highest > 1e8 ? -1 : highest);
}

const std::vector<Rate> k1M{{0, 1e6}};
const std::vector<Rate> k10M{{0, 10e6}};
const std::vector<Rate> k100M{{0, 100e6}};
const std::vector<Rate> k2MTo500kTo2M{{0, 2e6}, {5, 0.5e6}, {10, 2e6}};
const std::vector<Rate> k1MTo200kTo1M{{0, 1e6}, {5, 0.2e6}, {10, 1e6}};
constexpr Receiver k60Hz{.refresh = 1 / 60.0};
constexpr Receiver kSlowPainter{.jitter = 0.05};
constexpr Receiver kBatches{.batch = 4};

INSTANTIATE_TEST_SUITE_P(
    Links, VideoFlowControlOnLink,
    ::testing::Values(Bar{{"slow", {k1M}}, 28.0, 0.14, 0.7}, Bar{{"slow_day", {k1M}, {}, kDay}, 28.0, 0.14, 0.7},
                      Bar{{"slow_720p", {k1M}, {}, k720p}, 28.0, 0.16, 0.7},
                      Bar{{"slow_keys", {k1M}, {}, {.key_interval = 5.0}}, 28.0, 0.16, 0.7},
                      Bar{{"slow_720p_keys", {k1M}, {}, {.key_bytes = 116e3, .key_interval = 5.0}}, 27.0, 0.2, 0.7},
                      Bar{{"slow_uneven", {k1M}, {}, {.spread = 0.6}}, 25.0, 0.2, 0.7},
                      Bar{{"slow_100ms", {k1M, 0.1}}, 28.0, 0.2, 0.7},
                      Bar{{"slow_60hz", {k1M}, k60Hz}, 28.0, 0.15, 0.7},
                      Bar{{"slow_60hz_uneven", {k1M}, {.refresh = 1 / 60.0, .jitter = 0.016}}, 28.0, 0.15, 0.7},
                      Bar{{"slow_painter", {k1M}, kSlowPainter}, 26.0, 0.15, 0.6},
                      Bar{{"slow_batches", {k1M}, kBatches}, 27.0, 0.15, 0.7},
                      Bar{{"slow_lossy", {k1M, 0.02, 0.01}}, 28.0, 0.15, 0.7},
                      Bar{{"slow_stalls", {k1M, 0.02, 0.0, true}}, 26.0, 0.25, 0.6},
                      Bar{{"slow_all", {k1M, 0.02, 0.01, true}, k60Hz, {.key_interval = 5.0}}, 24.0, 0.25, 0.6},
                      Bar{{"2M", {{{0, 2e6}}}}, 28.0, 0.14, 0.7}, Bar{{"500k", {{{0, 0.5e6}}}}, 28.0, 0.17, 0.7},
                      Bar{{"2M_500k_2M", {k2MTo500kTo2M}, {}, {}, 15.0}, 20.0, 0.3, 0.7},
                      Bar{{"2M_500k_2M_60hz", {k2MTo500kTo2M}, k60Hz, {}, 15.0}, 20.0, 0.3, 0.65},
                      Bar{{"2M_500k_2M_100ms", {k2MTo500kTo2M, 0.1}, {}, {}, 15.0}, 20.0, 0.4, 0.65},
                      Bar{{"1M_200k_1M", {k1MTo200kTo1M}, {}, {}, 15.0}, 20.0, 0.3, 0.7},
                      Bar{{"1M_200k_1M_day", {k1MTo200kTo1M}, {}, kDay, 15.0}, 20.0, 0.3, 0.7},
                      Bar{{"1M_200k_for_1s", {{{0, 1e6}, {5, 0.2e6}, {6, 1e6}}}, {}, {}, 15.0}, 24.0, 0.25, 0.7},
                      Bar{{"100M_1M_100M", {{{0, 100e6}, {5, 1e6}, {10, 100e6}}}, {}, {}, 15.0}, 22.0, 0.3},
                      Bar{{"10M", {k10M}}, 29.9, 0.1, 0.0, 5.0}, Bar{{"10M_100ms", {k10M, 0.1}}, 29.9, 0.15, 0.0, 5.0},
                      Bar{{"10M_day", {k10M}, {}, kDay}, 29.9, 0.1, 0.0, 5.0},
                      Bar{{"100M", {k100M}}, 29.9, 0.03, 0.0, 5.0},
                      Bar{{"100M_100ms", {k100M, 0.1}}, 29.9, 0.07, 0.0, 5.0},
                      Bar{{"100M_100ms_day", {k100M, 0.1}, {}, kDay}, 29.9, 0.07, 0.0, 5.0},
                      Bar{{"100M_100ms_keys", {k100M, 0.1}, {}, {.key_interval = 5.0}}, 29.9, 0.07, 0.0, 5.0},
                      Bar{{"100M_100ms_60hz", {k100M, 0.1}, k60Hz}, 29.9, 0.07, 0.0, 5.0},
                      Bar{{"100M_100ms_painter", {k100M, 0.1}, kSlowPainter}, 29.5, 0.07, 0.0, 8.0},
                      Bar{{"100M_batches", {k100M}, kBatches}, 29.5, 0.03, 0.0, 5.0},
                      Bar{{"100M_100ms_batches", {k100M, 0.1}, kBatches}, 29.0, 0.07, 0.0, 8.0},
                      Bar{{"local_60hz", {{{0, 1e9}}, 0.0002}, k60Hz, kDay}, 29.9, 0.01, 0.0, 5.0},
                      Bar{{"10M_lossy", {k10M, 0.02, 0.01}}, 28.5, 0.3, 0.0, 5.0},
                      Bar{{"10M_100ms_lossy", {k10M, 0.1, 0.01}}, 24.0, 0.4},
                      Bar{{"10M_stalls", {k10M, 0.02, 0.0, true}}, 28.5, 0.25, 0.0, 5.0},
                      Bar{{"10M_all", {k10M, 0.02, 0.01, true}, k60Hz, {.key_interval = 5.0}}, 26.0, 0.3},
                      Bar{{"longer", {k100M, 0.02, 0.0, false, 10.0}}, 26.0, 0.15, 0.0, 5.0},
                      Bar{{"longer_slow", {k1M, 0.02, 0.0, false, 10.0}}, 26.0, 0.3, 0.65}),
    [](const auto &test) { return std::string(test.param.c.name); });

} // namespace
} // namespace picam
