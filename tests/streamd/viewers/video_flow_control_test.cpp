#include "streamd/viewers/video_flow_control.h"

#include "tests/streamd/simulated_video.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace picam {
namespace {

using namespace std::chrono_literals;
using testing::Content;
using testing::k720p;
using testing::kDay;
using testing::kLimits;
using testing::kNever;
using testing::Rate;
using testing::Receiver;
using testing::SimulatedVideo;
using testing::VideoCase;
using Time = VideoFlowControl::Time;
using Limits = VideoFlowControl::Limits;

const Time kStart{1h};

struct Bar {
    VideoCase c;
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
    constexpr unsigned kRuns = 10;
    double use = 0.0;
    for (unsigned seed = 1; seed <= kRuns; ++seed) {
        const SimulatedVideo s(bar.c, seed);
        EXPECT_GE(s.fps(2.0), bar.min_fps) << "seed " << seed;
        EXPECT_LE(s.age(0.99, 2.0), bar.max_age) << "seed " << seed;
        EXPECT_LE(s.highest_at, bar.highest_within) << "seed " << seed;
        EXPECT_LE(s.max_in_flight, 16U) << "seed " << seed;
        use += s.use(2.0) / kRuns;
    }
    EXPECT_GE(use, bar.min_use);
}

const std::vector<Rate> k1M{{0, 1e6}};
const std::vector<Rate> k10M{{0, 10e6}};
const std::vector<Rate> k100M{{0, 100e6}};
const std::vector<Rate> k2MTo500kTo2M{{0, 2e6}, {5, 0.5e6}, {10, 2e6}};
const std::vector<Rate> k1MTo200kTo1M{{0, 1e6}, {5, 0.2e6}, {10, 1e6}};
constexpr Receiver k60Hz{.refresh = 1 / 60.0};
constexpr Receiver kUneven60Hz{.refresh = 1 / 60.0, .jitter = 0.016};
constexpr Receiver kSlowPainter{.jitter = 0.05};
constexpr Receiver kBatches{.batch = 4};
constexpr Content kKeys{.key_interval = 5.0};

INSTANTIATE_TEST_SUITE_P(
    Links, VideoFlowControlOnLink,
    ::testing::Values(
        Bar{{"slow", {k1M}}, 28.5, 0.14, 0.8}, Bar{{"slow_day", {k1M}, {}, kDay}, 28.5, 0.14, 0.8},
        Bar{{"slow_720p", {k1M}, {}, k720p}, 28.5, 0.15, 0.8}, Bar{{"slow_keys", {k1M}, {}, kKeys}, 28.0, 0.16, 0.8},
        Bar{{"slow_720p_keys", {k1M}, {}, {.key_bytes = 116e3, .key_interval = 5.0}}, 27.0, 0.2, 0.8},
        Bar{{"slow_uneven", {k1M}, {}, {.spread = 0.6}}, 26.0, 0.19, 0.75},
        Bar{{"slow_motion", {k1M}, {}, {.motion = 3.0}}, 26.5, 0.19, 0.8},
        Bar{{"slow_10fps", {k1M}, {}, {}, 60.0, 10.0}, 6.5, 0.45, 0.8}, Bar{{"slow_100ms", {k1M, 0.1}}, 28.0, 0.2, 0.8},
        Bar{{"slow_60hz", {k1M}, k60Hz}, 28.0, 0.15, 0.8},
        Bar{{"slow_60hz_uneven", {k1M}, kUneven60Hz}, 28.0, 0.15, 0.8},
        Bar{{"slow_painter", {k1M}, kSlowPainter}, 26.0, 0.15, 0.6},
        Bar{{"slow_batches", {k1M}, kBatches}, 28.0, 0.15, 0.75},
        Bar{{"slow_lossy", {k1M, 0.02, 0.01}}, 27.5, 0.24, 0.7},
        Bar{{"slow_stalls", {k1M, 0.02, 0.0, true}}, 26.0, 0.27, 0.65},
        Bar{{"slow_all", {k1M, 0.02, 0.01, true}, k60Hz, kKeys}, 24.0, 0.3, 0.65},
        Bar{{"2M", {{{0, 2e6}}}}, 28.5, 0.14, 0.8}, Bar{{"500k", {{{0, 0.5e6}}}}, 28.0, 0.25, 0.8},
        Bar{{"2M_500k_2M", {k2MTo500kTo2M}, {}, {}, 15.0}, 21.0, 0.28, 0.72},
        Bar{{"2M_500k_2M_60hz", {k2MTo500kTo2M}, k60Hz, {}, 15.0}, 20.0, 0.29, 0.68},
        Bar{{"2M_500k_2M_100ms", {k2MTo500kTo2M, 0.1}, {}, {}, 15.0}, 19.0, 0.55, 0.65},
        Bar{{"1M_200k_1M", {k1MTo200kTo1M}, {}, {}, 15.0}, 21.0, 0.28, 0.72},
        Bar{{"1M_200k_1M_day", {k1MTo200kTo1M}, {}, kDay, 15.0}, 21.0, 0.28, 0.72},
        Bar{{"1M_200k_for_1s", {{{0, 1e6}, {5, 0.2e6}, {6, 1e6}}}, {}, {}, 15.0}, 25.0, 0.25, 0.72},
        Bar{{"100M_1M_100M", {{{0, 100e6}, {5, 1e6}, {10, 100e6}}}, {}, {}, 15.0}, 22.0, 0.28},
        Bar{{"10M", {k10M}}, 29.9, 0.06, 0.0, 5.0}, Bar{{"10M_100ms", {k10M, 0.1}}, 29.9, 0.1, 0.0, 5.0},
        Bar{{"10M_day", {k10M}, {}, kDay}, 29.9, 0.06, 0.0, 5.0}, Bar{{"100M", {k100M}}, 29.9, 0.02, 0.0, 5.0},
        Bar{{"100M_100ms", {k100M, 0.1}}, 29.9, 0.06, 0.0, 5.0},
        Bar{{"100M_100ms_day", {k100M, 0.1}, {}, kDay}, 29.9, 0.06, 0.0, 5.0},
        Bar{{"100M_100ms_keys", {k100M, 0.1}, {}, kKeys}, 29.9, 0.06, 0.0, 5.0},
        Bar{{"100M_100ms_60hz", {k100M, 0.1}, k60Hz}, 29.9, 0.06, 0.0, 5.0},
        Bar{{"100M_100ms_painter", {k100M, 0.1}, kSlowPainter}, 29.5, 0.06, 0.0, 20.0},
        Bar{{"100M_batches", {k100M}, kBatches}, 29.5, 0.02, 0.0, 5.0},
        Bar{{"100M_100ms_batches", {k100M, 0.1}, kBatches}, 29.0, 0.06, 0.0, 7.0},
        Bar{{"local_60hz", {{{0, 1e9}}, 0.0002}, k60Hz, kDay}, 29.9, 0.01, 0.0, 5.0},
        Bar{{"10M_lossy", {k10M, 0.02, 0.01}}, 28.0, 0.25, 0.0, 5.0},
        Bar{{"10M_100ms_lossy", {k10M, 0.1, 0.01}}, 23.0, 0.4, 0.1},
        Bar{{"10M_stalls", {k10M, 0.02, 0.0, true}}, 28.5, 0.22, 0.0, 5.0},
        Bar{{"10M_all", {k10M, 0.02, 0.01, true}, k60Hz, kKeys}, 26.5, 0.25, 0.3},
        Bar{{"100M_becomes_longer", {k100M, 0.02, 0.0, false, 10.0}}, 25.0, 0.07, 0.0, 5.0},
        Bar{{"slow_becomes_longer", {k1M, 0.02, 0.0, false, 10.0}}, 24.0, 0.2, 0.65}),
    [](const auto &test) { return std::string(test.param.c.name); });

// Nothing helps then, but frames go one by one and not into a queue.
TEST(VideoFlowControl, ALinkBelowTheLowestBitrateGetsNoQueue)
{
    for (unsigned seed = 1; seed <= 10; ++seed) {
        const SimulatedVideo s({"", {{{0, 0.08e6}}}, {}, kDay, 120.0}, seed);
        EXPECT_LE(s.age(0.5, 2.0), 0.25) << seed;
        EXPECT_LE(s.age(0.99, 60.0), 0.4) << seed;
        EXPECT_GE(s.fps(2.0), 8.0) << seed;
        EXPECT_EQ(s.flow.bitrate(), kLimits.min) << seed;
    }
}

// Little moves before the camera: what the encoder makes says nothing of what the link carries beyond.
TEST(VideoFlowControl, NoGrowthOnWhatTheEncoderDoesNotMake)
{
    const SimulatedVideo s({"", {k10M}, {}, {.key_bytes = 500, .detail = 100e3}}, 1);
    EXPECT_GE(s.fps(0.0), 29.9);
    EXPECT_LE(s.flow.bitrate(), kLimits.start * 1.1);
}

TEST(VideoFlowControl, TwoFramesBeforeTheFirstAcknowledgement)
{
    VideoFlowControl flow(kLimits);
    EXPECT_EQ(flow.bitrate(), kLimits.start);
    EXPECT_EQ(flow.transferTime(1'000'000, kStart), 0s) << "nothing is known";
    EXPECT_TRUE(flow.maySend(kStart));
    flow.onSent(7, 55'000, kStart);
    EXPECT_TRUE(flow.maySend(kStart));
    flow.onSent(8, 3000, kStart);
    EXPECT_FALSE(flow.maySend(kStart + 1h));
    EXPECT_TRUE(flow.onAcknowledged(7, kStart + 50ms));
    EXPECT_TRUE(flow.maySend(kStart + 50ms));
    EXPECT_EQ(flow.inFlight(), 1U);
}

TEST(VideoFlowControl, AViewerThatFallsSilentGetsFewFrames)
{
    VideoFlowControl flow(kLimits);
    std::uint64_t sequence = 0;
    Time now = kStart;
    for (int i = 0; i < 300; ++i, now += 33ms) {
        ASSERT_TRUE(flow.maySend(now));
        flow.onSent(++sequence, flow.bitrate() / 8 / 30, now);
        ASSERT_TRUE(flow.onAcknowledged(sequence, now + 20ms));
    }
    EXPECT_EQ(flow.bitrate(), kLimits.max);
    int frames = 0;
    for (int i = 0; i < 3000; ++i, now += 33ms) {
        if (flow.maySend(now)) {
            flow.onSent(++sequence, flow.bitrate() / 8 / 30, now);
            ++frames;
        }
    }
    EXPECT_LE(frames, 6);
    EXPECT_GE(flow.silence(now), 98s);
    EXPECT_GE(flow.transferTime(1000, now), 1s);
}

TEST(VideoFlowControl, AcknowledgementOfWhatWasNeverSentIsRefused)
{
    VideoFlowControl flow(kLimits);
    EXPECT_FALSE(flow.onAcknowledged(1, kStart));
    flow.onSent(3, 3000, kStart);
    flow.onSent(5, 3000, kStart);
    EXPECT_FALSE(flow.onAcknowledged(0, kStart));
    EXPECT_FALSE(flow.onAcknowledged(6, kStart));
    EXPECT_EQ(flow.inFlight(), 2U);
    EXPECT_FALSE(flow.onAcknowledged(4, kStart + 20ms)) << "between two that were sent";
    EXPECT_TRUE(flow.onAcknowledged(5, kStart + 20ms));
    EXPECT_TRUE(flow.onAcknowledged(5, kStart + 20ms)) << "the same again is no news and no offence";
    EXPECT_TRUE(flow.onAcknowledged(3, kStart + 20ms)) << "covered already";
    EXPECT_EQ(flow.inFlight(), 0U);
}

TEST(VideoFlowControl, SilenceCountsFromTheOldestOwed)
{
    VideoFlowControl flow(kLimits);
    EXPECT_EQ(flow.silence(kStart), 0s);
    flow.onSent(1, 3000, kStart);
    EXPECT_EQ(flow.silence(kStart + 3s), 3s);
    flow.onSent(2, 3000, kStart + 3s);
    EXPECT_TRUE(flow.onAcknowledged(1, kStart + 4s));
    EXPECT_EQ(flow.silence(kStart + 5s), 1s) << "an acknowledgement is a sign of life";
    flow.clear();
    EXPECT_EQ(flow.silence(kStart + 9s), 0s);
    EXPECT_TRUE(flow.onAcknowledged(2, kStart + 9s)) << "a late one does no harm";
}

TEST(VideoFlowControl, WhatWasLearnedStaysOverAPause)
{
    SimulatedVideo s({"", {k1M}}, 1);
    VideoFlowControl &flow = s.flow;
    const std::uint32_t before = flow.bitrate();
    flow.clear();
    const Time now = kStart + 1h;
    EXPECT_EQ(flow.inFlight(), 0U);
    EXPECT_TRUE(flow.maySend(now));
    EXPECT_EQ(flow.bitrate(), before);
    EXPECT_NEAR(std::chrono::duration<double>(flow.transferTime(12'500, now)).count(), 0.1, 0.02);
    EXPECT_NEAR(std::chrono::duration<double>(flow.shortestRoundTrip()).count(), 0.02, 0.01);
    flow.onSent(1'000'000, 12'500, now);
    EXPECT_NEAR(std::chrono::duration<double>(flow.transferTime(12'500, now)).count(), 0.18, 0.04);
    EXPECT_TRUE(flow.onAcknowledged(1'000'000, now + 120ms));
    EXPECT_NEAR(flow.bitrate(), before, before * 0.1);
}

TEST(VideoFlowControl, AnyCallsInAnyOrder)
{
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
        const std::uint32_t min = 1 + below(seed % 2 == 0 ? 10U : 1'000'000U);
        const std::uint32_t start = min + below(1'000'000);
        const Limits limits{min, start + below(seed % 3 == 0 ? 1U : 4'000'000'000U), start};
        VideoFlowControl flow(limits);
        std::uint64_t sequence = 0;
        Time now = kStart;
        for (int i = 0; i < 1000; ++i) {
            switch (below(4)) { // in a quarter of the cases no time passes at all
            case 1:
                now += std::chrono::microseconds(below(50'000));
                break;
            case 2:
                now += std::chrono::milliseconds(below(300));
                break;
            case 3:
                now += std::chrono::milliseconds(below(50) == 0 ? below(100'000'000) : 33);
                break;
            default:
                break;
            }
            switch (below(8)) {
            case 0:
            case 1:
            case 2:
                if (!flow.maySend(now) && below(20) != 0)
                    break;
                sequence += 1 + below(2);
                flow.onSent(sequence, below(10) == 0 ? random() : below(60'000), now);
                break;
            case 3:
                if (below(20) == 0)
                    flow.clear();
                break;
            case 4:
                EXPECT_FALSE(flow.onAcknowledged(sequence + 1 + below(5), now));
                break;
            default: {
                const std::uint64_t acknowledged = sequence - std::min<std::uint64_t>(sequence, below(5));
                const std::size_t before = flow.inFlight();
                (void)flow.onAcknowledged(acknowledged, now);
                EXPECT_LE(flow.inFlight(), before);
                if (acknowledged == sequence) {
                    EXPECT_EQ(flow.inFlight(), 0U);
                }
            }
            }
            ASSERT_GE(flow.bitrate(), limits.min);
            ASSERT_LE(flow.bitrate(), limits.max);
            ASSERT_GE(flow.transferTime(below(100'000), now), 0s);
            ASSERT_LE(flow.transferTime(below(100'000), now), 1h);
            ASSERT_GE(flow.shortestRoundTrip(), 0s);
            ASSERT_GE(flow.silence(now), 0s);
            if (flow.inFlight() == 0) {
                ASSERT_TRUE(flow.maySend(now));
                ASSERT_EQ(flow.silence(now), 0s);
            }
        }
    }
}

} // namespace
} // namespace picam
