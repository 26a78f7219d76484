// H.264 of a clip, by picam's encoder over libopenh264.
//   video_bench equal CLIP.y4m QUALITY    its bytes and JPEG's, at the lowest bitrate that has the JPEGs' PSNR (luma)
//   video_bench encode CLIP.y4m BITRATE   processor time of its frames, and of a bare loop with the same parameters
// Prints one line of JSON. The clip is played twice, and the second time counts: the key frame, and what the rate
// control makes after it, are not among those.
#include "core/camera/y4m.h"
#include "core/image/jpeg_decoder.h"
#include "core/image/jpeg_encoder.h"
#include "streamd/video/openh264_encoder.h"
#include "streamd/video/video_frames.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <wels/codec_api.h>

namespace {

using namespace picam;

constexpr int kFps = 30;

[[noreturn]] void die(const std::string &what)
{
    std::fprintf(stderr, "video_bench: %s\n", what.c_str());
    std::exit(1);
}

template <typename T>
T must(Expected<T> value)
{
    if (!value)
        die(value.error().message);
    return std::move(*value);
}

// A clip's frames, again and again, prepared as for a rung.
class Clip {
public:
    explicit Clip(const std::string &path)
        : file_(must(Y4mFile::open(path))), frames_(file_.header().format.size, {}, false),
          count_(std::filesystem::file_size(path) / frameBytes())
    {
    }

    // Valid until the next call.
    const Frame &next()
    {
        if (auto read = file_.readFrame(bytes_); !read)
            die(read.error().message);
        const std::uint8_t *data = bytes_.data();
        const std::size_t stride = size().width;
        const std::size_t luma = stride * size().height;
        const MonotonicTime captured(std::chrono::hours(1) + std::chrono::microseconds(played_++ * 1000000 / kFps));
        frame_ = Frame(file_.header().format,
                       {{{.data = data, .stride = stride, .size = luma},
                         {.data = data + luma, .stride = stride / 2, .size = luma / 4},
                         {.data = data + luma / 4 * 5, .stride = stride / 2, .size = luma / 4}}},
                       captured, nullptr);
        return *must(frames_.prepare(frame_));
    }
    [[nodiscard]] std::size_t count() const { return count_; } // of its frames
    [[nodiscard]] Size size() const { return file_.header().format.size; }

private:
    [[nodiscard]] std::size_t frameBytes() const { return std::size_t{size().width} * size().height * 3 / 2; }

    Y4mFile file_;
    VideoFrames frames_;
    std::size_t count_;
    std::size_t played_ = 0;
    std::vector<std::uint8_t> bytes_;
    Frame frame_;
};

// What a codec made of the frames that count.
struct Made {
    std::size_t bytes = 0;
    double squares = 0; // of the differences of luma
    double pixels = 0;

