#include "streamd/video/video_frames.h"

#include "core/image/jpeg_encoder.h"
#include "tests/streamd/video/test_clip.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using testing::TestClip;

constexpr Size kSize{320, 240};
constexpr Size kHalf{160, 120};

double meanLuma(const Frame &frame, std::uint32_t left, std::uint32_t top, std::uint32_t side)
{
    double sum = 0;
    for (std::uint32_t y = top; y < top + side; ++y)
        for (std::uint32_t x = left; x < left + side; ++x)
            sum += frame.plane(0).data[y * frame.plane(0).stride + x];
    return sum / (side * side);
}

TEST(VideoFrames, AFrameThatNeedsNoChangeIsNotCopied)
{
    TestClip clip(kSize);
    const Frame frame = clip.frame(0);
    VideoFrames frames(kSize, {}, false);
    const auto prepared = frames.prepare(frame);
    ASSERT_TRUE(prepared);
    EXPECT_EQ(*prepared, &frame);
}

TEST(VideoFrames, HalvedAndTurned)
{
    TestClip clip(kSize, 0);
    const Frame frame = clip.frame(0);
    VideoFrames halves(kHalf, {}, false);
    const auto half = halves.prepare(frame);
    ASSERT_TRUE(half);
    EXPECT_EQ((*half)->format(), (FrameFormat{PixelFormat::kYuv420, kHalf}));
    EXPECT_EQ((*half)->captured(), frame.captured());
    EXPECT_NEAR(meanLuma(**half, 20, 30, 40), meanLuma(frame, 40, 60, 80), 1);
    VideoFrames turned({kHalf.height, kHalf.width}, {Rotation::k90, false, false}, true);
    const auto turn = turned.prepare(frame);
    ASSERT_TRUE(turn);
    // What was at the left below is at the left above.
    EXPECT_NEAR(meanLuma(**turn, 0, 0, 30), meanLuma(frame, 0, kSize.height - 60, 60), 1);
}

TEST(VideoFrames, WhatACameraGivesAsJpeg)
{
    TestClip clip(kSize, 0);
    const Frame frame = clip.frame(3);
    auto encoder = JpegEncoder::create();
    ASSERT_TRUE(encoder);
    const auto jpeg = encoder->encode(frame, {.quality = 95, .transform = {}});
    ASSERT_TRUE(jpeg);
    const Frame webcam({PixelFormat::kJpeg, kSize}, {{{.data = jpeg->data(), .stride = 0, .size = jpeg->size()}}},
                       frame.captured(), nullptr);
    VideoFrames frames(kSize, {}, false);
    for (int again = 0; again < 3; ++again) {
        const auto prepared = frames.prepare(webcam);
        ASSERT_TRUE(prepared) << prepared.error().message;
        ASSERT_EQ((*prepared)->format(), frame.format());
        EXPECT_GT(testing::psnr((*prepared)->plane(0).data, frame.plane(0).data, frame.plane(0).size), 38);
        EXPECT_GT(testing::psnr((*prepared)->plane(2).data, frame.plane(2).data, frame.plane(2).size), 38);
    }
    VideoFrames halves(kHalf, {Rotation::k180, false, false}, false);
    const auto half = halves.prepare(webcam);
    ASSERT_TRUE(half);
    EXPECT_NEAR(meanLuma(**half, 0, 0, 20), meanLuma(frame, kSize.width - 40, kSize.height - 40, 40), 1);
}

TEST(VideoFrames, AFrameWithTooFewBytesIsRefused)
{
    TestClip clip(kSize);
    const Frame whole = clip.frame(0);
    auto planes = std::array{whole.plane(0), whole.plane(1), whole.plane(2)};
    planes[1].size -= 1;
    const Frame frame(whole.format(), planes, whole.captured(), nullptr);
    for (const Size size : {kSize, kHalf}) {
        VideoFrames frames(size, {}, false);
        EXPECT_FALSE(frames.prepare(frame));
    }
}

} // namespace
} // namespace picam
