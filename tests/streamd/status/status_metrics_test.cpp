#include "streamd/status/status_metrics.h"

#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

namespace picam {
namespace {

using namespace std::chrono_literals;

const Status::Time kStart{1h};

TEST(StatusMetrics, NamesTheStateOfTheCamera)
{
    Status status("1.0", "pi", kStart);
    status.setCamera({CameraState::kStreaming, {}, "imx708", {640, 480}, 30.0}, kStart);
    status.setCamera({CameraState::kUnavailable, "it \"hangs\"\n", {}, {}, 0.0}, kStart + 1s);
    const std::string text = statusMetrics(status.values(kStart + 9s));
    EXPECT_NE(text.find("picam_camera_state{state=\"unavailable\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("picam_camera_state{state=\"streaming\"} 0\n"), std::string::npos);
}

// Prometheus' text format: each line a comment or a sample, each sample's name announced, histograms cumulated.
TEST(StatusMetrics, AreWellFormed)
{
    Status status("1.0\"", "a\\b\nc", kStart);
    status.encoded(4ms, 1000);
    status.encoded(1h, 1000);
    const std::string text = statusMetrics(status.values(kStart + 1s));
    const std::regex sample(R"re(([a-z0-9_]+)(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? [0-9.e+-]+)re");
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
