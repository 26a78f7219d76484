// The conversion of colours, against the equations in floating point.
#include "core/image/pixels.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace picam {
namespace {

// Every pair of chroma values once, and luma that runs through all its values under them.
constexpr Size kSize{512, 512};

struct Ycc {
    double y, u, v;
};

// To R'G'B' by the frame's coding and back by JPEG's (BT.601, full range).
Ycc exact(Ycc from, ColorRange range, ColorMatrix matrix)
{
    if (range == ColorRange::kLimited)
        from = {(from.y - 16) * 255 / 219, (from.u - 128) * 255 / 224, (from.v - 128) * 255 / 224};
    else
        from = {from.y, from.u - 128, from.v - 128};
    const double kr = matrix == ColorMatrix::kBt601 ? 0.299 : 0.2126;
    const double kb = matrix == ColorMatrix::kBt601 ? 0.114 : 0.0722;
    const double r = from.y + 2 * (1 - kr) * from.v;
    const double b = from.y + 2 * (1 - kb) * from.u;
    const double g = (from.y - kr * r - kb * b) / (1 - kr - kb);
    const double y = 0.299 * r + 0.587 * g + 0.114 * b;
    return {y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128};
}

double clamped(double value)
{
    return std::clamp(value, 0.0, 255.0);
}

class ColorConversion : public ::testing::Test {
protected:
    ColorConversion()
    {
        for (std::size_t y = 0; y < kSize.height; ++y)
            for (std::size_t x = 0; x < kSize.width; ++x)
                luma_.push_back(static_cast<std::uint8_t>(x * 7 + y * 13));
        for (std::size_t y = 0; y < kSize.height / 2; ++y)
            for (std::size_t x = 0; x < kSize.width / 2; ++x) {
                u_.push_back(static_cast<std::uint8_t>(x));
                v_.push_back(static_cast<std::uint8_t>(y));
            }
    }

    PlanarView convert(ColorRange range, ColorMatrix matrix)
    {
        const Frame frame({PixelFormat::kYuv420, kSize, range, matrix},
                          {{{luma_.data(), kSize.width, luma_.size()},
                            {u_.data(), kSize.width / 2, u_.size()},
                            {v_.data(), kSize.width / 2, v_.size()}}},
                          {}, [] {});
        return converter_.toJpegPlanes(frame, {}).value();
    }

    std::vector<std::uint8_t> luma_, u_, v_;
    PixelConverter converter_;
};

TEST_F(ColorConversion, IsWithinOneOfTheEquations)
{
    for (const auto &[range, matrix] :
         {std::pair{ColorRange::kLimited, ColorMatrix::kBt601}, std::pair{ColorRange::kLimited, ColorMatrix::kBt709},
          std::pair{ColorRange::kFull, ColorMatrix::kBt709}}) {
        const PlanarView view = convert(range, matrix);
        double worst = 0;
        for (std::size_t y = 0; y < kSize.height; ++y)
            for (std::size_t x = 0; x < kSize.width; ++x) {
                const std::size_t chroma = y / 2 * (kSize.width / 2) + x / 2;
                const Ycc wanted =
                    exact({double(luma_[y * kSize.width + x]), double(u_[chroma]), double(v_[chroma])}, range, matrix);
                const std::size_t at = y / 2 * view.stride[1] + x / 2;
                worst = std::max({worst, std::abs(view.data[0][y * view.stride[0] + x] - clamped(wanted.y)),
                                  std::abs(view.data[1][at] - clamped(wanted.u)),
                                  std::abs(view.data[2][at] - clamped(wanted.v))});
            }
        EXPECT_LE(worst, 0.6) << "half for rounding to a pixel, the rest for fixed point"; // within 1 of the rounded
    }
}

TEST_F(ColorConversion, LimitedRangeReachesBlackAndWhiteAndKeepsGrey)
{
    const PlanarView view = convert(ColorRange::kLimited, ColorMatrix::kBt601);
    const auto lumaOf = [&](std::uint8_t value) {
        const auto at = static_cast<std::size_t>(std::find(luma_.begin(), luma_.end(), value) - luma_.begin());
        return static_cast<int>(view.data[0][at / kSize.width * view.stride[0] + at % kSize.width]);
    };
    for (const auto &[from, to] : {std::pair{0, 0}, std::pair{15, 0}, std::pair{16, 0}, std::pair{17, 1},
                                   std::pair{234, 254}, std::pair{235, 255}, std::pair{236, 255}, std::pair{255, 255}})
        EXPECT_EQ(lumaOf(static_cast<std::uint8_t>(from)), to) << from;
    EXPECT_EQ(view.data[1][128], 128);
    EXPECT_EQ(view.data[2][128 * view.stride[2]], 128);
}

} // namespace
} // namespace picam
