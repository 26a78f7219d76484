#include "streamd/status/status_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <regex>

namespace picam {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const Status::Time kStart{1h};

Status fresh()
{
    return Status("1.0", "pi", kStart, "Garden, \"left\"");
}

TEST(StatusJson, TellsWhatHappened)
{
    Status status = fresh();
    status.cameraStarted();
    status.setCamera({CameraState::kStreaming, {}, "imx708", {640, 480}, 30.0}, kStart + 10s);
    status.captured(3, 2, 0);
    status.captured(1, 0, 1);
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
    EXPECT_EQ(told["title"], "Garden, \"left\"");
    EXPECT_EQ(told["uptime_seconds"], 60.0);
    EXPECT_EQ(told["camera"]["state"], "streaming");
    EXPECT_EQ(told["camera"]["state_seconds"], 50.0);
    EXPECT_EQ(told["camera"]["source"], "imx708");
    EXPECT_EQ(told["camera"]["size"]["width"], 640);
    EXPECT_EQ(told["camera"]["starts"], 1);
    EXPECT_EQ(told["frames"], json::parse(R"({"captured":4,"paced":1,"encoded":1,"dropped":3,"sent":1,"skipped":1})"));
    EXPECT_EQ(told["viewers"], json::parse(R"({"base64":0,"jpeg":0,"picam.v1":1,"multipart":1,"picam.v2":0,
                                               "h264":0,"stream.h264":0,"stream.mp4":0,"total":2,"paused":1,"refused":1})"));
    EXPECT_EQ(told["bytes"]["sent"], 1000);
    EXPECT_EQ(told["encode"]["count"], 1);
    EXPECT_EQ(told["encode"]["p50_ms"], 5.0);
}

TEST(StatusJson, ADeadCameraIsNotStreaming)
{
    Status status = fresh();
    status.setCamera({CameraState::kStreaming, {}, "imx708", {640, 480}, 30.0}, kStart);
    status.cameraFailed("it hangs", kStart);
    status.setCamera({CameraState::kUnavailable, "it \"hangs\"\n", {}, {}, 0.0}, kStart + 1s);
    status.setCamera({CameraState::kUnavailable, "it \"hangs\"\n", {}, {}, 0.0}, kStart + 5s);
    const auto told = json::parse(statusJson(status.values(kStart + 9s)));
    EXPECT_EQ(told["camera"]["state"], "unavailable");
    EXPECT_EQ(told["camera"]["reason"], "it \"hangs\"\n");
    EXPECT_EQ(told["camera"]["state_seconds"], 8.0) << "the same state again is no new one";
    EXPECT_EQ(told["camera"]["source"], "");
}

TEST(StatusJson, TellsTheLastFaultsTheNewestFirst)
{
    Status status = fresh();
    EXPECT_EQ(json::parse(statusJson(status.values(kStart)))["faults"], json::array());
    for (int i = 0; i < 3; ++i)
        status.cameraFailed("no camera", kStart);
    status.videoFailed(kStart + 5s);
    const auto faults = json::parse(statusJson(status.values(kStart)))["faults"];
    ASSERT_EQ(faults.size(), 2U);
    EXPECT_EQ(faults[0]["what"], "no H.264 encoder works");
    EXPECT_EQ(faults[0]["times"], 1);
    EXPECT_EQ(faults[1]["what"], "no camera");
    EXPECT_EQ(faults[1]["times"], 3);
    EXPECT_TRUE(std::regex_match(faults[1]["at"].get<std::string>(),
                                 std::regex("20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ")));
}

TEST(StatusJson, TellsWhichControlsAreInForce)
{
    StatusValues values = fresh().values(kStart);
    EXPECT_EQ(json::parse(statusJson(values))["controls"], json::parse(R"({"generation": 0, "values": {}})"));
    values.controls.generation = 17;
    values.controls.values = {{"AwbEnable", true},
                              {"AwbMode", std::string("Daylight")},
                              {"Brightness", 0.25},
                              {"ColourGains", std::vector<double>{1.5, 2.0}},
                              {"ExposureTime", std::int64_t{5000}},
                              {"Mode", std::string("\xff\"")}}; // as a driver may call it
    const auto controls = json::parse(statusJson(values))["controls"];
    EXPECT_EQ(controls["generation"], 17);
    EXPECT_EQ(controls["values"].size(), 6U);
    EXPECT_EQ(controls["values"]["AwbEnable"], true);
    EXPECT_EQ(controls["values"]["Brightness"], 0.25);
    EXPECT_EQ(controls["values"]["ColourGains"], json::parse("[1.5, 2.0]"));
    EXPECT_EQ(controls["values"]["ExposureTime"], 5000);
}

} // namespace
} // namespace picam
