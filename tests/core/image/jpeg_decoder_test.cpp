// Against the pictures that the JPEGs were made of.
#include "core/image/jpeg_decoder.h"

#include "core/image/pixels.h"

#include <cmath>
#include <gtest/gtest.h>
#include <turbojpeg.h>
#include <vector>

namespace picam {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 48;

std::vector<std::uint8_t> jpegOf(int subsampling, int width = kWidth, int height = kHeight)
{
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            rgb.push_back(static_cast<std::uint8_t>(2 * x + 60));
            rgb.push_back(static_cast<std::uint8_t>(3 * y + 40));
            rgb.push_back(static_cast<std::uint8_t>(x + y));
        }
    tjhandle compressor = tjInitCompress();
    unsigned char *buffer = nullptr;
    unsigned long length = 0;
    EXPECT_EQ(tjCompress2(compressor, rgb.data(), width, 0, height, TJPF_RGB, &buffer, &length, subsampling, 98, 0), 0);
    std::vector<std::uint8_t> jpeg(buffer, buffer + length);
    tjFree(buffer);
    tjDestroy(compressor);
    return jpeg;
}

Frame frameOf(const std::vector<std::uint8_t> &jpeg, Size size = {kWidth, kHeight})
{
    return {{PixelFormat::kJpeg, size},
            {{{.data = jpeg.data(), .stride = 0, .size = jpeg.size()}}},
            MonotonicTime{},
            nullptr};
}

TEST(JpegDecoder, EverySubsamplingHasTheSameColours)
{
    for (const int subsampling : {TJSAMP_420, TJSAMP_422, TJSAMP_444, TJSAMP_440, TJSAMP_411, TJSAMP_GRAY}) {
        const auto jpeg = jpegOf(subsampling);
        JpegDecoder decoder;
        Frame source = frameOf(jpeg);
        source.metadata().controls_generation = 7;
        const auto frame = decoder.decode(source);
        ASSERT_TRUE(frame) << frame.error().message;
        EXPECT_EQ(frame->metadata().controls_generation, 7U);
        PixelConverter pixels;
        const auto planes = pixels.toJpegPlanes(*frame, {});
        ASSERT_TRUE(planes) << planes.error().message;
        ASSERT_EQ(planes->size, (Size{kWidth, kHeight}));
        for (int y = 4; y < kHeight - 4; y += 8)
            for (int x = 4; x < kWidth - 4; x += 8) {
                const auto at = [&](std::size_t plane, int scale) {
                    return int{planes->data.at(plane)[static_cast<std::size_t>(y / scale) * planes->stride.at(plane) +
                                                      static_cast<std::size_t>(x / scale)]};
                };
                const double r = 2 * x + 60, g = 3 * y + 40, b = x + y;
                const double luma = 0.299 * r + 0.587 * g + 0.114 * b;
                EXPECT_NEAR(at(0, 1), luma, 4) << subsampling << " at " << x << ", " << y;
                if (subsampling != TJSAMP_GRAY) {
                    EXPECT_NEAR(at(1, 2), 128 + (b - luma) / 1.772, 6) << subsampling << " at " << x << ", " << y;
                    EXPECT_NEAR(at(2, 2), 128 + (r - luma) / 1.402, 6) << subsampling << " at " << x << ", " << y;
                }
            }
    }
}

TEST(JpegDecoder, WhatIsNoPictureIsRefused)
{
    JpegDecoder decoder;
    const auto jpeg = jpegOf(TJSAMP_422);
    for (std::size_t length = 0; length < jpeg.size(); length += 7) {
        const std::vector<std::uint8_t> cut(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_FALSE(decoder.decode(frameOf(cut))) << length;
    }
    EXPECT_FALSE(decoder.decode(frameOf(jpeg, {16, 16}))) << "larger than the camera was asked for";
    EXPECT_FALSE(decoder.decode(frameOf(jpegOf(TJSAMP_420, 63, 47), {64, 48}))) << "odd";
    EXPECT_TRUE(decoder.decode(frameOf(jpeg))) << "and then a good one";
}

} // namespace
} // namespace picam