    void add(const Frame &frame, const std::uint8_t *luma, std::size_t stride, std::size_t encoded)
    {
        const Size size = frame.format().size;
        std::uint64_t sum = 0;
        for (std::size_t y = 0; y < size.height; ++y) {
            const std::uint8_t *one = frame.plane(0).data + y * frame.plane(0).stride;
            const std::uint8_t *other = luma + y * stride;
            for (std::size_t x = 0; x < size.width; ++x) {
                const int difference = int{one[x]} - int{other[x]};
                sum += static_cast<unsigned>(difference * difference);
            }
        }
        bytes += encoded;
        squares += static_cast<double>(sum);
        pixels += static_cast<double>(size.width) * size.height;
    }
    [[nodiscard]] double psnr() const { return 10 * std::log10(255.0 * 255.0 * pixels / squares); } // dB
};

// A picture as it is shown.
struct Luma {
    const std::uint8_t *data = nullptr;
    std::size_t stride = 0;
    std::size_t encoded = 0; // bytes that it is made of
};

// `code`: encodes and decodes a frame.
Made play(const std::string &path, const std::function<Luma(const Frame &)> &code)
{
    Clip clip(path);
    Made made;
    for (std::size_t i = 0; i < 2 * clip.count(); ++i) {
        const Frame &frame = clip.next();
        const Luma shown = code(frame);
        if (i >= clip.count())
            made.add(frame, shown.data, shown.stride, shown.encoded);
    }
    return made;
}

Made jpegs(const std::string &path, int quality)
{
    JpegEncoder encoder = must(JpegEncoder::create());
    JpegDecoder decoder;
    Frame shown;
    return play(path, [&](const Frame &frame) {
        const auto jpeg = must(encoder.encode(frame, {quality, {}}));
        shown = must(decoder.decode({{PixelFormat::kJpeg, frame.format().size, ColorRange::kFull, ColorMatrix::kBt601},
                                     {{{.data = jpeg.data(), .stride = 0, .size = jpeg.size()}, {}, {}}},
                                     {},
                                     nullptr}));
        return Luma{shown.plane(0).data, shown.plane(0).stride, jpeg.size()};
    });
}

Made h264(const std::string &path, std::uint32_t bitrate)
{
    const auto encoder = must(makeOpenh264Encoder({.size = Clip(path).size(), .fps = kFps, .bitrate = bitrate}));
    ISVCDecoder *decoder = nullptr;
    SDecodingParam parameters{};
    parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
    if (WelsCreateDecoder(&decoder) != 0 || decoder->Initialize(&parameters) != 0)
        die("there is no decoder");
    const Made made = play(path, [&](const Frame &frame) {
        const auto encoded = must(encoder->encode(frame, false));
        if (!encoded)
            die("a frame is left out");
        std::array<unsigned char *, 3> planes{};
        SBufferInfo info{};
        if (decoder->DecodeFrameNoDelay(encoded->bytes.data(), static_cast<int>(encoded->bytes.size()), planes.data(),
                                        &info) != dsErrorFree ||
            info.iBufferStatus != 1)
            die("a frame is not decoded");
        return Luma{planes[0], static_cast<std::size_t>(info.UsrData.sSystemBuffer.iStride[0]), encoded->bytes.size()};
    });
    decoder->Uninitialize();
    WelsDestroyDecoder(decoder);
    return made;
}

int equal(const std::string &path, int quality)
{
    const Made jpeg = jpegs(path, quality);
    double low = 1e5;    // bits a second
    double high = 1.4e7; // as level 3.1 has it
    Made found = h264(path, static_cast<std::uint32_t>(high));
    while (found.psnr() >= jpeg.psnr() && high / low > 1.02) {
        const double middle = std::sqrt(low * high);
        const Made made = h264(path, static_cast<std::uint32_t>(middle));
        if (made.psnr() >= jpeg.psnr()) {
            high = middle;
            found = made;
        } else {
            low = middle;
        }
    }
    std::printf("{\"jpeg_bytes\":%zu,\"jpeg_psnr\":%.3f,\"h264_bytes\":%zu,\"h264_psnr\":%.3f}\n", jpeg.bytes,
                jpeg.psnr(), found.bytes, found.psnr());
    return 0;
}

// As openh264_encoder.cpp has them.
ISVCEncoder *bareEncoder(Size size, int bitrate)
{
    ISVCEncoder *encoder = nullptr;
    if (WelsCreateSVCEncoder(&encoder) != 0)
        die("there is no encoder");
    int quiet = WELS_LOG_QUIET;
    encoder->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);
    SEncParamExt parameters{};
    encoder->GetDefaultParams(&parameters);
    parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
    parameters.iPicWidth = static_cast<int>(size.width);
    parameters.iPicHeight = static_cast<int>(size.height);
    parameters.fMaxFrameRate = kFps;
    parameters.iTargetBitrate = bitrate;
    parameters.iRCMode = RC_TIMESTAMP_MODE;
    parameters.bEnableFrameSkip = false;
    parameters.bEnableSceneChangeDetect = false;
    parameters.eSpsPpsIdStrategy = CONSTANT_ID;
    parameters.iNumRefFrame = 1;
    parameters.iMultipleThreadIdc = 1;
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.bEnableDenoise = false;
    SSpatialLayerConfig &layer = parameters.sSpatialLayers[0];
    layer.uiProfileIdc = PRO_BASELINE;
    layer.iVideoWidth = parameters.iPicWidth;
    layer.iVideoHeight = parameters.iPicHeight;
    layer.fFrameRate = kFps;
    layer.iSpatialBitrate = bitrate;
    layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    if (encoder->InitializeExt(&parameters) != cmResultSuccess)
        die("openh264 does not take the parameters");
    return encoder;
}

