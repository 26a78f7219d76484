#include "streamd/status/status.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace picam {

using nlohmann::json;

namespace {

double seconds(std::chrono::steady_clock::duration duration)
{
    return std::chrono::duration<double>(duration).count();
}

// Prometheus' rule for a label's value.
std::string escaped(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"')
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

json histogramJson(const Histogram &histogram)
{
    const double mean = histogram.count() > 0 ? histogram.sum() / static_cast<double>(histogram.count()) : 0.0;
    return {{"count", histogram.count()},
            {"mean_ms", mean * 1000.0},
            {"p50_ms", histogram.quantile(0.50) * 1000.0},
            {"p99_ms", histogram.quantile(0.99) * 1000.0}};
}

class Metrics {
public:
    void head(std::string_view name, std::string_view type, std::string_view help)
    {
        text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
    }
    template <class T>
    void value(std::string_view name, std::string_view labels, T value)
    {
        if (labels.empty())
            text_ += fmt::format("{} {}\n", name, value);
        else
            text_ += fmt::format("{}{{{}}} {}\n", name, labels, value);
    }
    void counter(std::string_view name, std::string_view help, std::uint64_t count)
    {
        head(name, "counter", help);
        value(name, {}, count);
    }
    template <class T>
    void gauge(std::string_view name, std::string_view help, T number)
    {
        head(name, "gauge", help);
        value(name, {}, number);
    }
    void histogram(std::string_view name, std::string_view help, const Histogram &histogram)
    {
        head(name, "histogram", help);
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
            below += histogram.counts()[i];
            value(fmt::format("{}_bucket", name), fmt::format("le=\"{}\"", histogram.bounds()[i]), below);
        }
        value(fmt::format("{}_bucket", name), "le=\"+Inf\"", histogram.count());
        value(fmt::format("{}_sum", name), {}, histogram.sum());
        value(fmt::format("{}_count", name), {}, histogram.count());
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
};

} // namespace

void Histogram::add(double seconds)
{
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
    ++counts_[static_cast<std::size_t>(bucket)];
    ++count_;
    sum_ += seconds;
}

double Histogram::quantile(double q) const
{
    if (count_ == 0)
        return 0.0;
    const auto wanted = q * static_cast<double>(count_);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        below += counts_[i];
        if (static_cast<double>(below) >= wanted)
            return bounds_[i];
    }
    return bounds_.back();
}

Status::Status(std::string version, std::string instance, Time started)
    : started_(started), values_{.version = std::move(version),
                                 .instance = std::move(instance),
                                 .camera = {},
                                 .encode_seconds = Histogram({0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02,
                                                              0.03, 0.05, 0.075, 0.1, 0.2, 0.5}),
                                 .age_seconds = Histogram({0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1,
                                                           0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0})},
      camera_since_(started)
{
}

void Status::setCamera(const CameraStatus &camera, Time now)
{
    const MutexLock lock(mutex_);
    if (camera.state != values_.camera.state)
        camera_since_ = now;
    values_.camera = camera;
}

void Status::cameraStarted()
{
    const MutexLock lock(mutex_);
    ++values_.camera_starts;
}

void Status::cameraFailed()
{
    const MutexLock lock(mutex_);
    ++values_.camera_failures;
}

void Status::captured(std::uint64_t dropped_before)
{
    const MutexLock lock(mutex_);
    values_.captured += 1 + dropped_before;
    values_.dropped += dropped_before;
}

void Status::paced()
{
    const MutexLock lock(mutex_);
    ++values_.paced;
}

void Status::dropped()
{
    const MutexLock lock(mutex_);
    ++values_.dropped;
}

void Status::encoded(std::chrono::steady_clock::duration took, std::size_t bytes)
{
    const MutexLock lock(mutex_);
    ++values_.encoded;
    values_.encoded_bytes += bytes;
    values_.encode_seconds.add(seconds(took));
}

void Status::sent(std::size_t bytes, std::chrono::steady_clock::duration age)
{
    const MutexLock lock(mutex_);
    ++values_.sent;
    values_.sent_bytes += bytes;
    values_.age_seconds.add(seconds(age));
}

void Status::skipped()
{
    const MutexLock lock(mutex_);
    ++values_.skipped;
}

void Status::refused()
{
    const MutexLock lock(mutex_);
    ++values_.refused;
}

