#include "streamd/status/status.h"

#include <algorithm>
#include <utility>

namespace picam {

namespace {

constexpr std::size_t kFaultsKept = 8;

double seconds(std::chrono::steady_clock::duration duration)
{
    return std::chrono::duration<double>(duration).count();
}

} // namespace

Status::Status(std::string version, std::string instance, Time started, std::string title)
    : started_(started), values_{.version = std::move(version),
                                 .instance = std::move(instance),
                                 .title = std::move(title),
                                 .camera = {},
                                 .controls = {},
                                 .faults = {},
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

void Status::cameraFailed(const std::string &reason, Time now)
{
    const MutexLock lock(mutex_);
    ++values_.camera_failures;
    addFault(reason, now);
}

// A camera that is not there fails again with each attempt: that is one, however many come between.
void Status::addFault(const std::string &what, Time now)
{
    std::vector<Fault> &faults = values_.faults;
    auto found = std::find_if(faults.begin(), faults.end(), [&what](const Fault &fault) { return fault.what == what; });
    if (found == faults.end())
        found = faults.insert(faults.end(), Fault{.what = what});
    ++found->times;
    found->last = now;
    std::rotate(faults.begin(), found, found + 1);
    if (faults.size() > kFaultsKept)
        faults.pop_back();
}

void Status::captured(std::uint64_t frames, std::uint64_t replaced, std::uint64_t paced)
{
    const MutexLock lock(mutex_);
    values_.captured += frames;
    values_.dropped += replaced;
    values_.paced += paced;
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

void Status::videoEncoded(unsigned rung, std::chrono::steady_clock::duration took, std::size_t bytes, bool key,
                          std::string_view encoder)
{
    const MutexLock lock(mutex_);
    RungStatus &of = values_.rungs.at(rung);
    ++of.frames;
    of.keys += key ? 1 : 0;
    of.bytes += bytes;
    of.encoder = encoder;
    of.encode_seconds += seconds(took);
}

void Status::videoAsked(unsigned rung, std::uint32_t bitrate)
{
    const MutexLock lock(mutex_);
    values_.rungs.at(rung).bitrate = bitrate;
}

void Status::videoViewers(unsigned rung, std::size_t count)
{
    const MutexLock lock(mutex_);
    values_.rungs.at(rung).viewers = count;
}

void Status::videoFailed(Time now)
{
    const MutexLock lock(mutex_);
    ++values_.video_failures;
    addFault("no H.264 encoder works", now);
}

StatusValues Status::values(Time now) const
{
    const MutexLock lock(mutex_);
    StatusValues values = values_;
    values.uptime_seconds = seconds(now - started_);
    values.camera_state_seconds = seconds(now - camera_since_);
    for (Fault &fault : values.faults)
        fault.seconds_ago = seconds(now - fault.last);
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
    case WireFormat::kV2:
        return "picam.v2";
    case WireFormat::kH264:
        return "h264";
    case WireFormat::kAnnexB:
        return "stream.h264";
    case WireFormat::kMp4:
        return "stream.mp4";
    }
    return "unknown";
}

} // namespace picam
