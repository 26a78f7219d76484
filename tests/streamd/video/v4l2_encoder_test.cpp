#include "streamd/video/v4l2_encoder.h"

#include "tests/fakes/simulated_m2m_device.h"
#include "tests/streamd/video/probe.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <linux/videodev2.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>
#include <wels/codec_api.h>

namespace picam {
namespace {

using std::chrono::milliseconds;
using testing::SimulatedM2m;
using testing::SimulatedM2mDevice;
using Bytes = std::vector<std::uint8_t>;

// A picture of four coloured quarters and, where there is noise, as much of it.
struct Picture {
    Size size;
    PixelFormat pixels = PixelFormat::kYuv420;
    std::size_t stride = 0; // of luma
    Bytes bytes;
    int dma_buf = -1;

    static constexpr std::array<std::array<std::uint8_t, 3>, 4> kQuarters{
        {{76, 85, 255}, {150, 44, 21}, {29, 255, 107}, {240, 128, 128}}}; // red, green, blue, nearly white

    [[nodiscard]] std::size_t chromaOffset() const { return stride * size.height; }
    [[nodiscard]] bool isNv12() const { return pixels == PixelFormat::kNv12; }

    Picture(Size the_size, unsigned seed, int noise = 0, PixelFormat the_pixels = PixelFormat::kYuv420,
            std::size_t the_stride = 0)
        : size(the_size), pixels(the_pixels), stride(std::max<std::size_t>(the_stride, the_size.width)),
          bytes(stride * size.height * 3 / 2, 99)
    {
        std::mt19937 random(seed);
        for (std::size_t y = 0; y < size.height; ++y)
            for (std::size_t x = 0; x < size.width; ++x) {
                const auto &color = kQuarters.at((y * 2 / size.height) * 2 + x * 2 / size.width);
                int luma = color[0];
                if (noise > 0)
                    luma += static_cast<int>(random() % static_cast<unsigned>(2 * noise)) - noise;
                bytes[y * stride + x] = static_cast<std::uint8_t>(std::clamp(luma, 0, 255));
                if (y % 2 == 0 && x % 2 == 0)
                    for (std::size_t plane = 0; plane < 2; ++plane)
                        bytes[chromaAt(plane, x / 2, y / 2)] = color.at(1 + plane);
            }
    }

    [[nodiscard]] std::size_t chromaAt(std::size_t plane, std::size_t x, std::size_t y) const
    {
        if (isNv12())
            return chromaOffset() + y * stride + 2 * x + plane;
        return chromaOffset() + plane * (stride / 2) * (size.height / 2) + y * (stride / 2) + x;
    }

    [[nodiscard]] Frame frame(MonotonicTime captured) const
    {
        std::array<Plane, 3> planes{};
        const std::size_t count = isNv12() ? 2 : 3;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t offset = i == 0 ? 0 : isNv12() ? chromaOffset() : chromaAt(i - 1, 0, 0);
            planes.at(i) = {bytes.data() + offset, i == 0 || isNv12() ? stride : stride / 2, bytes.size() - offset,
                            dma_buf, offset};
        }
        return {FrameFormat{.pixels = pixels, .size = size}, planes, captured, {}};
    }
};

struct DestroyDecoder {
    void operator()(ISVCDecoder *decoder) const { WelsDestroyDecoder(decoder); }
};

// Access units one after another, as a browser would: nothing held back, and a missing reference is an error.
class Decoder {
public:
    Decoder()
    {
        ISVCDecoder *made = nullptr;
        EXPECT_EQ(WelsCreateDecoder(&made), 0);
        decoder_.reset(made);
        int quiet = WELS_LOG_QUIET;
        decoder_->SetOption(DECODER_OPTION_TRACE_LEVEL, &quiet);
        SDecodingParam parameters{};
        parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
        parameters.eEcActiveIdc = ERROR_CON_DISABLE;
        EXPECT_EQ(decoder_->Initialize(&parameters), 0);
    }

