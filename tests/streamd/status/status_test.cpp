#include "streamd/status/status.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

const Status::Time kStart{1h};

Status fresh()
{
    return Status("1.0", "pi", kStart);
}

TEST(Status, CountsWhatHappens)
{
    Status status = fresh();
    status.cameraStarted();
    status.cameraFailed("it hangs", kStart);
    status.captured(3, 2, 0);
    status.captured(1, 0, 1);
    status.dropped();
    status.encoded(4ms, 1000);
    status.sent(900, 8ms);
    status.skipped();
    status.refused();
    const auto values = status.values(kStart + 60s);
    EXPECT_EQ(values.version, "1.0");
    EXPECT_EQ(values.instance, "pi");
    EXPECT_EQ(values.uptime_seconds, 60.0);
    EXPECT_EQ(values.camera_starts, 1U);
    EXPECT_EQ(values.camera_failures, 1U);
    EXPECT_EQ(values.captured, 4U) << "with the two that were dropped before";
    EXPECT_EQ(values.paced, 1U);
    EXPECT_EQ(values.dropped, 3U);
    EXPECT_EQ(values.encoded, 1U);
    EXPECT_EQ(values.encoded_bytes, 1000U);
    EXPECT_EQ(values.encode_seconds.count(), 1U);
    EXPECT_EQ(values.sent, 1U);
    EXPECT_EQ(values.sent_bytes, 900U);
    EXPECT_EQ(values.age_seconds.quantile(1.0), 0.01);
    EXPECT_EQ(values.skipped, 1U);
    EXPECT_EQ(values.refused, 1U);
}

TEST(Status, KeepsAFewFaults)
{
    Status status = fresh();
    for (int i = 0; i < 20; ++i) {
        status.cameraFailed(std::to_string(i), kStart + std::chrono::seconds(i));
        status.cameraFailed(std::to_string(i), kStart + std::chrono::seconds(i));
    }
    const auto faults = status.values(kStart + 30s).faults;
    ASSERT_EQ(faults.size(), 8U);
    EXPECT_EQ(faults.front().what, "19");
    EXPECT_EQ(faults.front().times, 2U);
    EXPECT_EQ(faults.front().seconds_ago, 11.0);
    EXPECT_EQ(faults.back().what, "12");
    status.cameraFailed("15", kStart + 25s);
    const auto again = status.values(kStart + 30s).faults;
    EXPECT_EQ(again.size(), 8U);
    EXPECT_EQ(again.front().what, "15");
    EXPECT_EQ(again.front().times, 3U);
}

TEST(Status, CountsViewersByWireFormat)
{
    Status status = fresh();
    status.viewerJoined(WireFormat::kV1);
    status.viewerJoined(WireFormat::kV1);
    status.viewerJoined(WireFormat::kMultipart);
    status.viewerPaused(true);
    status.viewerLeft(WireFormat::kV1);
    const auto values = status.values(kStart);
    EXPECT_EQ(values.viewers, (std::array<std::uint64_t, kWireFormats>{0, 0, 1, 1}));
    EXPECT_EQ(values.paused, 1U);
    status.viewerPaused(false);
    EXPECT_EQ(status.values(kStart).paused, 0U);
}

TEST(Status, ACameraStateBeginsWhenItIsEntered)
{
    Status status = fresh();
    EXPECT_EQ(status.values(kStart + 3s).camera_state_seconds, 3.0);
    status.setCamera({CameraState::kUnavailable, "it hangs", {}, {}, 0.0}, kStart + 4s);
    status.setCamera({CameraState::kUnavailable, "it hangs still", {}, {}, 0.0}, kStart + 6s);
    const auto values = status.values(kStart + 9s);
    EXPECT_EQ(values.camera_state_seconds, 5.0) << "the same state again is no new one";
    EXPECT_EQ(values.camera.reason, "it hangs still");
}

} // namespace
} // namespace picam
