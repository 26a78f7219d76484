#include "core/image/jpeg_encoder.h"

#include "core/image/jpeg_markers.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <turbojpeg.h>

namespace picam {
namespace {

struct Rgb {
    double r, g, b;
};

// A smooth picture without symmetry, so that every turn shows.
Rgb colorAt(double x, double y)
{
    return {40 + 170 * x, 30 + 150 * y, 200 - 120 * x * y};
}

constexpr Size kSize{96, 64};
constexpr std::size_t kSlack = 16; // strides are longer than rows

// Pixels in every format, by the equations of BT.601 and BT.709 in floating point.
struct TestFrame {
    std::vector<std::uint8_t> bytes;
    Frame frame;
};

std::array<double, 3> toYcc(Rgb c, ColorRange range, ColorMatrix matrix)
{
    const double kr = matrix == ColorMatrix::kBt601 ? 0.299 : 0.2126;
    const double kb = matrix == ColorMatrix::kBt601 ? 0.114 : 0.0722;
    const double y = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
    const double u = (c.b - y) / (2 * (1 - kb));
    const double v = (c.r - y) / (2 * (1 - kr));
    if (range == ColorRange::kFull)
        return {y, u + 128, v + 128};
    return {16 + y * 219 / 255, 128 + u * 224 / 255, 128 + v * 224 / 255};
}

std::uint8_t byte(double value)
{
    return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

TestFrame makeFrame(PixelFormat pixels, ColorRange range = ColorRange::kFull, ColorMatrix matrix = ColorMatrix::kBt601)
{
    const FrameFormat format{pixels, kSize, range, matrix};
    const std::size_t w = kSize.width;
    const std::size_t h = kSize.height;
    const auto ycc = [&](double x, double y) {
        return toYcc(colorAt(x / static_cast<double>(w), y / static_cast<double>(h)), range, matrix);
    };
    TestFrame test;
    std::array<Plane, 3> planes{};
    const auto addPlane = [&](std::size_t index, std::size_t row_bytes, std::size_t rows, auto value) {
        const std::size_t stride = row_bytes + kSlack;
        const std::size_t start = test.bytes.size();
        test.bytes.resize(start + stride * rows, 77);
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t at = 0; at < row_bytes; ++at)
                test.bytes[start + row * stride + at] = byte(value(at, row));
        planes.at(index) = {nullptr, stride, stride * rows};
    };
    const auto d = [](std::size_t value) { return static_cast<double>(value); };
    const auto luma = [&](std::size_t x, std::size_t y) { return ycc(d(x) + 0.5, d(y) + 0.5)[0]; };
    const auto chroma = [&](std::size_t component) {
        return [&, component](std::size_t x, std::size_t y) { return ycc(2 * d(x) + 1, 2 * d(y) + 1).at(component); };
    };
    switch (pixels) {
    case PixelFormat::kYuv420:
        addPlane(0, w, h, luma);
        addPlane(1, w / 2, h / 2, chroma(1));
        addPlane(2, w / 2, h / 2, chroma(2));
        break;
    case PixelFormat::kNv12:
        addPlane(0, w, h, luma);
        addPlane(1, w, h / 2, [&](std::size_t x, std::size_t y) { return chroma(1 + x % 2)(x / 2, y); });
        break;
    case PixelFormat::kYuyv:
        addPlane(0, w * 2, h, [&](std::size_t at, std::size_t y) {
            if (at % 2 == 0)
                return luma(at / 2, y);
            return ycc(d(at / 4) * 2 + 1, d(y) + 0.5).at(at % 4 == 1 ? 1 : 2);
        });
        break;
    case PixelFormat::kRgb24:
    case PixelFormat::kBgr24:
        addPlane(0, w * 3, h, [&](std::size_t at, std::size_t y) {
            const Rgb c = colorAt((d(at / 3) + 0.5) / d(w), (d(y) + 0.5) / d(h));
            const std::array<double, 3> rgb{c.r, c.g, c.b};
            return rgb.at(pixels == PixelFormat::kRgb24 ? at % 3 : 2 - at % 3);
        });
        break;
    case PixelFormat::kJpeg:
        break;
    }
    const std::uint8_t *at = test.bytes.data();
    for (Plane &plane : planes) {
        plane.data = plane.size > 0 ? at : nullptr;
        at += plane.size;
    }
    test.frame = Frame(format, planes, {}, [] {});
    return test;
}

Frame jpegFrame(const std::vector<std::uint8_t> &jpeg, Size size = kSize)
{
    return {{PixelFormat::kJpeg, size, ColorRange::kFull, ColorMatrix::kBt601},
            {{{jpeg.data(), 0, jpeg.size()}}},
            {},
            [] {}};
}

// Where a pixel of the turned picture comes from: flip first, then rotate clockwise.
std::pair<double, double> origin(double x, double y, const Transform &t, Size turned)
{
    const double w = turned.width;
    const double h = turned.height;
    double sx = x / w;
    double sy = y / h;
    switch (t.rotation) {
    case Rotation::k0:
        break;
    case Rotation::k90:
        std::tie(sx, sy) = std::make_pair(y / h, 1 - x / w);
        break;
    case Rotation::k180:
        std::tie(sx, sy) = std::make_pair(1 - x / w, 1 - y / h);
        break;
    case Rotation::k270:
        std::tie(sx, sy) = std::make_pair(1 - y / h, x / w);
        break;
    }
    return {t.hflip ? 1 - sx : sx, t.vflip ? 1 - sy : sy};
}

// PSNR in dB of the decoded picture against the formula's.
double psnr(const std::vector<std::uint8_t> &jpeg, const Transform &transform)
{
    int width = 0;
    int height = 0;
    int subsampling = 0;
    int colorspace = 0;
    tjhandle handle = tjInitDecompress();
    EXPECT_EQ(tjDecompressHeader3(handle, jpeg.data(), jpeg.size(), &width, &height, &subsampling, &colorspace), 0);
    const Size turned = transform.apply(kSize);
    EXPECT_EQ(static_cast<std::uint32_t>(width), turned.width);
    EXPECT_EQ(static_cast<std::uint32_t>(height), turned.height);
    EXPECT_EQ(subsampling, TJSAMP_420);
    std::vector<std::uint8_t> rgb(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    EXPECT_EQ(tjDecompress2(handle, jpeg.data(), jpeg.size(), rgb.data(), width, 0, height, TJPF_RGB, 0), 0);
    tjDestroy(handle);
    double error = 0;
    for (std::uint32_t y = 0; y < turned.height; ++y)
        for (std::uint32_t x = 0; x < turned.width; ++x) {
            const auto [sx, sy] = origin(x + 0.5, y + 0.5, transform, turned);
            const Rgb want = colorAt(sx, sy);
            const std::uint8_t *got = &rgb[(std::size_t{y} * turned.width + x) * 3];
            error += std::pow(got[0] - want.r, 2) + std::pow(got[1] - want.g, 2) + std::pow(got[2] - want.b, 2);
        }
    error /= static_cast<double>(rgb.size());
    return 10 * std::log10(255 * 255 / error);
}

std::vector<Transform> allTransforms()
{
    std::vector<Transform> all;
    for (const Rotation rotation : {Rotation::k0, Rotation::k90, Rotation::k180, Rotation::k270})
        for (const bool hflip : {false, true})
            for (const bool vflip : {false, true})
                all.push_back({rotation, hflip, vflip});
    return all;
}

std::string nameOf(const Transform &t)
{
    return std::to_string(static_cast<int>(t.rotation)) + (t.hflip ? "h" : "") + (t.vflip ? "v" : "");
}

class JpegEncoderTest : public ::testing::Test {
protected:
    JpegEncoder encoder_ = *JpegEncoder::create();
};

TEST_F(JpegEncoderTest, EveryFormatEveryTurnEveryColorSpace)
{
    for (const PixelFormat pixels :
         {PixelFormat::kYuv420, PixelFormat::kNv12, PixelFormat::kYuyv, PixelFormat::kRgb24, PixelFormat::kBgr24}) {
        for (const ColorRange range : {ColorRange::kFull, ColorRange::kLimited}) {
            for (const ColorMatrix matrix : {ColorMatrix::kBt601, ColorMatrix::kBt709}) {
                const TestFrame test = makeFrame(pixels, range, matrix);
                for (const Transform &transform : allTransforms()) {
                    const auto jpeg = encoder_.encode(test.frame, {95, transform});
                    ASSERT_TRUE(jpeg) << jpeg.error().message;
                    EXPECT_GT(psnr(*jpeg, transform), 38.0)
                        << "format " << static_cast<int>(pixels) << " range " << static_cast<int>(range) << " matrix "
                        << static_cast<int>(matrix) << " turn " << nameOf(transform);
                }
            }
        }
    }
}

TEST_F(JpegEncoderTest, QualityDecidesTheSize)
{
    const TestFrame test = makeFrame(PixelFormat::kYuv420);
    EXPECT_LT(encoder_.encode(test.frame, {20, {}})->size(), encoder_.encode(test.frame, {95, {}})->size());
}

TEST_F(JpegEncoderTest, AJpegPassesAsItIs)
{
    const auto jpeg = encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {90, {}});
    ASSERT_TRUE(jpeg);
    EXPECT_EQ(*encoder_.encode(jpegFrame(*jpeg), {10, {}}), *jpeg);
    std::vector<std::uint8_t> padded = *jpeg;
    padded.resize(padded.size() + 1000); // as a UVC driver's buffer
    EXPECT_EQ(*encoder_.encode(jpegFrame(padded), {10, {}}), *jpeg);
}

TEST_F(JpegEncoderTest, AJpegIsTurnedWithoutLoss)
{
    const auto jpeg = encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {95, {}});
    for (const Transform &transform : allTransforms()) {
        const auto turned = encoder_.encode(jpegFrame(*jpeg), {80, transform});
        ASSERT_TRUE(turned) << turned.error().message;
        EXPECT_GT(psnr(*turned, transform), 38.0) << nameOf(transform);
    }
}

// Takes the DHT segments out, as many UVC cameras leave them out.
std::vector<std::uint8_t> withoutTables(const std::vector<std::uint8_t> &jpeg)
{
    std::vector<std::uint8_t> result(jpeg.begin(), jpeg.begin() + 2);
    std::size_t at = 2;
    while (jpeg[at + 1] != 0xda) {
        const std::size_t length = 2U + static_cast<std::size_t>(jpeg[at + 2] << 8 | jpeg[at + 3]);
        if (jpeg[at + 1] != 0xc4)
            result.insert(result.end(), jpeg.begin() + static_cast<long>(at),
                          jpeg.begin() + static_cast<long>(at + length));
        at += length;
    }
    result.insert(result.end(), jpeg.begin() + static_cast<long>(at), jpeg.end());
    return result;
}

TEST_F(JpegEncoderTest, MissingHuffmanTablesAreAdded)
{
    const auto jpeg = encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {95, {}});
    const auto bare = withoutTables(*jpeg);
    ASSERT_LT(bare.size(), jpeg->size());
    const auto completed = encoder_.encode(jpegFrame(bare), {80, {}});
    ASSERT_TRUE(completed) << completed.error().message;
    EXPECT_GT(psnr(*completed, {}), 38.0);
    const Transform turn{Rotation::k90, false, false};
    const auto turned = encoder_.encode(jpegFrame(bare), {80, turn});
    ASSERT_TRUE(turned) << turned.error().message;
    EXPECT_GT(psnr(*turned, turn), 38.0);
}