    // Mean luma and chroma of the middle of each quarter.
    std::optional<std::array<std::array<int, 3>, 4>> decode(const Bytes &unit)
    {
        std::array<unsigned char *, 3> planes{};
        SBufferInfo info{};
        const auto state =
            decoder_->DecodeFrameNoDelay(unit.data(), static_cast<int>(unit.size()), planes.data(), &info);
        if (state != dsErrorFree || info.iBufferStatus != 1)
            return std::nullopt;
        const SSysMEMBuffer &buffer = info.UsrData.sSystemBuffer;
        size = {static_cast<std::uint32_t>(buffer.iWidth), static_cast<std::uint32_t>(buffer.iHeight)};
        std::array<std::array<int, 3>, 4> means{};
        for (std::size_t quarter = 0; quarter < 4; ++quarter)
            for (std::size_t plane = 0; plane < 3; ++plane) {
                const int shift = plane == 0 ? 0 : 1;
                const int stride = buffer.iStride[shift];
                const int width = buffer.iWidth >> shift;
                const int height = buffer.iHeight >> shift;
                const int left = width / 8 + static_cast<int>(quarter % 2) * width / 2;
                const int top = height / 8 + static_cast<int>(quarter / 2) * height / 2;
                int sum = 0;
                for (int y = 0; y < 8; ++y)
                    for (int x = 0; x < 8; ++x)
                        sum += planes.at(plane)[(top + y) * stride + left + x];
                means.at(quarter).at(plane) = sum / 64;
            }
        return means;
    }

    Size size;

private:
    std::unique_ptr<ISVCDecoder, DestroyDecoder> decoder_;
};

class V4l2EncoderTest : public ::testing::Test {
protected:
    static constexpr Size kSize{320, 240};

    SimulatedM2m device;
    std::unique_ptr<V4l2Encoder> encoder;
    Decoder decoder;
    MonotonicTime now{std::chrono::seconds(1000)};

    ~V4l2EncoderTest() override
    {
        encoder.reset();
        expectAllGivenBack();
    }

    void expectAllGivenBack() const
    {
        EXPECT_EQ(device.opened, device.closed);
        EXPECT_EQ(device.mapped, device.unmapped);
        if (device.gone || device.fails_at_call >= 0)
            return; // closing it gives the rest back
        EXPECT_FALSE(device.released_while_streaming);
        for (const auto &[queue, count] : device.buffers)
            EXPECT_EQ(count, 0U) << queue;
        for (const auto &[queue, streams] : device.streaming)
            EXPECT_FALSE(streams) << queue;
    }

    Expected<std::unique_ptr<V4l2Encoder>> make(VideoEncoderOptions options)
    {
        return V4l2Encoder::create(options, {"/dev/video11"},
                                   [this](const std::string &) -> Expected<std::unique_ptr<M2mDevice>> {
                                       return std::make_unique<SimulatedM2mDevice>(device);
                                   });
    }

    void open(VideoEncoderOptions options = {.size = kSize, .fps = 30, .bitrate = 1'000'000})
    {
        auto made = make(options);
        ASSERT_TRUE(made) << made.error().message;
        encoder = std::move(*made);
    }

    Expected<std::optional<EncodedFrame>> encode(const Picture &picture, bool key = false)
    {
        now += milliseconds(33);
        return encoder->encode(picture.frame(now), key);
    }
    Expected<std::optional<EncodedFrame>> encode(bool key = false)
    {
        return encode(Picture(kSize, static_cast<unsigned>(device.frames), 8), key);
    }

    EncodedFrame mustEncode(const Picture &picture, bool key = false)
    {
        auto result = encode(picture, key);
        EXPECT_TRUE(result) << result.error().message;
        EXPECT_TRUE(result && *result) << "left out";
        return result && *result ? std::move(**result) : EncodedFrame{};
    }
    EncodedFrame mustEncode(bool key = false)
    {
        return mustEncode(Picture(kSize, static_cast<unsigned>(device.frames), 8), key);
    }

    void expectLeftOut(bool key = false)
    {
        const auto result = encode(key);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_FALSE(*result);
    }

    // It decodes, to the picture's colours.
    void expectDecodes(const EncodedFrame &frame, Size size = kSize)
    {
        const auto colors = decoder.decode(frame.bytes);
        ASSERT_TRUE(colors);
        EXPECT_EQ(decoder.size, size);
        for (std::size_t quarter = 0; quarter < 4; ++quarter)
            for (std::size_t plane = 0; plane < 3; ++plane)
                EXPECT_NEAR(colors->at(quarter).at(plane), Picture::kQuarters.at(quarter).at(plane), 6)
                    << quarter << " " << plane;
    }

