#include "streamd/status/status.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

namespace picam {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const Status::Time kStart{1h};

Status fresh()
{
    return Status("1.0", "pi", kStart);
}

TEST(Histogram, CountsIntoBuckets)
{
    Histogram histogram({0.01, 0.1, 1.0});
    EXPECT_EQ(histogram.quantile(0.5), 0.0);
    for (const double value : {0.005, 0.01, 0.02, 0.5, 7.0})
        histogram.add(value);
    EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{2, 1, 1, 1}));
    EXPECT_EQ(histogram.count(), 5U);
    EXPECT_NEAR(histogram.sum(), 7.535, 1e-9);
    EXPECT_EQ(histogram.quantile(0.4), 0.01);
    EXPECT_EQ(histogram.quantile(0.5), 0.1);
    EXPECT_EQ(histogram.quantile(1.0), 1.0) << "above the last bound there is no other to name";
}

TEST(Status, TellsWhatHappened)
{
    Status status = fresh();
    status.cameraStarted();
    status.setCamera({CameraState::kStreaming, {}, "imx708", {640, 480}, 30.0}, kStart + 10s);
    status.captured(2);
    status.captured(0);
    status.paced();
    status.dropped();
    status.encoded(4ms, 1000);
    status.viewerJoined(WireFormat::kV1);
    status.viewerJoined(WireFormat::kMultipart);
    status.viewerPaused(true);
    status.sent(1000, 8ms);
    status.skipped();
    status.refused();

    const auto told = json::parse(statusJson(status.values(kStart + 60s)));
    EXPECT_EQ(told["version"], "1.0");
    EXPECT_EQ(told["instance"], "pi");
    EXPECT_EQ(told["uptime_seconds"], 60.0);
    EXPECT_EQ(told["camera"]["state"], "streaming");
    EXPECT_EQ(told["camera"]["state_seconds"], 50.0);
    EXPECT_EQ(told["camera"]["source"], "imx708");
    EXPECT_EQ(told["camera"]["size"]["width"], 640);
    EXPECT_EQ(told["camera"]["starts"], 1);
    EXPECT_EQ(told["frames"], json::parse(R"({"captured":4,"paced":1,"encoded":1,"dropped":3,"sent":1,"skipped":1})"));
    EXPECT_EQ(told["viewers"], json::parse(R"({"base64":0,"jpeg":0,"picam.v1":1,"multipart":1,"total":2,
                                               "paused":1,"refused":1})"));
    EXPECT_EQ(told["bytes"]["sent"], 1000);
    EXPECT_EQ(told["encode"]["count"], 1);
    EXPECT_EQ(told["encode"]["p50_ms"], 5.0);
}

TEST(Status, ADeadCameraIsNotStreaming)
{
    Status status = fresh();
    status.setCamera({CameraState::kStreaming, {}, "imx708", {640, 480}, 30.0}, kStart);
    status.cameraFailed();
    status.setCamera({CameraState::kUnavailable, "it \"hangs\"\n", {}, {}, 0.0}, kStart + 1s);
    status.setCamera({CameraState::kUnavailable, "it \"hangs\"\n", {}, {}, 0.0}, kStart + 5s);
    const auto values = status.values(kStart + 9s);
    const auto told = json::parse(statusJson(values));
    EXPECT_EQ(told["camera"]["state"], "unavailable");
    EXPECT_EQ(told["camera"]["reason"], "it \"hangs\"\n");
    EXPECT_EQ(told["camera"]["state_seconds"], 8.0) << "the same state again is no new one";
    EXPECT_EQ(told["camera"]["source"], "");
    EXPECT_NE(statusMetrics(values).find("picam_camera_state{state=\"unavailable\"} 1\n"), std::string::npos);
    EXPECT_NE(statusMetrics(values).find("picam_camera_state{state=\"streaming\"} 0\n"), std::string::npos);
}

// Prometheus' text format: each line a comment or a sample, each sample's name announced, histograms cumulated.
TEST(Status, MetricsAreWellFormed)
{
    Status status("1.0\"", "a\\b\nc", kStart);
    status.encoded(4ms, 1000);
    status.encoded(1h, 1000);
    const std::string text = statusMetrics(status.values(kStart + 1s));
    const std::regex sample(R"re(([a-z_]+)(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? [0-9.e+-]+)re");
    std::istringstream lines(text);
    std::string line;
    std::set<std::string> announced;
    int samples = 0;
    while (std::getline(lines, line)) {
        if (line.rfind("# TYPE ", 0) == 0) {
            announced.insert(line.substr(7, line.find(' ', 7) - 7));
            continue;
        }
        if (line.rfind("# HELP ", 0) == 0)
            continue;
        std::smatch match;
        ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
        std::string name = match[1];
        for (const char *suffix : {"_bucket", "_sum", "_count"}) {
            const std::string ending = suffix;
            if (name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending)
                name.resize(name.size() - ending.size());
        }
        EXPECT_TRUE(announced.count(name) == 1) << line;
        ++samples;
    }
    EXPECT_GT(samples, 40);
    EXPECT_EQ(text.back(), '\n');
    EXPECT_NE(text.find("picam_encode_seconds_bucket{le=\"0.003\"} 0\n"), std::string::npos);
    EXPECT_NE(text.find("picam_encode_seconds_bucket{le=\"0.005\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("picam_encode_seconds_bucket{le=\"0.5\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("picam_encode_seconds_bucket{le=\"+Inf\"} 2\n"), std::string::npos);
    EXPECT_NE(text.find("picam_info{version=\"1.0\\\"\",instance=\"a\\\\b\\nc\"} 1\n"), std::string::npos);
}

} // namespace
} // namespace picam
