#include "core/camera/libcamera_config.h"

#include "core/controls/v4l2_device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <libcamera/formats.h>
#include <limits>
#include <string_view>
#include <utility>

namespace picam::libcamera_config {
namespace {

using libcamera::StreamRole;

struct FormatChoice {
    libcamera::PixelFormat fourcc;
    PixelFormat pixels;
};

// Best first: what the camera has encoded itself, then what the encoder takes as it is, then what has to be rearranged.
// libcamera names RGB by a word's bits, so its BGR888 lies in memory as R, G, B.
const std::vector<FormatChoice> &formatChoices()
{
    static const std::vector<FormatChoice> choices = {
        {libcamera::formats::MJPEG, PixelFormat::kJpeg},   {libcamera::formats::YUV420, PixelFormat::kYuv420},
        {libcamera::formats::NV12, PixelFormat::kNv12},    {libcamera::formats::YUYV, PixelFormat::kYuyv},
        {libcamera::formats::BGR888, PixelFormat::kRgb24}, {libcamera::formats::RGB888, PixelFormat::kBgr24},
    };
    return choices;
}

struct Flips {
    bool h = false;
    bool v = false;
};

// 0.0.3 has `transform`; later versions have `orientation`, whose first four values are EXIF's: upright, mirrored,
// upside down, both. Sensors flip; turning by 90 degrees would cost the flips, so it is never asked for.
template <class Config>
void askForFlips(Config &config, Flips flips)
{
    if constexpr (requires { config.orientation; }) {
        using Orientation = decltype(config.orientation);
        const int value = flips.h ? (flips.v ? 3 : 2) : (flips.v ? 4 : 1);
        config.orientation = static_cast<Orientation>(value);
    } else {
        using Given = decltype(config.transform);
        config.transform = static_cast<Given>((flips.h ? static_cast<int>(Given::HFlip) : 0) |
                                              (flips.v ? static_cast<int>(Given::VFlip) : 0));
    }
}

template <class Config>
Flips grantedFlips(const Config &config)
{
    if constexpr (requires { config.orientation; }) {
        const int value = static_cast<int>(config.orientation);
        return {value == 2 || value == 3, value == 3 || value == 4};
    } else {
        using Given = decltype(config.transform);
        const int value = static_cast<int>(config.transform);
        return {(value & static_cast<int>(Given::HFlip)) != 0, (value & static_cast<int>(Given::VFlip)) != 0};
    }
}

// Of AeState, AwbState and AfState: 1. The others are ends of the search, or none.
constexpr std::int32_t kSearching = 1;

// A control's number by its name, at run time: versions come and go with AeLocked and AeState.
std::optional<unsigned int> controlByName(std::string_view name)
{
    for (const auto &[id, control] : libcamera::controls::controls)
        if (control->name() == name)
            return id;
    return std::nullopt;
}

// A state that the camera reports as a number, by the control's name.
std::optional<std::int32_t> reportedState(const libcamera::ControlList &metadata, std::optional<unsigned int> id)
{
    if (!id || !metadata.contains(*id) || metadata.get(*id).type() != libcamera::ControlTypeInteger32)
        return std::nullopt;
    return metadata.get(*id).get<std::int32_t>();
}

std::optional<bool> exposureConverged(const libcamera::ControlList &metadata)
{
    static const auto ae_locked = controlByName("AeLocked");
    static const auto ae_state = controlByName("AeState");
    if (ae_locked && metadata.contains(*ae_locked))
        return metadata.get(*ae_locked).get<bool>();
    if (const auto state = reportedState(metadata, ae_state))
        return *state != kSearching; // idle: it is set by hand
    return std::nullopt;
}

std::optional<bool> whiteBalanceConverged(const libcamera::ControlList &metadata)
{
    static const auto awb_locked = controlByName("AwbLocked");
    static const auto awb_state = controlByName("AwbState");
    if (const auto state = reportedState(metadata, awb_state))
        return *state != kSearching;
    if (awb_locked && metadata.contains(*awb_locked) && metadata.get(*awb_locked).get<bool>())
        return true; // not locked is no word: some never lock
    return std::nullopt;
}

std::optional<bool> focusConverged(const libcamera::ControlList &metadata)
{
    static const auto af_state = controlByName("AfState");
    if (const auto state = reportedState(metadata, af_state))
        return *state != kSearching; // found, not found, or not looked for
    return std::nullopt;
}

std::optional<FocusState> focusState(const libcamera::ControlList &metadata)
{
    static const auto af_state = controlByName("AfState");
    constexpr std::array kStates{FocusState::kIdle, FocusState::kScanning, FocusState::kFocused, FocusState::kFailed};
    const auto state = reportedState(metadata, af_state);
    if (!state || *state < 0 || static_cast<std::size_t>(*state) >= kStates.size())
        return std::nullopt;
    return kStates.at(static_cast<std::size_t>(*state));
}

FrameFormat frameFormat(const libcamera::StreamConfiguration &stream, PixelFormat pixels)
{
    FrameFormat format;
    format.pixels = pixels;
    format.size = {stream.size.width, stream.size.height};
    // Where no colour space is reported, it is the sYCC that was asked for.
    if (stream.colorSpace) {
        using Space = libcamera::ColorSpace;
        format.range = stream.colorSpace->range == Space::Range::Limited ? ColorRange::kLimited : ColorRange::kFull;
        format.matrix = stream.colorSpace->ycbcrEncoding == Space::YcbcrEncoding::Rec709 ? ColorMatrix::kBt709
                                                                                         : ColorMatrix::kBt601;
    }
    return format;
}

std::unique_ptr<libcamera::CameraConfiguration> generate(libcamera::Camera &camera, const Wanted &wanted)
{
    std::vector<StreamRole> roles{wanted.still ? StreamRole::StillCapture : StreamRole::VideoRecording};
    if (wanted.still_output)
        roles.push_back(StreamRole::StillCapture);
    auto config = camera.generateConfiguration(roles);
    if ((config && config->size() == roles.size()) || wanted.still_output)
        return config;
    roles = {StreamRole::Viewfinder};
    return camera.generateConfiguration(roles);
}

libcamera::Size toLibcamera(Size size)
{
    return {size.width, size.height};
}

// Whether frames of this format come in this size: one of a list, or any of a range.
bool hasSize(const libcamera::StreamFormats &formats, libcamera::PixelFormat fourcc, const libcamera::Size &size)
{
    const auto sizes = formats.sizes(fourcc);
    if (std::find(sizes.begin(), sizes.end(), size) != sizes.end())
        return true;
    const libcamera::SizeRange range = formats.range(fourcc);
    return range.hStep > 0 && range.vStep > 0 && range.contains(size); // a list has no steps
}

// How far apart two sizes are: by their areas first, so that a size asked for upright finds the one that lies.
double distance(const libcamera::Size &size, const libcamera::Size &wanted)
{
    const auto area = [](const libcamera::Size &s) { return static_cast<double>(s.width) * s.height; };
    const auto shape = [](const libcamera::Size &s) { return static_cast<double>(s.width) / s.height; };
    return std::fabs(std::log(area(size) / area(wanted))) + 0.01 * std::fabs(std::log(shape(size) / shape(wanted)));
}

// The formats that we know and that are offered, best first.
std::vector<libcamera::PixelFormat> offeredFormats(const libcamera::StreamFormats &formats)
{
    const auto offered = formats.pixelformats();
    std::vector<libcamera::PixelFormat> known;
    for (const FormatChoice &choice : formatChoices())
        if (std::find(offered.begin(), offered.end(), choice.fourcc) != offered.end())
            known.push_back(choice.fourcc);
    return known;
}

Expected<FrameFormat> granted(const libcamera::Camera &camera, const libcamera::StreamConfiguration &stream)
{
    const auto &choices = formatChoices();
    const auto choice = std::find_if(choices.begin(), choices.end(), [&](const FormatChoice &candidate) {
        return candidate.fourcc == stream.pixelFormat;
    });
    if (choice == choices.end())
        return fail(ErrorKind::kUnsupported, fmt::format("the camera {} gives {}, which is not supported", camera.id(),
                                                         stream.pixelFormat.toString()));
    return frameFormat(stream, choice->pixels);
}

} // namespace

void askFor(libcamera::StreamConfiguration &stream, Size size, unsigned int buffers)
{
    const libcamera::StreamFormats &formats = stream.formats();
    const auto offered = offeredFormats(formats);
    // Some pipelines list nothing and take what they are asked for.
    stream.pixelFormat = offered.empty() ? libcamera::formats::YUV420 : offered.front();
    stream.size = toLibcamera(size);
    // Each format has sizes of its own. The first that has the size; else the nearest size of any, chosen here:
    // libcamera takes the largest that is smaller on both sides, whatever lies beside it.
    const auto has = std::find_if(offered.begin(), offered.end(), [&](const libcamera::PixelFormat &fourcc) {
        return hasSize(formats, fourcc, toLibcamera(size));
    });
    if (has != offered.end()) {
        stream.pixelFormat = *has;
    } else {
        double nearest = std::numeric_limits<double>::infinity();
        for (const auto &fourcc : offered)
            for (const auto &candidate : formats.sizes(fourcc))
                if (const double far = distance(candidate, toLibcamera(size)); far < nearest) {
                    nearest = far;
                    stream.pixelFormat = fourcc;
                    stream.size = candidate;
                }
    }
    stream.bufferCount = buffers;
    stream.colorSpace = libcamera::ColorSpace::Sycc;
    stream.stride = 0;
}

std::vector<Size> offeredSizes(const libcamera::StreamConfiguration &stream)
{
    std::vector<Size> sizes;
    for (const auto &fourcc : offeredFormats(stream.formats()))
        for (const auto &size : stream.formats().sizes(fourcc))
            sizes.push_back({size.width, size.height});
    const auto key = [](Size size) { return std::pair(std::uint64_t{size.width} * size.height, size.width); };
    std::sort(sizes.begin(), sizes.end(), [&](Size a, Size b) { return key(a) < key(b); });
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

Expected<Chosen> configure(libcamera::Camera &camera, const Wanted &wanted)
{
    const std::size_t streams = wanted.still_output ? 2 : 1;
    auto config = generate(camera, wanted);
    if (!config || config->size() != streams)
        return fail(streams == 1 ? ErrorKind::kCameraFailed : ErrorKind::kUnsupported,
                    fmt::format("the camera {} offers no {}", camera.id(), streams == 1 ? "stream" : "second stream"));
    const Transform &transform = wanted.transform;
    const bool half_turn = transform.rotation == Rotation::k180;
    const Flips flips{transform.hflip != half_turn, transform.vflip != half_turn};
    askForFlips(*config, flips);
    askFor(config->at(0), wanted.size, wanted.buffers);
    if (wanted.still_output)
        askFor(config->at(1), *wanted.still_output, 1);
    const libcamera::StreamConfiguration &first = config->at(0);
    const bool listed = hasSize(first.formats(), first.pixelFormat, first.size);
    if (config->validate() == libcamera::CameraConfiguration::Invalid || config->size() != streams)
        return listed && streams == 1
                   ? fail(ErrorKind::kStalled, fmt::format("the camera {} does not answer", camera.id()))
                   : fail(ErrorKind::kUnsupported,
                          fmt::format("the camera {} cannot do {}", camera.id(), wanted.size.toString()));

    Chosen chosen;
    auto format = granted(camera, config->at(0));
    if (!format)
        return tl::unexpected<Error>(std::move(format.error()));
    chosen.format = *format;
    if (wanted.still_output) {
        auto still = granted(camera, config->at(1));
        if (!still)
            return tl::unexpected<Error>(std::move(still.error()));
        chosen.still_output = *still;
    }
    const Flips done = grantedFlips(*config);
    if (transform.swapsSides())
        chosen.remaining.rotation = transform.rotation;
    chosen.remaining.hflip = flips.h != done.h;
    chosen.remaining.vflip = flips.v != done.v;
    chosen.config = std::move(config);
    return chosen;
}

bool keepsRate(const libcamera::Camera &camera, double fps)
{
    const auto found = camera.controls().find(&libcamera::controls::FrameDurationLimits);
    if (found == camera.controls().end() || found->second.min().type() != libcamera::ControlTypeInteger64)
        return true;
    constexpr double kTolerance = 1.02; // sensors' rates are odd numbers
    return static_cast<double>(found->second.min().get<std::int64_t>()) <= 1e6 / fps * kTolerance;
}

bool hasControl(const libcamera::Camera &camera, std::string_view name)
{
    const auto id = controlByName(name);
    return id && camera.controls().find(*id) != camera.controls().end();
}

bool cropsAlike(const libcamera::Camera &camera, Size one, Size other)
{
    if (!hasControl(camera, "ScalerCrop") || hasControl(camera, "ScalerCrops"))
        return true;
    const auto product = [](std::uint32_t a, std::uint32_t b) {
        return static_cast<double>(a) * static_cast<double>(b);
    };
    constexpr double kTolerance = 0.01; // sizes are even numbers
    return std::fabs(product(one.width, other.height) / product(other.width, one.height) - 1.0) <= kTolerance;
}

std::optional<std::string> webcamDevice(const libcamera::Camera &camera)
{
    for (const auto &[id, property] : libcamera::properties::properties) {
        if (property->name() != "SystemDevices" || !camera.properties().contains(id))
            continue;
        const libcamera::ControlValue &value = camera.properties().get(id);
        if (value.type() != libcamera::ControlTypeInteger64 || !value.isArray())
            continue;
        const auto devices = value.get<libcamera::Span<const std::int64_t>>();
        return v4l2DeviceOf(std::span<const std::int64_t>(devices.data(), devices.size()));
    }
    return v4l2DeviceOf(camera.id());
}

bool promisesRate(const libcamera::Camera &camera)
{
    return camera.controls().find(&libcamera::controls::FrameDurationLimits) != camera.controls().end();
}

std::array<std::int64_t, 2> frameDurations(double fps, bool still, std::chrono::microseconds exposure)
{
    constexpr std::int64_t kLongestStill = 1'000'000;
    const auto shortest = static_cast<std::int64_t>(1e6 / fps);
    const std::int64_t by_hand = exposure.count() + exposure.count() / 50; // a frame takes a little longer than it
    return {shortest, std::max({shortest, still ? kLongestStill : 0, by_hand})};
}

ErrorKind openingError(int error)
{
    return error == EIO || error == ENODEV || error == ETIMEDOUT ? ErrorKind::kStalled : ErrorKind::kCameraFailed;
}

std::vector<unsigned int> planeLengths(const libcamera::StreamConfiguration &stream, PixelFormat pixels)
{
    const unsigned int luma = stream.stride * stream.size.height;
    if (pixels == PixelFormat::kYuv420)
        return {luma, luma / 4, luma / 4};
    if (pixels == PixelFormat::kNv12)
        return {luma, luma / 2};
    return {stream.frameSize};
}

std::array<Plane, 3> layOut(const libcamera::StreamConfiguration &stream, const FrameFormat &format,
                            const std::vector<Plane> &buffer_planes)
{
    std::array<Plane, 3> planes{};
    const std::size_t stride = stream.stride;
    const std::size_t luma = stride * format.size.height;
    const std::size_t chroma_stride = format.pixels == PixelFormat::kYuv420 ? stride / 2 : stride;
    const std::size_t chroma = chroma_stride * (format.size.height / 2);
    std::size_t count = 1;
    if (format.pixels == PixelFormat::kYuv420)
        count = 3;
    else if (format.pixels == PixelFormat::kNv12)
        count = 2;

    std::size_t offset = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (buffer_planes.size() >= count) {
            planes.at(i) = buffer_planes[i];
        } else {
            const Plane &whole = buffer_planes.front();
            const std::size_t start = std::min(offset, whole.size);
            planes.at(i) = {whole.data + start, 0, whole.size - start, whole.dma_buf, whole.offset + start};
        }
        planes.at(i).stride = i == 0 ? stride : chroma_stride;
        offset += i == 0 ? luma : chroma;
    }
    return planes;
}

CaptureMetadata captureMetadata(const libcamera::ControlList &metadata)
{
    namespace controls = libcamera::controls;
    CaptureMetadata result;
    result.exposure_converged = exposureConverged(metadata);
    result.white_balance_converged = whiteBalanceConverged(metadata);
    result.focus_converged = focusConverged(metadata);
    if (const auto exposure = metadata.get(controls::ExposureTime))
        result.exposure_time = std::chrono::microseconds(*exposure);
    if (const auto gain = metadata.get(controls::AnalogueGain))
        result.analogue_gain = *gain;
    if (const auto gain = metadata.get(controls::DigitalGain))
        result.digital_gain = *gain;
    if (const auto temperature = metadata.get(controls::ColourTemperature))
        result.color_temperature = static_cast<std::uint32_t>(*temperature);
    if (const auto gains = metadata.get(controls::ColourGains))
        result.color_gains = {(*gains)[0], (*gains)[1]};
    result.focus_state = focusState(metadata);
    static const auto lens_position = controlByName("LensPosition");
    if (lens_position && metadata.contains(*lens_position) &&
        metadata.get(*lens_position).type() == libcamera::ControlTypeFloat)
        result.lens_position = metadata.get(*lens_position).get<float>();
    return result;
}

} // namespace picam::libcamera_config