    void expectFailed(ErrorKind kind)
    {
        const auto result = encode();
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, kind) << result.error().message;
        const unsigned frames = device.frames;
        EXPECT_EQ(encode(true).error().message, result.error().message); // it stays so
        EXPECT_EQ(device.frames, frames);
    }
};

TEST_F(V4l2EncoderTest, MakesAStreamThatDecodesToTheColoursOfItsFrames)
{
    open();
    EXPECT_EQ(encoder->name(), "v4l2");
    Bytes stream;
    for (int i = 0; i < 10; ++i) {
        const EncodedFrame frame = mustEncode(i == 6);
        EXPECT_EQ(frame.codec, Codec::kH264);
        EXPECT_EQ(frame.key, i == 0 || i == 6) << i;
        expectDecodes(frame);
        stream.insert(stream.end(), frame.bytes.begin(), frame.bytes.end());
    }
    EXPECT_EQ(device.copied, 10U);
    const std::string probed = testing::probed(stream);
    for (const char *line :
         {"width=320", "height=240", "color_range=pc", "color_space=smpte170m", "color_primaries=bt709",
          "color_transfer=iec61966-2-1", "has_b_frames=0", "profile=Constrained Baseline", "nb_read_frames=10"})
        EXPECT_TRUE(testing::hasLine(probed, line)) << line << " is not in " << probed;
}

TEST_F(V4l2EncoderTest, TellsWhatTheFrameSaysAboutItsCapture)
{
    open();
    const Picture picture(kSize, 1);
    Frame frame = picture.frame(now);
    frame.metadata().exposure_time = std::chrono::microseconds(12345);
    frame.metadata().analogue_gain = 2.0F;
    frame.metadata().controls_generation = 7;
    frame.setConverged(false);
    const auto result = encoder->encode(frame, false);
    ASSERT_TRUE(result && *result);
    const EncodedFrame &encoded = **result;
    EXPECT_EQ(encoded.captured, now);
    EXPECT_EQ(encoded.size, kSize);
    EXPECT_EQ(encoded.sequence, 0U);
    EXPECT_EQ(encoded.exposure.time_us, 12345U);
    EXPECT_EQ(encoded.exposure.sensitivity, 200U);
    EXPECT_EQ(encoded.controls_generation, 7U);
    EXPECT_FALSE(encoded.converged);
}

TEST_F(V4l2EncoderTest, AsksForBaselineWithoutKeysOfItsOwnAtJpegsColours)
{
    open({.size = {1280, 720}, .fps = 30, .bitrate = 2'000'000});
    EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_H264_PROFILE], V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE);
    EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_H264_LEVEL], V4L2_MPEG_VIDEO_H264_LEVEL_3_1);
    EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_H264_I_PERIOD], 0x7fffffff);
    EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER], 1);
    EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_BITRATE], 2'000'000);
    EXPECT_EQ(device.frame_format.colorspace, V4L2_COLORSPACE_JPEG);
    EXPECT_EQ(device.frame_format.ycbcr_enc, V4L2_YCBCR_ENC_601);
    EXPECT_EQ(device.frame_format.quantization, V4L2_QUANTIZATION_FULL_RANGE);
    EXPECT_EQ(device.time_per_frame.denominator, 30 * device.time_per_frame.numerator);
}