double threadSeconds()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

int encode(const std::string &path, std::uint32_t bitrate)
{
    Clip clip(path);
    const auto encoder = must(makeOpenh264Encoder({.size = clip.size(), .fps = kFps, .bitrate = bitrate}));
    ISVCEncoder *bare = bareEncoder(clip.size(), static_cast<int>(bitrate));
    const auto ours = [&](const Frame &frame) {
        encoder->setBitrate(bitrate);
        auto encoded = must(encoder->encode(frame, false));
        const auto shared = std::make_shared<const EncodedFrame>(std::move(encoded).value());
        return shared->bytes.size();
    };
    const auto theirs = [&](const Frame &frame, std::size_t index) {
        SSourcePicture picture{};
        picture.iColorFormat = videoFormatI420;
        picture.iPicWidth = static_cast<int>(clip.size().width);
        picture.iPicHeight = static_cast<int>(clip.size().height);
        picture.uiTimeStamp = static_cast<long long>(index * 1000 / kFps);
        for (std::size_t i = 0; i < 3; ++i) {
            picture.pData[i] = const_cast<unsigned char *>(frame.plane(i).data);
            picture.iStride[i] = static_cast<int>(frame.plane(i).stride);
        }
        SFrameBSInfo info{};
        if (bare->EncodeFrame(&picture, &info) != cmResultSuccess)
            die("openh264 cannot encode a frame");
        return static_cast<std::size_t>(info.iFrameSizeInBytes);
    };
    struct Spent {
        double seconds = 0;
        std::size_t bytes = 0;
    };
    std::array<Spent, 2> spent{}; // ours, theirs
    for (std::size_t i = 0; i < 2 * clip.count(); ++i) {
        const Frame &frame = clip.next();
        // By turns the first, who finds the frame in no cache.
        for (std::size_t turn = 0; turn < 2; ++turn) {
            const std::size_t who = (turn + i) % 2;
            const double begun = threadSeconds();
            const std::size_t bytes = who == 0 ? ours(frame) : theirs(frame, i);
            if (i >= clip.count()) {
                spent.at(who).seconds += threadSeconds() - begun;
                spent.at(who).bytes += bytes;
            }
        }
    }
    bare->Uninitialize();
    WelsDestroySVCEncoder(bare);
    // What the timestamps' fractions make of it is left.
    if (std::abs(static_cast<double>(spent[0].bytes) / static_cast<double>(spent[1].bytes) - 1) > 0.02)
        die("the bare loop has other parameters");
    const double frames = static_cast<double>(clip.count()) / 1000; // ms
    std::printf("{\"picam_ms\":%.3f,\"bare_ms\":%.3f}\n", spent[0].seconds / frames, spent[1].seconds / frames);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 3 && words[0] == "equal")
        return equal(words[1], std::stoi(words[2]));
    if (words.size() == 3 && words[0] == "encode")
        return encode(words[1], static_cast<std::uint32_t>(std::stoul(words[2])));
    std::fprintf(stderr, "video_bench equal CLIP.y4m QUALITY\n"
                         "video_bench encode CLIP.y4m BITRATE\n");
    return 1;
}
