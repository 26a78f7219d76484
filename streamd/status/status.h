// What streamd has done and how the camera is: counted by the threads that know, shown by /status and /metrics.
// Any thread: each number is true when it is read.
#pragma once

#include "core/base/thread_annotations.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/viewers/connection.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace picam {

// Times in fixed buckets, as Prometheus counts them.
class Histogram {
public:
    // Upper bounds, ascending; above the last is one more bucket.
    explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

    void add(double seconds);
    [[nodiscard]] const std::vector<double> &bounds() const { return bounds_; }
    [[nodiscard]] const std::vector<std::uint64_t> &counts() const { return counts_; } // not cumulated
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double sum() const { return sum_; }
    // An upper bound of the quantile `q`: the bound of its bucket; 0 when empty.
    [[nodiscard]] double quantile(double q) const;

private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double sum_ = 0.0;
};

struct StatusValues {
    std::string version;
    std::string instance;
    double uptime_seconds = 0.0;
    CameraStatus camera;
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
    Histogram encode_seconds;
    Histogram age_seconds; // of a frame when its last byte was handed to the kernel
};

class Status {
public:
    using Time = std::chrono::steady_clock::time_point;

    Status(std::string version, std::string instance, Time started);

    void setCamera(const CameraStatus &camera, Time now);
    void cameraStarted();
    void cameraFailed();
    void captured(std::uint64_t dropped_before);
    void paced();
    void dropped();
    void encoded(std::chrono::steady_clock::duration took, std::size_t bytes);
    void sent(std::size_t bytes, std::chrono::steady_clock::duration age);
    void skipped();
    void refused();
    void viewerJoined(WireFormat format);
    void viewerLeft(WireFormat format);
    void viewerPaused(bool paused);

    [[nodiscard]] StatusValues values(Time now) const;

private:
    const Time started_;
    mutable Mutex mutex_;
    StatusValues values_ PICAM_GUARDED_BY(mutex_);
    Time camera_since_ PICAM_GUARDED_BY(mutex_);
};

// /status: one JSON object. /metrics: Prometheus' text format 0.0.4.
[[nodiscard]] std::string statusJson(const StatusValues &values);
[[nodiscard]] std::string statusMetrics(const StatusValues &values);
[[nodiscard]] std::string_view wireFormatName(WireFormat format); // "base64", "jpeg", "picam.v1", "multipart"

} // namespace picam
