// What comes out of libopenh264, as ffmpeg sees it.
#include "streamd/video/openh264_encoder.h"

#include "tests/streamd/video/test_clip.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace picam {
namespace {

using testing::TestClip;

constexpr Size kVga{640, 480};
constexpr std::size_t kVgaBytes = 640 * 480 * 3 / 2;

std::unique_ptr<VideoEncoder> encoder(Size size, std::uint32_t bitrate)
{
    auto made = makeOpenh264Encoder({.size = size, .fps = 30, .bitrate = bitrate});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
}

// Types of the NAL units, in order.
std::vector<int> nalTypes(const std::vector<std::uint8_t> &unit)
{
    std::vector<int> types;
    for (std::size_t i = 0; i + 3 < unit.size(); ++i)
        if (unit[i] == 0 && unit[i + 1] == 0 && unit[i + 2] == 1)
            types.push_back(unit[i + 3] & 0x1f);
    return types;
}

TEST(Openh264Encoder, KeyOnRequestAloneWithItsParameterSets)
{
    TestClip clip(kVga);
    const auto h264 = encoder(kVga, 1000000);
    std::vector<std::uint8_t> stream;
    for (std::uint32_t i = 0; i < 90; ++i) {
        const auto frame = h264->encode(clip.frame(i), i == 40);
        ASSERT_TRUE(frame) << frame.error().message;
        ASSERT_TRUE(*frame) << "it leaves none out";
        const bool key = i == 0 || i == 40;
        EXPECT_EQ((*frame)->key, key) << i;
        EXPECT_EQ(nalTypes((*frame)->bytes), key ? (std::vector<int>{7, 8, 5}) : std::vector<int>{1}) << i;
        EXPECT_EQ((*frame)->size, kVga);
        EXPECT_EQ((*frame)->codec, Codec::kH264);
        EXPECT_EQ((*frame)->captured, clip.frame(i).captured());
        stream.insert(stream.end(), (*frame)->bytes.begin(), (*frame)->bytes.end());
    }
    const auto decoded = testing::decodeH264(stream);
    EXPECT_EQ(decoded.errors, "");
    EXPECT_EQ(decoded.info, "Constrained Baseline 640 480 0 31 pc smpte170m ");
    ASSERT_EQ(decoded.planes.size(), 90 * kVgaBytes);
    EXPECT_GT(testing::psnr(decoded.planes.data() + 89 * kVgaBytes, clip.planes().data(), kVgaBytes), 30);
}

TEST(Openh264Encoder, FollowsItsBitrate)
{
    TestClip clip(kVga);
    const auto h264 = encoder(kVga, 1600000);
    const auto bitsOfFrames = [&](std::uint32_t from, std::uint32_t to) {
        std::size_t bytes = 0;
        for (std::uint32_t i = from; i < to; ++i) {
            const auto frame = h264->encode(clip.frame(i), false);
            if (frame && *frame)
                bytes += (*frame)->bytes.size();
        }
        return static_cast<double>(bytes) * 8 * 30 / (to - from);
    };
    (void)bitsOfFrames(0, 30); // the key frame, and what follows it
    EXPECT_NEAR(bitsOfFrames(30, 90), 1600000, 400000);
    h264->setBitrate(400000);
    (void)bitsOfFrames(90, 105);
    EXPECT_NEAR(bitsOfFrames(105, 165), 400000, 120000);
    h264->setBitrate(1200000);
    (void)bitsOfFrames(165, 195);
    EXPECT_NEAR(bitsOfFrames(195, 255), 1200000, 300000);
}

// Half of the frames have no window to go into: the others have their bits.
TEST(Openh264Encoder, TheBitrateIsOfTimeAndNotOfFrames)
{
    TestClip clip(kVga);
    const auto h264 = encoder(kVga, 800000);
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < 300; i += 2 + i % 4) {
        const auto frame = h264->encode(clip.frame(i), false);
        ASSERT_TRUE(frame && *frame);
        if (i >= 60)
            bytes += (*frame)->bytes.size();
    }
    EXPECT_NEAR(static_cast<double>(bytes) * 8 / 8, 800000, 250000);
}

// A frame with the bits of a long pause takes a thin link as long, and the next one comes after as long a pause.
TEST(Openh264Encoder, APauseBuysTheBitsOfThreeFrames)
{
    TestClip clip(kVga);
    const auto h264 = encoder(kVga, 800000);
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < 30; ++i) {
        const auto frame = h264->encode(clip.frame(8 * i), false);
        ASSERT_TRUE(frame && *frame);
        if (i >= 10)
            bytes += (*frame)->bytes.size();
    }
    EXPECT_NEAR(static_cast<double>(bytes) * 8 / 20, 800000.0 / 10, 25000);
}

TEST(Openh264Encoder, SizesOfAllKinds)
{
    for (const Size size :
         {Size{64, 48}, Size{160, 120}, Size{426, 240}, Size{480, 640}, Size{1280, 720}, Size{1920, 1080}}) {
        TestClip clip(size);
        const auto h264 = encoder(size, 1000000);
        std::vector<std::uint8_t> stream;
        for (std::uint32_t i = 0; i < 3; ++i) {
            const auto frame = h264->encode(clip.frame(i), false);
            ASSERT_TRUE(frame && *frame) << size.toString();
            stream.insert(stream.end(), (*frame)->bytes.begin(), (*frame)->bytes.end());
        }
        const auto decoded = testing::decodeH264(stream);
        EXPECT_EQ(decoded.errors, "") << size.toString();
        EXPECT_EQ(decoded.planes.size(), 3U * size.width * size.height * 3 / 2) << decoded.info;
    }
    EXPECT_FALSE(makeOpenh264Encoder({.size = {8192, 8192}, .bitrate = 100000}));
}

} // namespace
} // namespace picam