// Why libjpeg does not take the markers up to the first scan. Empty: it takes them.
std::string libjpegRefuses(const std::vector<std::uint8_t> &jpeg)
{
    const std::unique_ptr<void, int (*)(void *)> handle(tjInitDecompress(), tjDestroy);
    int width = 0; // set when libjpeg has read the header, whatever TurboJPEG has to say about it then
    int ignored = 0;
    tjDecompressHeader3(handle.get(), jpeg.data(), static_cast<unsigned long>(jpeg.size()), &width, &ignored, &ignored,
                        &ignored);
    return width > 0 ? std::string() : tjGetErrorStr2(handle.get());
}

// A picture whose scan ends at once: whatever is wrong with it is wrong up to there.
std::vector<std::uint8_t> withoutPicture(const std::vector<std::uint8_t> &jpeg)
{
    const std::size_t scan = readJpegLayout(jpeg)->first_scan;
    const std::size_t header = 2U + static_cast<std::size_t>(jpeg[scan + 2] << 8 | jpeg[scan + 3]);
    std::vector<std::uint8_t> head(jpeg.begin(), jpeg.begin() + static_cast<long>(scan + header));
    head.insert(head.end(), {0xff, 0xd9});
    return head;
}

TEST_F(JpegEncoderTest, TakesTheMarkersThatLibjpegTakes)
{
    const auto head = withoutPicture(*encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {60, {}}));
    ASSERT_TRUE(readJpegLayout(head));
    ASSERT_EQ(libjpegRefuses(head), "");
    const std::size_t scan = readJpegLayout(head)->first_scan;
    std::mt19937 random(3);
    const std::array<std::uint8_t, 12> telling{0xff, 0x00, 0x01, 0xc0, 0xc4, 0xcc, 0xd0, 0xd8, 0xd9, 0xdb, 0xdd, 0xe0};
    int taken = 0;
    for (int i = 0; i < 100000; ++i) {
        std::vector<std::uint8_t> changed = head;
        for (auto changes = 1 + random() % 3; changes > 0; --changes) {
            const auto at = static_cast<long>(random() % scan);
            const auto with =
                random() % 2 == 0 ? telling.at(random() % telling.size()) : static_cast<std::uint8_t>(random());
            if (random() % 3 == 0)
                changed.insert(changed.begin() + at, with);
            else if (random() % 3 == 0)
                changed.erase(changed.begin() + at);
            else
                changed[static_cast<std::size_t>(at)] = with;
        }
        const std::array<std::uint8_t, 2> sos{0xff, 0xda};
        const auto first = std::search(changed.begin(), changed.end(), sos.begin(), sos.end());
        if (std::search(first + 1, changed.end(), sos.begin(), sos.end()) != changed.end())
            continue; // libjpeg stops at the first, and does not look at what follows
        const auto layout = readJpegLayout(changed);
        const std::string refused = libjpegRefuses(changed);
        taken += layout ? 1 : 0;
        ASSERT_EQ(layout.has_value(), refused.empty())
            << (layout ? "taken, but: " + refused : layout.error().message) << ::testing::PrintToString(changed);
    }
    EXPECT_GT(taken, 10000);
}