void Status::viewerJoined(WireFormat format)
{
    const MutexLock lock(mutex_);
    ++values_.viewers[static_cast<std::size_t>(format)];
}

void Status::viewerLeft(WireFormat format)
{
    const MutexLock lock(mutex_);
    --values_.viewers[static_cast<std::size_t>(format)];
}

void Status::viewerPaused(bool paused)
{
    const MutexLock lock(mutex_);
    if (paused)
        ++values_.paused;
    else
        --values_.paused;
}

StatusValues Status::values(Time now) const
{
    const MutexLock lock(mutex_);
    StatusValues values = values_;
    values.uptime_seconds = seconds(now - started_);
    values.camera_state_seconds = seconds(now - camera_since_);
    return values;
}

std::string_view wireFormatName(WireFormat format)
{
    switch (format) {
    case WireFormat::kBase64:
        return "base64";
    case WireFormat::kJpeg:
        return "jpeg";
    case WireFormat::kV1:
        return "picam.v1";
    case WireFormat::kMultipart:
        return "multipart";
    }
    return "unknown";
}

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
    const json status = {{"version", values.version},
                         {"instance", values.instance},
                         {"uptime_seconds", values.uptime_seconds},
                         {"camera", std::move(camera)},
                         {"viewers", std::move(viewers)},
                         {"frames",
                          {{"captured", values.captured},
                           {"paced", values.paced},
                           {"encoded", values.encoded},
                           {"dropped", values.dropped},
                           {"sent", values.sent},
                           {"skipped", values.skipped}}},
                         {"bytes", {{"encoded", values.encoded_bytes}, {"sent", values.sent_bytes}}},
                         {"encode", histogramJson(values.encode_seconds)},
                         {"age", histogramJson(values.age_seconds)}};
    return status.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string statusMetrics(const StatusValues &values)
{
    Metrics metrics;
    metrics.head("picam_info", "gauge", "Version and instance of this program.");
    metrics.value("picam_info",
                  fmt::format("version=\"{}\",instance=\"{}\"", escaped(values.version), escaped(values.instance)), 1);
    metrics.gauge("picam_uptime_seconds", "Time since the program started.", values.uptime_seconds);
    metrics.head("picam_camera_state", "gauge", "1 for the state that the camera is in.");
    for (const auto state :
         {CameraState::kIdle, CameraState::kStarting, CameraState::kStreaming, CameraState::kUnavailable})
        metrics.value("picam_camera_state", fmt::format("state=\"{}\"", cameraStateName(state)),
                      values.camera.state == state ? 1 : 0);
    metrics.counter("picam_camera_starts_total", "Times the camera was opened.", values.camera_starts);
    metrics.counter("picam_camera_failures_total", "Times the camera could not be opened, or failed.",
                    values.camera_failures);
    metrics.counter("picam_frames_captured_total", "Frames that the camera gave.", values.captured);
    metrics.counter("picam_frames_paced_total", "Frames left out to keep the rate.", values.paced);
    metrics.counter("picam_frames_encoded_total", "Frames encoded.", values.encoded);
    metrics.counter("picam_frames_dropped_total", "Frames lost before they were encoded.", values.dropped);
    metrics.counter("picam_frames_sent_total", "Frames written whole, over all viewers.", values.sent);
    metrics.counter("picam_frames_skipped_total", "Frames replaced by newer ones, over all viewers.", values.skipped);
    metrics.counter("picam_encoded_bytes_total", "Bytes of the encoded frames.", values.encoded_bytes);
    metrics.counter("picam_sent_bytes_total", "Bytes of the frames sent.", values.sent_bytes);
    metrics.head("picam_viewers", "gauge", "Viewers connected now, by protocol.");
    for (std::size_t i = 0; i < kWireFormats; ++i)
        metrics.value("picam_viewers", fmt::format("protocol=\"{}\"", wireFormatName(static_cast<WireFormat>(i))),
                      values.viewers[i]);
    metrics.gauge("picam_viewers_paused", "Viewers connected now that have paused.", values.paused);
    metrics.counter("picam_viewers_refused_total", "Viewers turned away because all places were taken.",
                    values.refused);
    metrics.histogram("picam_encode_seconds", "Time to encode a frame.", values.encode_seconds);
    metrics.histogram("picam_frame_age_seconds", "Age of a frame when its last byte was written.", values.age_seconds);
    return metrics.take();
}

} // namespace picam
