#include "core/image/mean_color.h"

#include "core/image/jpeg_encoder.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>

namespace picam {
namespace {

constexpr Size kSize{64, 48};
constexpr std::uint8_t kSof[]{0xff, 0xc0};

// One colour, in planes of each format's own layout.
struct Flat {
    std::vector<std::uint8_t> bytes;
    Frame frame;

    Flat(PixelFormat pixels, std::array<std::uint8_t, 3> color)
    {
        const std::size_t luma = std::size_t{kSize.width} * kSize.height;
        std::array<Plane, 3> planes{};
        const auto fill = [&](std::size_t count, std::initializer_list<std::uint8_t> pattern) {
            for (std::size_t i = 0; i < count; ++i)
                bytes.insert(bytes.end(), pattern.begin(), pattern.end());
        };
        switch (pixels) {
        case PixelFormat::kYuv420:
            fill(luma, {color[0]});
            fill(luma / 4, {color[1]});
            fill(luma / 4, {color[2]});
            planes = {{{bytes.data(), kSize.width, luma},
                       {bytes.data() + luma, kSize.width / 2, luma / 4},
                       {bytes.data() + luma / 4 * 5, kSize.width / 2, luma / 4}}};
            break;
        case PixelFormat::kNv12:
            fill(luma, {color[0]});
            fill(luma / 4, {color[1], color[2]});
            planes = {{{bytes.data(), kSize.width, luma}, {bytes.data() + luma, kSize.width, luma / 2}, {}}};
            break;
        case PixelFormat::kYuyv:
            fill(luma / 2, {color[0], color[1], color[0], color[2]});
            planes[0] = {bytes.data(), kSize.width * 2, luma * 2};
            break;
        default:
            fill(luma, {color[0], color[1], color[2]});
            planes[0] = {bytes.data(), kSize.width * 3, luma * 3};
            break;
        }
        frame = Frame({pixels, kSize, ColorRange::kFull, ColorMatrix::kBt601}, planes, {}, [] {});
    }
};

TEST(MeanColor, OfEveryRawFormat)
{
    MeanColor mean;
    for (const PixelFormat pixels :
         {PixelFormat::kYuv420, PixelFormat::kNv12, PixelFormat::kYuyv, PixelFormat::kRgb24, PixelFormat::kBgr24}) {
        const Flat flat(pixels, {50, 90, 200});
        EXPECT_EQ(mean.of(flat.frame), (MeanColor::Color{50, 90, 200})) << static_cast<int>(pixels);
        std::array<Plane, 3> planes{flat.frame.plane(0), flat.frame.plane(1), flat.frame.plane(2)};
        planes[0].size -= 1;
        EXPECT_FALSE(mean.of(Frame(flat.frame.format(), planes, {}, [] {}))) << "a byte is missing";
    }
}

// Of limited range's black, in YCbCr.
TEST(MeanColor, OfNoneThatIsNearlyBlack)
{
    MeanColor mean;
    for (const auto pixels : {PixelFormat::kYuv420, PixelFormat::kNv12, PixelFormat::kYuyv}) {
        const Flat flat(pixels, {17, 128, 128});
        EXPECT_FALSE(mean.of(flat.frame)) << static_cast<int>(pixels);
    }
    const Flat flat(PixelFormat::kRgb24, {3, 5, 9});
    EXPECT_FALSE(mean.of(flat.frame));
}

TEST(MeanColor, OfAJpeg)
{
    MeanColor mean;
    auto encoder = *JpegEncoder::create();
    const auto jpeg = *encoder.encode(Flat(PixelFormat::kRgb24, {50, 90, 200}).frame, {90, {}});
    const FrameFormat format{PixelFormat::kJpeg, kSize, ColorRange::kFull, ColorMatrix::kBt601};
    const auto color = mean.of(Frame(format, {{{jpeg.data(), 0, jpeg.size()}, {}, {}}}, {}, [] {}));
    ASSERT_TRUE(color);
    EXPECT_NEAR((*color)[0], 50, 3);
    EXPECT_NEAR((*color)[1], 90, 3);
    EXPECT_NEAR((*color)[2], 200, 3);
    auto stray = jpeg;
    stray.insert(stray.begin() + 20, {0x00, 0x12, 0x34}); // behind APP0, as some webcams do
    EXPECT_EQ(mean.of(Frame(format, {{{stray.data(), 0, stray.size()}, {}, {}}}, {}, [] {})), color);
    EXPECT_FALSE(mean.of(Frame(format, {{{jpeg.data(), 0, jpeg.size() / 2}, {}, {}}}, {}, [] {}))) << "cut";
    EXPECT_FALSE(mean.of(Frame(format, {}, {}, [] {})));
    // A bit of its size flipped: gigabytes, were it decoded.
    auto damaged = jpeg;
    const auto sof = std::search(damaged.begin(), damaged.end(), std::begin(kSof), std::end(kSof));
    ASSERT_NE(sof, damaged.end());
    sof[5] = 0xff; // height
    sof[7] = 0xff; // width
    EXPECT_FALSE(mean.of(Frame(format, {{{damaged.data(), 0, damaged.size()}, {}, {}}}, {}, [] {})));
    const auto passed =
        encoder.encode(Frame(format, {{{damaged.data(), 0, damaged.size()}, {}, {}}}, {}, [] {}), {90, {}});
    ASSERT_FALSE(passed);
    EXPECT_EQ(passed.error().kind, ErrorKind::kCorrupt);
}

} // namespace
} // namespace picam
