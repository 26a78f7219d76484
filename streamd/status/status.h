// Status counts what streamd does and keeps the camera's state, for /status (status_json.h) and /metrics
// (status_metrics.h). Every function may be called from any thread; values() is a consistent copy.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/controls/control.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/status/histogram.h"
#include "streamd/video/rung_encoders.h"
#include "streamd/viewers/connection.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

// What is in force of the camera's controls.
struct ControlsStatus {
    std::uint32_t generation = 0;
    ControlValues values;
};

// What went wrong, once or several times.
struct Fault {
    std::string what; // one sentence, without a full stop
    std::uint64_t times = 0;
    std::chrono::steady_clock::time_point last{};
    double seconds_ago = 0.0; // since `last`, in values()
};

// H.264 of one rung (VideoRungs).
struct RungStatus {
    std::uint64_t viewers = 0;
    std::uint64_t frames = 0;
    std::uint64_t keys = 0; // of them
    std::uint64_t bytes = 0;
    std::uint32_t bitrate = 0;   // bits a second that the encoder was last told
    std::string encoder;         // that made the last frame
    double encode_seconds = 0.0; // over all frames
};

struct StatusValues {
    std::string version;
    std::string instance;
    std::string title; // camera.title; empty: none
    double uptime_seconds = 0.0;
    CameraStatus camera;
    ControlsStatus controls;
    double camera_state_seconds = 0.0; // since the state was entered
    std::uint64_t camera_starts = 0;   // times it was opened
    std::uint64_t camera_failures = 0; // times it could not be opened, or failed
    std::uint64_t captured = 0;        // frames the camera gave
    std::uint64_t paced = 0;           // captured, then left out to keep the rate
    std::uint64_t encoded = 0;
    std::uint64_t dropped = 0; // lost: not encoded in time, or not encodable
    std::uint64_t encoded_bytes = 0;
    std::uint64_t sent = 0;    // frames written whole to a viewer
    std::uint64_t skipped = 0; // frames a viewer did not get because a newer one took their place
    std::uint64_t sent_bytes = 0;
    std::uint64_t refused = 0;                         // viewers turned away: full
    std::array<std::uint64_t, kWireFormats> viewers{}; // connected, by wire format
    std::uint64_t paused = 0;                          // of them
    std::array<RungStatus, kVideoRungs> rungs{};
    std::uint64_t video_failures = 0; // times no H.264 encoder worked
    std::vector<Fault> faults;        // the newest first
    Histogram encode_seconds;
    Histogram age_seconds; // of a frame when its last byte was handed to the kernel
};

class Status {
public:
    using Time = std::chrono::steady_clock::time_point;

    Status(std::string version, std::string instance, Time started, std::string title = {});

    void setCamera(const CameraStatus &camera, Time now);
    void cameraStarted();
    void cameraFailed(const std::string &reason, Time now);
    // Frames that the camera gave; of them replaced by newer ones before they were encoded, and left out for the rate.
    void captured(std::uint64_t frames, std::uint64_t replaced, std::uint64_t paced);
    void dropped();
    void encoded(std::chrono::steady_clock::duration took, std::size_t bytes);
    void sent(std::size_t bytes, std::chrono::steady_clock::duration age);
    void skipped();
    void refused();
    void viewerJoined(WireFormat format);
    void viewerLeft(WireFormat format);
    void viewerPaused(bool paused);
    void videoEncoded(unsigned rung, std::chrono::steady_clock::duration took, std::size_t bytes, bool key,
                      std::string_view encoder);
    void videoAsked(unsigned rung, std::uint32_t bitrate);
    void videoViewers(unsigned rung, std::size_t count);
    void videoFailed(Time now);

    [[nodiscard]] StatusValues values(Time now) const;

private:
    void addFault(const std::string &what, Time now) PICAM_REQUIRES(mutex_);

    const Time started_;
    mutable Mutex mutex_;
    StatusValues values_ PICAM_GUARDED_BY(mutex_);
    Time camera_since_ PICAM_GUARDED_BY(mutex_);
};

[[nodiscard]] std::string_view wireFormatName(WireFormat format); // "base64", "jpeg", "picam.v1", "multipart"

} // namespace picam
