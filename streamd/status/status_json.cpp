#include "streamd/status/status_json.h"

#include "core/controls/control_json.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

namespace picam {

using nlohmann::json;

namespace {

json histogramJson(const Histogram &histogram)
{
    const double mean = histogram.count() > 0 ? histogram.sum() / static_cast<double>(histogram.count()) : 0.0;
    return {{"count", histogram.count()},
            {"mean_ms", mean * 1000.0},
            {"p50_ms", histogram.quantile(0.50) * 1000.0},
            {"p99_ms", histogram.quantile(0.99) * 1000.0}};
}

} // namespace

std::string statusJson(const StatusValues &values)
{
    json camera = {{"state", cameraStateName(values.camera.state)},
                   {"state_seconds", values.camera_state_seconds},
                   {"reason", values.camera.reason},
                   {"source", values.camera.source},
                   {"size", {{"width", values.camera.size.width}, {"height", values.camera.size.height}}},
                   {"fps", values.camera.fps},
                   {"starts", values.camera_starts},
                   {"failures", values.camera_failures}};
    json viewers = json::object();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < kWireFormats; ++i) {
        viewers[std::string(wireFormatName(static_cast<WireFormat>(i)))] = values.viewers[i];
        total += values.viewers[i];
    }
    viewers["total"] = total;
    viewers["paused"] = values.paused;
    viewers["refused"] = values.refused;
    json rungs = json::array();
    for (const RungStatus &rung : values.rungs) {
        const double mean = rung.frames > 0 ? rung.encode_seconds / static_cast<double>(rung.frames) : 0.0;
        rungs.push_back({{"viewers", rung.viewers},
                         {"frames", rung.frames},
                         {"key_frames", rung.keys},
                         {"bytes", rung.bytes},
                         {"bitrate", rung.bitrate},
                         {"encoder", rung.encoder},
                         {"encode_mean_ms", mean * 1000.0}});
    }
    json faults = json::array();
    // By the clock of now: a machine without one of its own has had another one when it booted.
    const auto now = std::chrono::system_clock::now();
    for (const Fault &fault : values.faults) {
        const auto at = now - std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                  std::chrono::duration<double>(fault.seconds_ago));
        const std::tm utc = fmt::gmtime(std::chrono::system_clock::to_time_t(at));
        faults.push_back(
            {{"at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc)}, {"what", fault.what}, {"times", fault.times}});
    }
    const json status = {
        {"version", values.version},
        {"instance", values.instance},
        {"title", values.title},
        {"uptime_seconds", values.uptime_seconds},
        {"camera", std::move(camera)},
        {"controls", {{"generation", values.controls.generation}, {"values", controlsJson(values.controls.values)}}},
        {"viewers", std::move(viewers)},
        {"frames",
         {{"captured", values.captured},
          {"paced", values.paced},
          {"encoded", values.encoded},
          {"dropped", values.dropped},
          {"sent", values.sent},
          {"skipped", values.skipped}}},
        {"bytes", {{"encoded", values.encoded_bytes}, {"sent", values.sent_bytes}}},
        {"h264", {{"failures", values.video_failures}, {"rungs", std::move(rungs)}}},
        {"faults", std::move(faults)},
        {"encode", histogramJson(values.encode_seconds)},
        {"age", histogramJson(values.age_seconds)}};
    return status.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace picam