// As two cameras make them: zeros, or a segment that is shorter than it says, between two others.
TEST_F(JpegEncoderTest, StrayBytesBetweenSegmentsAreShownAsDecodersDo)
{
    const auto jpeg = *encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {95, {}});
    std::vector<std::uint8_t> stray = jpeg;
    stray.insert(stray.begin() + 20, {0x00, 0x00, 0x12, 0xff, 0x00, 0x34, 0x00}); // behind APP0
    const auto passed = encoder_.encode(jpegFrame(stray), {});
    ASSERT_TRUE(passed) << passed.error().message;
    EXPECT_EQ(*passed, stray);
    const Transform turn{Rotation::k90, false, false};
    const auto turned = encoder_.encode(jpegFrame(stray), {80, turn});
    ASSERT_TRUE(turned) << turned.error().message;
    EXPECT_GT(psnr(*turned, turn), 38.0);
}

TEST_F(JpegEncoderTest, BrokenJpegsAreRefusedOrPassButNeverCrash)
{
    const auto jpeg = encoder_.encode(makeFrame(PixelFormat::kYuv420).frame, {60, {}});
    for (std::size_t length = 0; length < jpeg->size(); ++length) {
        const std::vector<std::uint8_t> cut(jpeg->begin(), jpeg->begin() + static_cast<long>(length));
        const auto result = encoder_.encode(jpegFrame(cut), {80, {}});
        ASSERT_FALSE(result) << length << " of " << jpeg->size();
        EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt);
        static_cast<void>(jpegSize(cut.data(), cut.size()));
    }
    for (std::size_t at = 0; at < jpeg->size(); ++at) {
        std::vector<std::uint8_t> flipped = *jpeg;
        flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ 0xff);
        static_cast<void>(encoder_.encode(jpegFrame(flipped), {80, {}}));
        static_cast<void>(encoder_.encode(jpegFrame(flipped), {80, {Rotation::k90, false, false}}));
    }
    // And it still works.
    EXPECT_TRUE(encoder_.encode(jpegFrame(*jpeg), {80, {Rotation::k90, false, false}}));
}

