#include "streamd/video/v4l2_encoder.h"

#include "core/image/pixels.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <utility>

namespace picam {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kFrameTimeout{1000}; // as ustreamer gives it
// The Pi's driver keeps quiet about a frame that rate control has left out (raspberrypi/linux#6680). Who has got the
// frame back and nothing for it within this time counts it as left out. 1080p takes the Pi some 30 ms, and several
// encoders share it.
constexpr milliseconds kLeftOutTimeout{200};
constexpr std::chrono::seconds kSilenceTimeout{10}; // nothing but frames left out: it has stalled
constexpr std::uint32_t kCopyBuffers = 1;           // one frame is in the device at a time
constexpr std::uint32_t kImportBuffers = 8; // one for each of the camera's: the driver keeps its mappings by index
constexpr std::uint32_t kEncodedBuffers = 4;

bool setControl(M2mDevice &device, std::uint32_t id, std::uint32_t value)
{
    v4l2_control control{};
    control.id = id;
    control.value = static_cast<std::int32_t>(value);
    return callDevice(device, VIDIOC_S_CTRL, &control) == 0;
}

bool hasFormat(M2mDevice &device, std::uint32_t type, std::uint32_t pixel_format)
{
    constexpr std::uint32_t kEnough = 256;
    for (std::uint32_t index = 0; index < kEnough; ++index) {
        v4l2_fmtdesc format{};
        format.index = index;
        format.type = type;
        if (callDevice(device, VIDIOC_ENUM_FMT, &format) != 0)
            return false;
        if (format.pixelformat == pixel_format)
            return true;
    }
    return false;
}

bool encodesH264(M2mDevice &device)
{
    v4l2_capability capability{};
    if (callDevice(device, VIDIOC_QUERYCAP, &capability) != 0)
        return false;
    const std::uint32_t capabilities =
        (capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0U ? capability.device_caps : capability.capabilities;
    constexpr std::uint32_t kNeeded = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
    return (capabilities & kNeeded) == kNeeded &&
           hasFormat(device, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_PIX_FMT_H264) &&
           hasFormat(device, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_PIX_FMT_YUV420);
}

// The lowest level from 3 on, which everybody decodes, that has room for it (H.264's table A-1).
std::uint32_t levelFor(const VideoEncoderOptions &options)
{
    struct Level {
        std::uint32_t id;
        std::uint32_t macroblocks; // a frame
        double rate;               // macroblocks a second
        std::uint32_t bitrate;     // bits a second, baseline
    };
    constexpr auto kLevels = std::to_array<Level>({
        {V4L2_MPEG_VIDEO_H264_LEVEL_3_0, 1620, 40500, 10'000'000},
        {V4L2_MPEG_VIDEO_H264_LEVEL_3_1, 3600, 108000, 14'000'000},
        {V4L2_MPEG_VIDEO_H264_LEVEL_3_2, 5120, 216000, 20'000'000},
        {V4L2_MPEG_VIDEO_H264_LEVEL_4_0, 8192, 245760, 20'000'000},
        {V4L2_MPEG_VIDEO_H264_LEVEL_4_2, 8704, 522240, 50'000'000},
        {V4L2_MPEG_VIDEO_H264_LEVEL_5_0, 22080, 589824, 135'000'000},
    });
    const std::uint32_t macroblocks = (options.size.width + 15) / 16 * ((options.size.height + 15) / 16);
    for (const Level &level : kLevels)
        if (macroblocks <= level.macroblocks && macroblocks * options.fps <= level.rate &&
            options.bitrate <= level.bitrate)
            return level.id;
    return V4L2_MPEG_VIDEO_H264_LEVEL_5_1;
}

std::uint32_t fourcc(PixelFormat pixels)
{
    return pixels == PixelFormat::kNv12 ? V4L2_PIX_FMT_NV12 : V4L2_PIX_FMT_YUV420;
}

std::uint32_t clampBitrate(std::uint32_t bitrate)
{
    return std::clamp(bitrate, V4l2Encoder::kMinBitrate, V4l2Encoder::kMaxBitrate);
}

VideoEncoderOptions withBitrateInRange(VideoEncoderOptions options)
{
    options.bitrate = clampBitrate(options.bitrate);
    return options;
}

// Keys only when they are asked for, as far as the driver lets us.
void setLongestPeriod(M2mDevice &device)
{
    v4l2_queryctrl period{};
    period.id = V4L2_CID_MPEG_VIDEO_H264_I_PERIOD;
    if (callDevice(device, VIDIOC_QUERYCTRL, &period) == 0)
        static_cast<void>(setControl(device, period.id, static_cast<std::uint32_t>(period.maximum)));
}

void setFrameRate(M2mDevice &device, double fps)
{
    // Told of less than 9 frames a second the Pi's encoder has been seen to make nothing (raspberrypi/linux#4739).
    constexpr double kLeast = 10;
    constexpr double kMost = 120;
    v4l2_streamparm parameters{};
    parameters.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
    parameters.parm.output.timeperframe.numerator = 1000;
    parameters.parm.output.timeperframe.denominator =
        static_cast<std::uint32_t>(std::lround(std::clamp(fps, kLeast, kMost) * 1000));
    static_cast<void>(callDevice(device, VIDIOC_S_PARM, &parameters)); // else it is the driver's own rate
}

} // namespace

V4l2Encoder::V4l2Encoder(const VideoEncoderOptions &options, std::unique_ptr<M2mDevice> device)
    : options_(options), device_(std::move(device)), frames_(*device_, M2mQueue::Kind::kFrames),
      encoded_(*device_, M2mQueue::Kind::kEncoded), bitrate_(options.bitrate), bitrate_wanted_(options.bitrate)
{
}

Expected<std::unique_ptr<V4l2Encoder>> V4l2Encoder::create(const VideoEncoderOptions &options,
                                                           const std::vector<std::string> &paths,
                                                           const OpenM2mDevice &open)
{
    const Size size = options.size;
    if (size.width == 0 || size.height == 0 || size.width % 2 != 0 || size.height % 2 != 0 || size.width > kMaxSide ||
        size.height > kMaxSide)
        return fail(ErrorKind::kUnsupported, fmt::format("no hardware encodes {} as H.264", size.toString()));
    std::optional<Error> reason;
    for (const std::string &path : paths) {
        auto device = open(path);
        if (!device || !encodesH264(**device))
            continue;
        std::unique_ptr<V4l2Encoder> encoder(new V4l2Encoder(withBitrateInRange(options), std::move(*device)));
        auto ready = encoder->setUp();
        if (ready)
            return encoder;
        if (!reason)
            reason = Error{ErrorKind::kUnsupported, fmt::format("{}: {}", path, ready.error().message)};
    }
    return tl::unexpected<Error>(
        reason.value_or(Error{ErrorKind::kUnsupported, "there is no hardware that encodes H.264"}));
}

Expected<void> V4l2Encoder::setUp()
{
    M2mDevice &device = *device_;
    takes_nv12_ = hasFormat(device, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_PIX_FMT_NV12);
    if (!setControl(device, V4L2_CID_MPEG_VIDEO_H264_PROFILE, V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE))
        return failErrno(ErrorKind::kUnsupported, "the video encoder refuses the baseline profile", errno);
    if (!setControl(device, V4L2_CID_MPEG_VIDEO_BITRATE, bitrate_))
        return failErrno(ErrorKind::kUnsupported, "the video encoder refuses the bitrate", errno);
    // What follows may be refused: each has its substitute, here or in the driver's default. Constant bitrate is not
    // asked for: the Pi's firmware refuses it only when streaming starts (selkies-project/selkies#399).
    static_cast<void>(setControl(device, V4L2_CID_MPEG_VIDEO_BITRATE_MODE, V4L2_MPEG_VIDEO_BITRATE_MODE_VBR));
    static_cast<void>(setControl(device, V4L2_CID_MPEG_VIDEO_H264_LEVEL, levelFor(options_)));
    static_cast<void>(setControl(device, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1));
    setLongestPeriod(device);
    if (auto set = setEncodedFormat(); !set)
        return set;
    if (auto set = setFrameFormat(PixelFormat::kYuv420, 0); !set)
        return set;
    setFrameRate(device, options_.fps);
    return {};
}

Expected<void> V4l2Encoder::setEncodedFormat()
{
    v4l2_format format{};
    format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    v4l2_pix_format_mplane &picture = format.fmt.pix_mp;
    picture.width = options_.size.width;
    picture.height = options_.size.height;
    picture.pixelformat = V4L2_PIX_FMT_H264;
    picture.num_planes = 1; // as large as the driver finds right: sizeimage is 0
    if (callDevice(*device_, VIDIOC_S_FMT, &format) != 0)
        return failErrno(ErrorKind::kUnsupported, "the video encoder refuses to make H.264", errno);
    if (picture.pixelformat != V4L2_PIX_FMT_H264 || picture.num_planes != 1)
        return fail(ErrorKind::kUnsupported, "the video encoder refuses to make H.264");
    return {};
}

// `stride`: bytes, as the frames have it; the driver may make more of it.
Expected<void> V4l2Encoder::setFrameFormat(PixelFormat pixels, std::size_t stride)
{
    const Size size = options_.size;
    v4l2_format format{};
    format.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
    v4l2_pix_format_mplane &picture = format.fmt.pix_mp;
    picture.width = size.width;
    picture.height = size.height;
    picture.pixelformat = fourcc(pixels);
    picture.field = V4L2_FIELD_NONE;
    // JPEG's colours. The Pi's driver keeps these fields and tells its firmware nothing: the stream carries VUI with
    // the frame rate, but without colours (bcm2835-v4l2-codec.c; measured in selkies-project/selkies#399). That is why
    // H264Headers writes them into the SPS.
    picture.colorspace = V4L2_COLORSPACE_JPEG;
    picture.ycbcr_enc = V4L2_YCBCR_ENC_601;
    picture.quantization = V4L2_QUANTIZATION_FULL_RANGE;
    picture.xfer_func = V4L2_XFER_FUNC_SRGB;
    picture.num_planes = 1;
    picture.plane_fmt[0].bytesperline = static_cast<std::uint32_t>(stride);
    if (callDevice(*device_, VIDIOC_S_FMT, &format) != 0)
        return failErrno(ErrorKind::kUnsupported, fmt::format("the video encoder refuses {}", size.toString()), errno);
    layout_ = {picture.plane_fmt[0].bytesperline, picture.height, picture.plane_fmt[0].sizeimage};
    if (picture.pixelformat != fourcc(pixels) || picture.num_planes != 1 || picture.width < size.width ||
        layout_.height < size.height || layout_.height % 2 != 0 || layout_.stride < size.width ||
        layout_.stride % 2 != 0 || layout_.size / layout_.stride < layout_.height + layout_.height / 2)
        return fail(ErrorKind::kUnsupported, fmt::format("the video encoder does not take {}", size.toString()));
    if (picture.width == size.width && picture.height == size.height)
        return {};
    v4l2_selection visible{};
    visible.type = V4L2_BUF_TYPE_VIDEO_OUTPUT; // of this call the kernel makes both kinds
    visible.target = V4L2_SEL_TGT_CROP;
    visible.r.width = size.width;
    visible.r.height = size.height;
    if (callDevice(*device_, VIDIOC_S_SELECTION, &visible) != 0 || visible.r.left != 0 || visible.r.top != 0 ||
        visible.r.width != size.width || visible.r.height != size.height)
        return fail(ErrorKind::kUnsupported, fmt::format("the video encoder does not cut to {}", size.toString()));
    return {};
}

Expected<void> V4l2Encoder::start(const Frame &frame)
{
    const PixelFormat pixels = frame.format().pixels;
    if (pixels != PixelFormat::kYuv420 && (pixels != PixelFormat::kNv12 || !takes_nv12_))
        return fail(ErrorKind::kUnsupported, "the video encoder does not take the camera's format");
    pixels_ = pixels;
    // A driver that takes the stride of the camera's buffers can have them as they are.
    const std::size_t stride = frame.plane(0).dma_buf >= 0 ? frame.plane(0).stride : 0;
    if (pixels != PixelFormat::kYuv420 || stride != 0)
        if (auto set = setFrameFormat(pixels, stride); !set)
            return set;
    if (isImportable(frame) && frames_.start(M2mQueue::Memory::kImported, kImportBuffers)) {
        imported_.assign(frames_.count(), -1);
    } else if (auto started = frames_.start(M2mQueue::Memory::kMapped, kCopyBuffers); !started) {
        return started;
    }
    return encoded_.start(M2mQueue::Memory::kMapped, kEncodedBuffers);
}

// Whether the frame lies in one dma-buf just as the device wants it.
bool V4l2Encoder::isImportable(const Frame &frame) const
{
    const bool nv12 = pixels_ == PixelFormat::kNv12;
    const std::size_t chroma_stride = nv12 ? layout_.stride : layout_.stride / 2;
    const std::size_t first = layout_.stride * layout_.height;
    const std::size_t second = first + chroma_stride * layout_.height / 2;
    const Plane &luma = frame.plane(0);
    const auto fits = [&](const Plane &plane, std::size_t offset) {
        return plane.dma_buf == luma.dma_buf && plane.stride == chroma_stride && plane.offset == offset;
    };
    return luma.dma_buf >= 0 && luma.offset == 0 && luma.stride == layout_.stride && fits(frame.plane(1), first) &&
           (nv12 || fits(frame.plane(2), second));
}

Expected<std::optional<EncodedFrame>> V4l2Encoder::encode(const Frame &frame, bool key)
{
    if (failure_)
        return tl::unexpected<Error>(*failure_);
    auto encoded = encodeOne(frame, key);
    if (!encoded)
        failure_ = encoded.error();
    return encoded;
}

Expected<std::optional<EncodedFrame>> V4l2Encoder::encodeOne(const Frame &frame, bool key)
{
    if (frame.format().size != options_.size || frame.format().pixels != pixels_.value_or(frame.format().pixels))
        return fail(ErrorKind::kUnsupported, "the video encoder takes frames of one format");
    if (auto readable = checkPlanes(frame); !readable)
        return tl::unexpected<Error>(std::move(readable.error()));
    const bool first = !pixels_;
    if (first)
        if (auto started = start(frame); !started)
            return tl::unexpected<Error>(std::move(started.error()));
    if (bitrate_ != bitrate_wanted_) {
        if (!setControl(*device_, V4L2_CID_MPEG_VIDEO_BITRATE, bitrate_wanted_))
            return failErrno(ErrorKind::kIo, "the video encoder refuses the bitrate", errno);
        bitrate_ = bitrate_wanted_;
    }
    stamp_ = std::max(std::chrono::duration_cast<std::chrono::microseconds>(frame.captured().time_since_epoch()),
                      stamp_ + std::chrono::microseconds(1));
    Outcome late; // of older frames, which is found out here in time for a key
    if (auto taken = takeEncoded(late); !taken)
        return tl::unexpected<Error>(std::move(taken.error()));
    awaits_key_ = awaits_key_ || key;
    if (awaits_key_ && !first)
        if (auto requested = requestKey(); !requested)
            return tl::unexpected<Error>(std::move(requested.error()));
    if (auto queued = queueFrame(frame); !queued)
        return tl::unexpected<Error>(std::move(queued.error()));
    auto outcome = wait();
    if (!outcome)
        return tl::unexpected<Error>(std::move(outcome.error()));
    if (!outcome->unit || (awaits_key_ && !outcome->key)) {
        silent_since_ = silent_since_.value_or(frame.captured());
        if (frame.captured() - *silent_since_ >= kSilenceTimeout)
            return fail(ErrorKind::kTimeout, "the video encoder makes nothing of its frames any more");
        return std::nullopt;
    }
    silent_since_.reset();
    awaits_key_ = false;

    EncodedFrame encoded;
    encoded.codec = Codec::kH264;
    encoded.key = outcome->key;
    encoded.size = options_.size;
    describeCapture(encoded, frame);
    encoded.bytes = std::move(*outcome->unit);
    return encoded;
}

Expected<void> V4l2Encoder::requestKey()
{
    if (!setControl(*device_, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1))
        return failErrno(ErrorKind::kIo, "the video encoder makes no key frame", errno);
    return {};
}

Expected<void> V4l2Encoder::queueFrame(const Frame &frame)
{
    if (frames_.memory() == M2mQueue::Memory::kImported) {
        if (isImportable(frame) && queueImported(frame.plane(0).dma_buf))
            return {};
        if (auto copied = copyFromNowOn(); !copied)
            return copied;
    }
    if (frames_.mapped(0).size() < layout_.size)
        return fail(ErrorKind::kIo, "the video encoder's memory is smaller than its frames");
    copyPlanes(frame, frames_.mapped(0).data());
    if (!frames_.queue(0, layout_.size, stamp_))
        return failErrno(ErrorKind::kIo, "the video encoder refuses a frame", errno);
    return {};
}

bool V4l2Encoder::queueImported(int dma_buf)
{
    auto slot = std::find(imported_.begin(), imported_.end(), dma_buf);
    if (slot == imported_.end()) {
        slot = imported_.begin() + static_cast<std::ptrdiff_t>(import_next_);
        import_next_ = (import_next_ + 1) % imported_.size();
        *slot = dma_buf;
    }
    return frames_.queue(static_cast<std::uint32_t>(slot - imported_.begin()), layout_.size, stamp_, dma_buf);
}

Expected<void> V4l2Encoder::copyFromNowOn()
{
    frames_.stop();
    if (auto started = frames_.start(M2mQueue::Memory::kMapped, kCopyBuffers); !started)
        return started;
    if (awaits_key_)
        return {};
    awaits_key_ = true; // whether a driver still knows its last frame after such a pause is its own affair
    return requestKey();
}

void V4l2Encoder::copyPlanes(const Frame &frame, std::uint8_t *to) const
{
    const auto copy = [](const Plane &from, std::uint8_t *out, std::size_t stride, std::size_t row, std::size_t rows) {
        for (std::size_t y = 0; y < rows; ++y)
            std::memcpy(out + y * stride, from.data + y * from.stride, row);
    };
    const Size size = options_.size;
    std::uint8_t *const chroma = to + layout_.stride * layout_.height;
    copy(frame.plane(0), to, layout_.stride, size.width, size.height);
    if (pixels_ == PixelFormat::kNv12) {
        copy(frame.plane(1), chroma, layout_.stride, size.width, size.height / 2);
        return;
    }
    copy(frame.plane(1), chroma, layout_.stride / 2, size.width / 2, size.height / 2);
    copy(frame.plane(2), chroma + layout_.stride / 2 * (layout_.height / 2), layout_.stride / 2, size.width / 2,
         size.height / 2);
}

// Until the device has let go of the frame, and its access unit is there or will not come.
Expected<V4l2Encoder::Outcome> V4l2Encoder::wait()
{
    Outcome outcome;
    bool holds_frame = true;
    Clock::time_point deadline = Clock::now() + kFrameTimeout;
    for (;;) {
        if (auto taken = takeEncoded(outcome); !taken)
            return tl::unexpected<Error>(std::move(taken.error()));
        if (holds_frame) {
            auto taken = frames_.take();
            if (!taken)
                return tl::unexpected<Error>(std::move(taken.error()));
            if (*taken) {
                holds_frame = false;
                deadline = std::min(deadline, Clock::now() + kLeftOutTimeout);
            }
        }
        if (!holds_frame && (outcome.unit || outcome.left_out))
            return outcome;
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        const auto events = static_cast<short>(holds_frame ? POLLIN | POLLOUT : POLLIN);
        const int ready = left.count() > 0 ? device_->poll(events, left) : 0;
        if (ready == 0 && holds_frame)
            return fail(ErrorKind::kTimeout, "the video encoder does not answer");
        if (ready == 0)
            return outcome;
        if (ready < 0 && errno != EINTR && errno != EAGAIN)
            return failErrno(ErrorKind::kIo, "cannot wait for the video encoder", errno);
        if (ready > 0 && (ready & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            return fail(ErrorKind::kIo, "the video encoder has stopped");
    }
}

// Everything that lies there. Each buffer goes back at once, empty ones too: the device stalls when it has none left
// (raspberrypi/rpicam-apps#664).
Expected<void> V4l2Encoder::takeEncoded(Outcome &outcome)
{
    for (;;) {
        auto taken = encoded_.take();
        if (!taken)
            return tl::unexpected<Error>(std::move(taken.error()));
        if (!*taken)
            return {};
        const M2mQueue::Taken &buffer = **taken;
        const bool ours = buffer.stamp == stamp_;
        // What fills a buffer to its end is cut off there; the rest comes in another one, without a start code.
        const bool whole = !buffer.damaged && buffer.bytes.size() < encoded_.mapped(buffer.index).size();
        std::vector<std::uint8_t> unit(buffer.bytes.begin(), buffer.bytes.end());
        if (!encoded_.queue(buffer.index, 0, {}))
            return failErrno(ErrorKind::kIo, "the video encoder refuses a buffer", errno);
        if (unit.empty() || !whole) {
            outcome.left_out = outcome.left_out || ours;
            awaits_key_ = awaits_key_ || !unit.empty();
            continue;
        }
        const auto kind = headers_.complete(unit);
        if (!kind)
            return tl::unexpected<Error>(kind.error());
        if (*kind == H264Unit::kHeaders) // of a picture to come, or of one that was left out
            continue;
        if (ours && !outcome.unit) {
            outcome.key = *kind == H264Unit::kKey;
            outcome.unit = std::move(unit);
        } else {
            // Of a frame that was counted as left out. The following one refers to it.
            awaits_key_ = true;
        }
    }
}

void V4l2Encoder::setBitrate(std::uint32_t bitrate)
{
    bitrate_wanted_ = clampBitrate(bitrate);
}

} // namespace picam
