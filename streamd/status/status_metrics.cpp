#include "streamd/status/status_metrics.h"

#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace picam {

namespace {

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
    const auto ofRungs = [&metrics, &values](std::string_view name, std::string_view type, std::string_view help,
                                             auto member) {
        metrics.head(name, type, help);
        for (std::size_t rung = 0; rung < values.rungs.size(); ++rung)
            metrics.value(name, fmt::format("rung=\"{}\"", rung), values.rungs[rung].*member);
    };
    ofRungs("picam_h264_viewers", "gauge", "Viewers of H.264 now, by rung.", &RungStatus::viewers);
    ofRungs("picam_h264_bitrate", "gauge", "Bits a second that the encoder was last asked for.", &RungStatus::bitrate);
    ofRungs("picam_h264_frames_total", "counter", "Frames encoded as H.264.", &RungStatus::frames);
    ofRungs("picam_h264_key_frames_total", "counter", "Key frames of them.", &RungStatus::keys);
    ofRungs("picam_h264_bytes_total", "counter", "Bytes of the frames of H.264.", &RungStatus::bytes);
    ofRungs("picam_h264_encode_seconds_total", "counter", "Time spent on encoding H.264.", &RungStatus::encode_seconds);
    metrics.counter("picam_h264_failures_total", "Times no H.264 encoder worked.", values.video_failures);
    metrics.histogram("picam_encode_seconds", "Time to encode a frame.", values.encode_seconds);
    metrics.histogram("picam_frame_age_seconds", "Age of a frame when its last byte was written.", values.age_seconds);
    return metrics.take();
}

} // namespace picam