TEST_F(JpegEncoderTest, FramesThatPromiseTooMuchAreRefused)
{
    for (const PixelFormat pixels :
         {PixelFormat::kYuv420, PixelFormat::kNv12, PixelFormat::kYuyv, PixelFormat::kRgb24}) {
        const TestFrame whole = makeFrame(pixels);
        for (std::size_t plane = 0; plane < 3 && whole.frame.plane(plane).size > 0; ++plane) {
            std::array<Plane, 3> planes{whole.frame.plane(0), whole.frame.plane(1), whole.frame.plane(2)};
            planes.at(plane).size = planes.at(plane).size - kSlack - 1;
            const Frame small(whole.frame.format(), planes, {}, [] {});
            EXPECT_EQ(encoder_.encode(small, {}).error().kind, ErrorKind::kCorrupt);
            planes.at(plane) = {};
            const Frame missing(whole.frame.format(), planes, {}, [] {});
            EXPECT_EQ(encoder_.encode(missing, {}).error().kind, ErrorKind::kCorrupt);
        }
    }
    FrameFormat odd;
    odd.size = {63, 48};
    EXPECT_EQ(encoder_.encode(Frame(odd, {}, {}, [] {}), {}).error().kind, ErrorKind::kUnsupported);
}

TEST(JpegSize, ReadsTheHeader)
{
    auto encoder = *JpegEncoder::create();
    const auto jpeg = encoder.encode(makeFrame(PixelFormat::kYuv420).frame, {});
    EXPECT_EQ(*jpegSize(jpeg->data(), jpeg->size()), kSize);
    EXPECT_EQ(jpegSize(jpeg->data(), 1).error().kind, ErrorKind::kCorrupt);
    const std::string text = "no picture at all, but long enough to be looked at";
    EXPECT_FALSE(jpegSize(reinterpret_cast<const std::uint8_t *>(text.data()), text.size()));
}

} // namespace
} // namespace picam