TEST_F(V4l2EncoderTest, TheLevelFitsSizeAndRate)
{
    struct Case {
        Size size;
        double fps;
        std::uint32_t bitrate;
        int level;
    };
    for (const Case &one : {Case{{640, 480}, 30, 1'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_3_0},
                            Case{{640, 480}, 60, 1'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_3_1},
                            Case{{640, 480}, 30, 20'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_3_2},
                            Case{{1920, 1080}, 30, 5'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_4_0},
                            Case{{1920, 1080}, 60, 5'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_4_2},
                            Case{{1920, 1920}, 30, 5'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_5_0},
                            Case{{1920, 1920}, 60, 5'000'000, V4L2_MPEG_VIDEO_H264_LEVEL_5_1}}) {
        open({.size = one.size, .fps = one.fps, .bitrate = one.bitrate});
        EXPECT_EQ(device.controls[V4L2_CID_MPEG_VIDEO_H264_LEVEL], one.level) << one.size.toString() << one.fps;
    }
}

TEST_F(V4l2EncoderTest, TheDeviceIsNotToldOfFewerFramesThanItBears)
{
    open({.size = kSize, .fps = 2, .bitrate = 100'000});
    EXPECT_EQ(device.time_per_frame.denominator, 10 * device.time_per_frame.numerator);
}

TEST_F(V4l2EncoderTest, RefusesSizesThatTheHardwareDoesNotTake)
{
    for (const Size size :
         {Size{0, 240}, Size{320, 0}, Size{321, 240}, Size{320, 241}, Size{1922, 1080}, Size{1080, 1922}}) {
        const auto made = make({.size = size, .fps = 30, .bitrate = 1'000'000});
        ASSERT_FALSE(made) << size.toString();
        EXPECT_EQ(made.error().kind, ErrorKind::kUnsupported);
    }
    EXPECT_EQ(device.opened, 0);
}

TEST_F(V4l2EncoderTest, CopiesIntoTheDevicesStridesAndRows)
{
    constexpr Size kOddly{322, 258}; // 64 x n it is not, nor 16 x n
    device.height_alignment = 256;   // so that a plane in the wrong place has wrong colours all over
    for (const PixelFormat pixels : {PixelFormat::kYuv420, PixelFormat::kNv12}) {
        open({.size = kOddly, .fps = 30, .bitrate = 1'000'000});
        for (unsigned i = 0; i < 3; ++i) {
            const EncodedFrame frame = mustEncode(Picture(kOddly, i, 4, pixels, 340));
            expectDecodes(frame, kOddly);
        }
        EXPECT_EQ(device.frame_format.plane_fmt[0].bytesperline, pixels == PixelFormat::kYuv420 ? 384U : 352U);
        EXPECT_EQ(device.frame_format.height, 512U);
        EXPECT_EQ(device.crop.width, kOddly.width);
        EXPECT_EQ(device.crop.height, kOddly.height);
        EXPECT_TRUE(encoder->takesNv12());
    }
}

TEST_F(V4l2EncoderTest, ImportsFramesThatLieInOneDmaBuf)
{
    for (const PixelFormat pixels : {PixelFormat::kYuv420, PixelFormat::kNv12}) {
        open();
        for (unsigned i = 0; i < 6; ++i) {
            Picture picture(kSize, i, 4, pixels);
            picture.dma_buf = 100 + static_cast<int>(i % 3);
            device.dma_bufs[picture.dma_buf] = picture.bytes;
            expectDecodes(mustEncode(picture));
        }
    }
    EXPECT_EQ(device.imported, 12U);
    EXPECT_EQ(device.copied, 0U);
    EXPECT_EQ(device.import_indexes, (std::set<std::uint32_t>{0, 1, 2})); // each keeps its mapping
}

TEST_F(V4l2EncoderTest, MoreDmaBufsThanTheDeviceHasBuffersTakeTurns)
{
    open();
    for (unsigned i = 0; i < 20; ++i) {
        Picture picture(kSize, i, 4);
        picture.dma_buf = 100 + static_cast<int>(i);
        device.dma_bufs[picture.dma_buf] = picture.bytes;
        expectDecodes(mustEncode(picture));
    }
    EXPECT_EQ(device.imported, 20U);
}

TEST_F(V4l2EncoderTest, CopiesWhereTheDriverTakesNoDmaBufs)
{
    open();
    Picture picture(kSize, 1);
    picture.dma_buf = 100; // REQBUFS is refused
    expectDecodes(mustEncode(picture));
    EXPECT_EQ(device.imported, 0U);
    EXPECT_EQ(device.copied, 1U);
}

TEST_F(V4l2EncoderTest, CopiesWhereTheDriverRefusesThisDmaBuf)
{
    open();
    device.dma_bufs[7]; // it takes some, but not:
    Picture picture(kSize, 1);
    picture.dma_buf = 100;
    expectDecodes(mustEncode(picture));
    EXPECT_EQ(device.copied, 1U);
}

TEST_F(V4l2EncoderTest, CopiesWhereTheLayoutIsAnother)
{
    constexpr Size kNarrow{300, 240}; // its rows are 300 bytes, the device wants 320
    open({.size = kNarrow, .fps = 30, .bitrate = 1'000'000});
    Picture picture(kNarrow, 1);
    picture.dma_buf = 100;
    device.dma_bufs[100] = picture.bytes;
    expectDecodes(mustEncode(picture), kNarrow);
    EXPECT_EQ(device.copied, 1U);
}

TEST_F(V4l2EncoderTest, TheDeviceTakesTheStrideOfTheCamerasBuffers)
{
    open();
    Picture picture(kSize, 1, 0, PixelFormat::kYuv420, 448);
    picture.dma_buf = 100;
    device.dma_bufs[100] = picture.bytes;
    expectDecodes(mustEncode(picture));
    EXPECT_EQ(device.imported, 1U);
}

TEST_F(V4l2EncoderTest, AFrameElsewhereAmongImportedOnesIsCopiedAndFollowedFromAKey)
{
    open();
    Picture picture(kSize, 1, 4);
    picture.dma_buf = 100;
    device.dma_bufs[100] = picture.bytes;
    expectDecodes(mustEncode(picture));
    const EncodedFrame next = mustEncode(Picture(kSize, 2, 4));
    EXPECT_TRUE(next.key);
    expectDecodes(next);
    expectDecodes(mustEncode(picture));
    EXPECT_EQ(device.imported, 1U);
    EXPECT_EQ(device.copied, 2U);
}

TEST_F(V4l2EncoderTest, ParameterSetsStandBeforeEachKeyThoughTheDriverDoesNotRepeatThem)
{
    device.repeats_headers = false;
    device.refused_controls.insert(V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER);
    open();
    mustEncode();
    mustEncode();
    const EncodedFrame key = mustEncode(true);
    EXPECT_TRUE(key.key);
    expectDecodes(key); // by a decoder that has seen none before
}

TEST_F(V4l2EncoderTest, FramesThatAreLeftOutBreakNothing)
{
    device.drops = [](unsigned frame) { return frame % 3 == 2; };
    for (const bool tells : {true, false}) {
        device.tells_of_drops = tells;
        device.frames = 0;
        open();
        for (int i = 0; i < 60; ++i) {
            if (i == 30)
                now += std::chrono::hours(1);
            if (i % 3 == 2)
                expectLeftOut();
            else
                expectDecodes(mustEncode());
        }
    }
}

TEST_F(V4l2EncoderTest, EmptyBuffersGoBackAtOnce)
{
    device.drops = [](unsigned frame) { return frame > 0 && frame < 50; }; // far more than it has buffers
    open();
    mustEncode();
    for (int i = 1; i < 50; ++i)
        expectLeftOut();
    EXPECT_EQ(device.dropped, 49U);
    EXPECT_FALSE(mustEncode().key);
}

TEST_F(V4l2EncoderTest, AKeyThatIsLeftOutComesLater)
{
    device.drops = [](unsigned frame) { return frame == 2 || frame == 3; };
    open();
    mustEncode();
    mustEncode();
    expectLeftOut(true);
    expectLeftOut();
    EXPECT_TRUE(mustEncode().key);
    EXPECT_FALSE(mustEncode().key);
}

TEST_F(V4l2EncoderTest, AKeyRequestThatTheFirmwareLosesIsMadeAgain)
{
    device.ignores_key = [](unsigned frame) { return frame == 1; };
    open();
    expectDecodes(mustEncode());
    expectLeftOut(true); // what came was no key
    const EncodedFrame key = mustEncode();
    EXPECT_TRUE(key.key);
    expectDecodes(key);
    EXPECT_EQ(device.key_requests, 2U);
}

TEST_F(V4l2EncoderTest, ADamagedFrameIsLeftOutAndFollowedByAKey)
{
    device.damages = [](unsigned frame) { return frame == 1; };
    open();
    mustEncode();
    expectLeftOut();
    const EncodedFrame key = mustEncode();
    EXPECT_TRUE(key.key);
    expectDecodes(key);
}

TEST_F(V4l2EncoderTest, AnAccessUnitLargerThanABufferIsLeftOut)
{
    device.encoded_buffer_bytes = 6000;
    open();
    mustEncode(Picture(kSize, 0));
    const auto large = encode(Picture(kSize, 1, 120)); // takes two buffers
    ASSERT_TRUE(large) << large.error().message;
    EXPECT_FALSE(*large);
    std::optional<EncodedFrame> next;
    for (unsigned i = 0; i < 20 && !next; ++i) { // until its rate is where it was
        auto result = encode(Picture(kSize, 2));
        ASSERT_TRUE(result) << result.error().message;
        next = std::move(*result);
    }
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->key);
    expectDecodes(*next);
}

TEST_F(V4l2EncoderTest, ALateAccessUnitIsNotTheNextFrames)
{
    device.is_late = [](unsigned frame) { return frame == 2; };
    open();
    expectDecodes(mustEncode());
    expectDecodes(mustEncode());
    expectLeftOut(); // it comes with the next one,
    expectLeftOut(); // which refers to it
    const EncodedFrame key = mustEncode();
    EXPECT_TRUE(key.key);
    EXPECT_EQ(key.captured, now);
    expectDecodes(key);
    expectDecodes(mustEncode());
}

TEST_F(V4l2EncoderTest, AnAccessUnitThatHasComeInBetweenCostsNoFurtherFrame)
{
    device.is_late = [](unsigned frame) { return frame == 1; };
    device.late_comes_by_itself = true;
    open();
    expectDecodes(mustEncode());
    expectLeftOut();
    now -= milliseconds(33);               // even a frame of the same instant
    const EncodedFrame key = mustEncode(); // the other one is known to be lost before this one is queued
    EXPECT_TRUE(key.key);
    expectDecodes(key);
}

TEST_F(V4l2EncoderTest, FramesOfOneInstantAreToldApart)
{
    open();
    const Picture picture(kSize, 1);
    for (int i = 0; i < 5; ++i) {
        const auto result = encoder->encode(picture.frame(now - milliseconds(i)), false);
        ASSERT_TRUE(result && *result);
        EXPECT_EQ((*result)->captured, now - milliseconds(i));
    }
}

TEST_F(V4l2EncoderTest, AChangeOfBitrateTakesEffect)
{
    constexpr Size kLarger{640, 480};
    open({.size = kLarger, .fps = 30, .bitrate = 4'000'000});
    const auto bytesOf = [&](unsigned frames) {
        std::size_t bytes = 0;
        for (unsigned i = 0; i < frames; ++i)
            bytes += mustEncode(Picture(kLarger, static_cast<unsigned>(device.frames), 30)).bytes.size();
        return bytes;
    };
    bytesOf(15);
    const std::size_t before = bytesOf(15);
    encoder->setBitrate(400'000);
    bytesOf(15);
    const std::size_t after = bytesOf(15);
    EXPECT_LT(after, before / 3);
    EXPECT_EQ(device.bitrates, (std::vector<std::int32_t>{4'000'000, 400'000}));
}

TEST_F(V4l2EncoderTest, BitratesStayInWhatTheDriverTakes)
{
    open({.size = kSize, .fps = 30, .bitrate = 100});
    encoder->setBitrate(50'000'000);
    mustEncode();
    encoder->setBitrate(0);
    mustEncode();
    encoder->setBitrate(1);
    mustEncode();
    EXPECT_EQ(device.bitrates, (std::vector<std::int32_t>{25'000, 20'000'000, 25'000}));
}

TEST_F(V4l2EncoderTest, SignalsDoNotEndIt)
{
    device.interrupted_calls = 3;
    open();
    for (int i = 0; i < 5; ++i) {
        device.interrupted_calls = 2;
        device.interrupted_polls = 2;
        device.is_late = [](unsigned frame) { return frame == 3; }; // so that it polls
        const auto result = encode();
        EXPECT_TRUE(result) << result.error().message;
    }
}

TEST_F(V4l2EncoderTest, ADeviceThatHoldsAFrameForASecondIsGivenUp)
{
    device.holds_from = 3;
    open();
    for (int i = 0; i < 3; ++i)
        mustEncode();
    expectFailed(ErrorKind::kTimeout);
}

TEST_F(V4l2EncoderTest, ADeviceThatMakesNothingAnyMoreIsGivenUp)
{
    device.drops = [](unsigned frame) { return frame >= 2; };
    for (const bool tells : {true, false}) {
        device.tells_of_drops = tells;
        device.loses_buffers = !tells; // as the Pi's driver was before 2022
        device.frames = 0;
        open();
        mustEncode();
        mustEncode();
        now += std::chrono::hours(1); // in which nobody wanted a frame
        expectLeftOut();
        for (int i = 0; i < 9; ++i) {
            now += milliseconds(1000);
            expectLeftOut();
        }
        now += milliseconds(1000);
        expectFailed(ErrorKind::kTimeout);
    }
}

TEST_F(V4l2EncoderTest, ADeviceThatIsGoneIsAnError)
{
    device.gone_from = 2;
    open();
    mustEncode();
    mustEncode();
    expectFailed(ErrorKind::kIo);
}

TEST_F(V4l2EncoderTest, ADeviceThatCannotBeWaitedForIsAnError)
{
    device.holds_from = 2;
    device.poll_fails = true;
    open();
    mustEncode();
    mustEncode();
    expectFailed(ErrorKind::kIo);
}

TEST_F(V4l2EncoderTest, AnotherSizeOrFormatIsAnError)
{
    for (const bool size : {true, false}) {
        open();
        mustEncode();
        const auto result = size ? encode(Picture({322, 240}, 1)) : encode(Picture(kSize, 1, 0, PixelFormat::kNv12));
        EXPECT_EQ(result.error().kind, ErrorKind::kUnsupported);
        expectFailed(ErrorKind::kUnsupported);
    }
}

TEST_F(V4l2EncoderTest, AFormatThatTheDeviceLacksIsAnError)
{
    device.frame_formats = {V4L2_PIX_FMT_YUV420};
    open();
    EXPECT_FALSE(encoder->takesNv12());
    EXPECT_EQ(encode(Picture(kSize, 1, 0, PixelFormat::kNv12)).error().kind, ErrorKind::kUnsupported);
}

TEST_F(V4l2EncoderTest, WithoutWhatItPromisesThereIsNoEncoder)
{
    for (const auto control : {V4L2_CID_MPEG_VIDEO_H264_PROFILE, V4L2_CID_MPEG_VIDEO_BITRATE}) {
        device.refused_controls = {static_cast<std::uint32_t>(control)};
        EXPECT_EQ(make({.size = kSize, .fps = 30, .bitrate = 1}).error().kind, ErrorKind::kUnsupported);
    }
    device.refused_controls.clear();
    device.refused_requests = {{VIDIOC_S_FMT, EINVAL}};
    const auto made = make({.size = kSize, .fps = 30, .bitrate = 1});
    EXPECT_EQ(made.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(made.error().message, "/dev/video11: the video encoder refuses to make H.264: Invalid argument");
}

TEST_F(V4l2EncoderTest, WithoutTheRestItDoesWhatItCan)
{
    device.refused_controls = {V4L2_CID_MPEG_VIDEO_H264_LEVEL, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD,
                               V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, V4L2_CID_MPEG_VIDEO_BITRATE_MODE};
    device.refused_requests = {{VIDIOC_S_PARM, ENOTTY}, {VIDIOC_QUERYCTRL, EINVAL}};
    open();
    expectDecodes(mustEncode());
    expectDecodes(mustEncode(true));
}

TEST_F(V4l2EncoderTest, AKeyThatTheDeviceRefusesIsAnError)
{
    device.refused_controls = {V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME};
    open();
    mustEncode();
    EXPECT_EQ(encode(true).error().kind, ErrorKind::kIo);
}

TEST_F(V4l2EncoderTest, NoMemoryIsAnErrorOfTheFirstFrame)
{
    device.refused_requests = {{VIDIOC_REQBUFS, ENOMEM}};
    open();
    expectFailed(ErrorKind::kIo);
}

TEST_F(V4l2EncoderTest, MemoryTooSmallForAFrameIsAnError)
{
    device.frame_buffer_lacks = 1;
    open();
    expectFailed(ErrorKind::kIo);
}

// Whichever call fails: an error or a frame less, and everything is given back.
TEST_F(V4l2EncoderTest, EveryCallMayFail)
{
    for (const bool imports : {false, true}) {
        Picture picture(kSize, 1);
        if (imports) {
            picture.dma_buf = 100;
            device.dma_bufs[100] = picture.bytes;
        }
        int calls = 0;
        bool through = false;
        for (int at = 0; !through; ++at) {
            ASSERT_LT(at, 200);
            device.calls = 0;
            device.frames = 0;
            device.fails_at_call = at;
            device.buffers.clear();
            device.streaming.clear();
            auto made = make({.size = kSize, .fps = 30, .bitrate = 1'000'000});
            if (made) {
                encoder = std::move(*made);
                for (int i = 0; i < 3; ++i)
                    static_cast<void>(encode(picture, i == 2));
                encoder.reset();
            }
            through = device.calls <= at;
            calls = device.calls;
            expectAllGivenBack();
        }
        EXPECT_GT(calls, 40);
        device.fails_at_call = -1;
        device.released_while_streaming = false; // where the call that stops it was the one that failed
    }
}

TEST_F(V4l2EncoderTest, LooksForADeviceThatEncodes)
{
    SimulatedM2m webcam;
    webcam.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    SimulatedM2m decodes;
    std::swap(decodes.frame_formats, decodes.encoded_formats);
    SimulatedM2m makes_jpeg;
    makes_jpeg.encoded_formats = {V4L2_PIX_FMT_JPEG};
    const std::map<std::string, SimulatedM2m *> nodes{
        {"webcam", &webcam}, {"decoder", &decodes}, {"jpeg", &makes_jpeg}, {"encoder", &device}};
    std::vector<std::string> asked;
    const OpenM2mDevice open_node = [&](const std::string &path) -> Expected<std::unique_ptr<M2mDevice>> {
        asked.push_back(path);
        if (!nodes.contains(path))
            return fail(ErrorKind::kIo, "there is no such device");
        return std::make_unique<SimulatedM2mDevice>(*nodes.at(path));
    };
    const VideoEncoderOptions options{.size = kSize, .fps = 30, .bitrate = 1'000'000};
    const std::vector<std::string> paths{"nobody", "webcam", "decoder", "jpeg", "encoder", "another"};
    EXPECT_TRUE(V4l2Encoder::create(options, paths, open_node));
    EXPECT_EQ(asked, (std::vector<std::string>{"nobody", "webcam", "decoder", "jpeg", "encoder"}));
    const auto none = V4l2Encoder::create(options, {"nobody", "webcam", "decoder", "jpeg"}, open_node);
    EXPECT_EQ(none.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(none.error().message, "there is no hardware that encodes H.264");
    for (const auto &[path, node] : nodes)
        EXPECT_EQ(node->opened, node->closed) << path;
}

TEST(M2mDevice, ThePisEncoderIsAskedFirst)
{
    const testing::TempDir folder;
    for (const char *name : {"video0", "video2", "video10", "video11", "video31", "video", "videos1", "media11"})
        std::ofstream(folder.file(name)) << "x";
    std::vector<std::string> expected;
    for (const char *name : {"video11", "video0", "video2", "video10", "video31"})
        expected.push_back(folder.file(name));
    EXPECT_EQ(m2mDevicePaths(folder.path()), expected);
    EXPECT_TRUE(m2mDevicePaths(folder.file("none")).empty());
}

TEST(M2mDevice, LeavesNoDescriptorBehind)
{
    const auto open_descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                             std::filesystem::directory_iterator());
    };
    const auto before = open_descriptors();
    // No codecs; but they are opened, and asked.
    const auto made = V4l2Encoder::create({.size = {320, 240}, .fps = 30, .bitrate = 1'000'000},
                                          {"/dev/null", "/dev/zero", "/nonexistent"});
    EXPECT_EQ(made.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(open_descriptors(), before);
}

TEST(M2mDevice, IsTheKernels)
{
    EXPECT_EQ(openM2mDevice("/nonexistent").error().kind, ErrorKind::kIo);
    auto device = openM2mDevice("/dev/zero");
    ASSERT_TRUE(device);
    v4l2_capability capability{};
    EXPECT_EQ((*device)->ioctl(VIDIOC_QUERYCAP, &capability), -1);
    EXPECT_EQ(errno, ENOTTY);
    const std::span<std::uint8_t> mapping = (*device)->map(4096, 0);
    ASSERT_EQ(mapping.size(), 4096U);
    mapping[4095] = 1;
    (*device)->unmap(mapping);
    EXPECT_EQ((*device)->poll(POLLIN, milliseconds(1)), POLLIN);
}

} // namespace
} // namespace picam
