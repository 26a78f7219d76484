// What needs no camera of libcamera_config: the choice of a format, and where planes lie in buffers.
#include "core/camera/libcamera_config.h"

#include <gtest/gtest.h>
#include <libcamera/formats.h>
#include <map>
#include <ostream>
#include <vector>

namespace picam {
namespace {

namespace formats = libcamera::formats;

libcamera::StreamConfiguration offering(const std::vector<libcamera::PixelFormat> &offered)
{
    std::map<libcamera::PixelFormat, std::vector<libcamera::SizeRange>> map;
    for (const auto &format : offered)
        map[format] = {libcamera::SizeRange(libcamera::Size(640, 480))};
    return libcamera::StreamConfiguration(libcamera::StreamFormats(map));
}

libcamera::PixelFormat chosenOf(const std::vector<libcamera::PixelFormat> &offered)
{
    auto stream = offering(offered);
    libcamera_config::askFor(stream, {640, 480}, 4);
    return stream.pixelFormat;
}

TEST(LibcameraConfig, AsksForTheBestFormatThatIsOffered)
{
    EXPECT_EQ(chosenOf({formats::RGB888, formats::YUYV, formats::NV12, formats::YUV420}), formats::YUV420);
    EXPECT_EQ(chosenOf({formats::YUYV, formats::NV12}), formats::NV12);
    EXPECT_EQ(chosenOf({formats::YUYV, formats::MJPEG, formats::NV12}), formats::MJPEG); // a webcam
    EXPECT_EQ(chosenOf({formats::RGB888, formats::YUYV}), formats::YUYV);
    EXPECT_EQ(chosenOf({formats::RGB888, formats::BGR888}), formats::BGR888);
    EXPECT_EQ(chosenOf({formats::RGB888, formats::SBGGR10}), formats::RGB888);
    EXPECT_EQ(chosenOf({formats::SBGGR10}), formats::YUV420); // validate() will say what it takes
    EXPECT_EQ(chosenOf({}), formats::YUV420);
}

using Sizes = std::vector<libcamera::SizeRange>;

libcamera::SizeRange one(unsigned int width, unsigned int height)
{
    return libcamera::SizeRange(libcamera::Size(width, height));
}

struct AskedFor {
    libcamera::PixelFormat fourcc;
    libcamera::Size size;
    friend bool operator==(const AskedFor &, const AskedFor &) = default;
};

std::ostream &operator<<(std::ostream &to, const AskedFor &asked)
{
    return to << asked.fourcc.toString() << ' ' << asked.size.toString();
}

AskedFor askedFor(const std::map<libcamera::PixelFormat, Sizes> &offered, Size size)
{
    libcamera::StreamConfiguration stream{libcamera::StreamFormats(offered)};
    libcamera_config::askFor(stream, size, 4);
    return {stream.pixelFormat, stream.size};
}

// As many webcams: pixels of small sizes, JPEGs of all.
const std::map<libcamera::PixelFormat, Sizes> kWebcam{
    {formats::NV12, {one(320, 240), one(640, 480)}},
    {formats::YUYV, {one(320, 240), one(640, 480), one(800, 600)}},
    {formats::MJPEG, {one(640, 480), one(1280, 960), one(1920, 1080)}}};

TEST(LibcameraConfig, AFormatCountsOnlyForTheSizesThatItHas)
{
    EXPECT_EQ(askedFor(kWebcam, {1920, 1080}), (AskedFor{formats::MJPEG, {1920, 1080}}));
    EXPECT_EQ(askedFor(kWebcam, {640, 480}), (AskedFor{formats::MJPEG, {640, 480}}));
    EXPECT_EQ(askedFor(kWebcam, {320, 240}), (AskedFor{formats::NV12, {320, 240}}));
    EXPECT_EQ(askedFor(kWebcam, {800, 600}), (AskedFor{formats::YUYV, {800, 600}}));
}

TEST(LibcameraConfig, TheNearestSizeIsTheNearestInArea)
{
    const std::map<libcamera::PixelFormat, Sizes> webcam{
        {formats::MJPEG, {one(320, 240), one(640, 480), one(1280, 960), one(1920, 1080)}}};
    EXPECT_EQ(askedFor(webcam, {1280, 720}).size, libcamera::Size(1280, 960));
    EXPECT_EQ(askedFor(webcam, {480, 640}).size, libcamera::Size(640, 480)) << "turned by 90 degrees";
    EXPECT_EQ(askedFor(webcam, {720, 1280}).size, libcamera::Size(1280, 960));
    EXPECT_EQ(askedFor(webcam, {4096, 2160}).size, libcamera::Size(1920, 1080));
    EXPECT_EQ(askedFor(webcam, {16, 16}).size, libcamera::Size(320, 240));
    EXPECT_EQ(askedFor({{formats::NV12, {one(640, 360), one(640, 480)}}}, {704, 432}).size, libcamera::Size(640, 480));
}

TEST(LibcameraConfig, OfARangeAnySizeIsTaken)
{
    const std::map<libcamera::PixelFormat, Sizes> sensor{
        {formats::YUV420, {libcamera::SizeRange({32, 32}, {4056, 3040}, 2, 2)}}};
    EXPECT_EQ(askedFor(sensor, {1000, 700}), (AskedFor{formats::YUV420, {1000, 700}}));
    EXPECT_EQ(askedFor({}, {1000, 700}), (AskedFor{formats::YUV420, {1000, 700}})) << "nothing listed";
}

TEST(LibcameraConfig, ListsTheSizesOfAllFormats)
{
    const libcamera::StreamConfiguration stream{libcamera::StreamFormats(kWebcam)};
    EXPECT_EQ(libcamera_config::offeredSizes(stream),
              (std::vector<Size>{{320, 240}, {640, 480}, {800, 600}, {1280, 960}, {1920, 1080}}));
}

TEST(LibcameraConfig, AsksForSizeBuffersAndColours)
{
    auto stream = offering({formats::NV12});
    stream.stride = 4096;
    libcamera_config::askFor(stream, {640, 480}, 6);
    EXPECT_EQ(stream.size, libcamera::Size(640, 480));
    EXPECT_EQ(stream.bufferCount, 6U);
    EXPECT_EQ(stream.stride, 0U); // the driver's own
    ASSERT_TRUE(stream.colorSpace);
    EXPECT_EQ(*stream.colorSpace, libcamera::ColorSpace::Sycc);
}

// A stream of 64x48 with rows of `stride` bytes.
libcamera::StreamConfiguration streamOf(unsigned int stride, unsigned int frame_size = 0)
{
    libcamera::StreamConfiguration stream;
    stream.size = libcamera::Size(64, 48);
    stream.stride = stride;
    stream.frameSize = frame_size;
    return stream;
}

FrameFormat formatOf(PixelFormat pixels)
{
    return {pixels, {64, 48}, ColorRange::kFull, ColorMatrix::kBt601};
}

TEST(LibcameraConfig, PlaneLengthsFollowTheStride)
{
    using Lengths = std::vector<unsigned int>;
    EXPECT_EQ(libcamera_config::planeLengths(streamOf(64), PixelFormat::kYuv420), (Lengths{3072, 768, 768}));
    EXPECT_EQ(libcamera_config::planeLengths(streamOf(96), PixelFormat::kYuv420), (Lengths{4608, 1152, 1152}));
    EXPECT_EQ(libcamera_config::planeLengths(streamOf(96), PixelFormat::kNv12), (Lengths{4608, 2304}));
    EXPECT_EQ(libcamera_config::planeLengths(streamOf(128, 6144), PixelFormat::kYuyv), Lengths{6144});
    EXPECT_EQ(libcamera_config::planeLengths(streamOf(0, 50000), PixelFormat::kJpeg), Lengths{50000});
}

void expectPlane(const Plane &plane, const std::uint8_t *data, std::size_t stride, std::size_t size)
{
    EXPECT_EQ(plane.data, data);
    EXPECT_EQ(plane.stride, stride);
    EXPECT_EQ(plane.size, size);
}

TEST(LibcameraConfig, OneBufferPlaneHoldsAllPlanes)
{
    const std::vector<std::uint8_t> bytes(6912);
    const std::uint8_t *at = bytes.data();
    const auto planar = libcamera_config::layOut(streamOf(96), formatOf(PixelFormat::kYuv420), {{at, 0, 6912}});
    expectPlane(planar[0], at, 96, 6912);
    expectPlane(planar[1], at + 4608, 48, 2304);
    expectPlane(planar[2], at + 5760, 48, 1152);
    const auto nv12 = libcamera_config::layOut(streamOf(96), formatOf(PixelFormat::kNv12), {{at, 0, 6912}});
    expectPlane(nv12[0], at, 96, 6912);
    expectPlane(nv12[1], at + 4608, 96, 2304);
    expectPlane(nv12[2], nullptr, 0, 0);
    const auto packed = libcamera_config::layOut(streamOf(144), formatOf(PixelFormat::kYuyv), {{at, 0, 6912}});
    expectPlane(packed[0], at, 144, 6912);
    expectPlane(packed[1], nullptr, 0, 0);
}

TEST(LibcameraConfig, AStrideThatIsOddIsHalvedDownwards)
{
    const std::vector<std::uint8_t> bytes(5000);
    const std::uint8_t *at = bytes.data();
    const auto planes = libcamera_config::layOut(streamOf(65), formatOf(PixelFormat::kYuv420), {{at, 0, 5000}});
    expectPlane(planes[0], at, 65, 5000);
    expectPlane(planes[1], at + 65 * 48, 32, 5000 - 65 * 48);
    expectPlane(planes[2], at + 65 * 48 + 32 * 24, 32, 5000 - 65 * 48 - 32 * 24);
}

TEST(LibcameraConfig, BufferPlanesOfTheirOwnAreTakenAsTheyAre)
{
    const std::vector<std::uint8_t> luma(3072), u(768), v(768);
    const auto planar =
        libcamera_config::layOut(streamOf(64), formatOf(PixelFormat::kYuv420),
                                 {{luma.data(), 0, luma.size()}, {u.data(), 0, u.size()}, {v.data(), 0, v.size()}});
    expectPlane(planar[0], luma.data(), 64, 3072);
    expectPlane(planar[1], u.data(), 32, 768);
    expectPlane(planar[2], v.data(), 32, 768);
    const auto nv12 = libcamera_config::layOut(streamOf(64), formatOf(PixelFormat::kNv12),
                                               {{luma.data(), 0, luma.size()}, {u.data(), 0, u.size()}});
    expectPlane(nv12[0], luma.data(), 64, 3072);
    expectPlane(nv12[1], u.data(), 64, 768);
    expectPlane(nv12[2], nullptr, 0, 0);
}

TEST(LibcameraConfig, PlanesKeepTheDmaBufAndTheirOffsetInIt)
{
    const std::vector<std::uint8_t> bytes(6912);
    const std::uint8_t *at = bytes.data();
    Plane whole{at, 0, 6912};
    whole.dma_buf = 7;
    whole.offset = 4096;
    const auto one = libcamera_config::layOut(streamOf(96), formatOf(PixelFormat::kYuv420), {whole});
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(one.at(i).dma_buf, 7) << i;
    EXPECT_EQ(one[0].offset, 4096U);
    EXPECT_EQ(one[1].offset, 4096U + 4608U);
    EXPECT_EQ(one[2].offset, 4096U + 5760U);
    Plane chroma{at + 4608, 0, 2304};
    chroma.dma_buf = 8;
    chroma.offset = 64;
    const auto two = libcamera_config::layOut(streamOf(96), formatOf(PixelFormat::kNv12), {whole, chroma});
    EXPECT_EQ(two[0].dma_buf, 7);
    EXPECT_EQ(two[1].dma_buf, 8);
    EXPECT_EQ(two[1].offset, 64U);
}

TEST(LibcameraConfig, APlaneBehindTheEndOfItsBufferIsEmpty)
{
    const std::vector<std::uint8_t> bytes(3500);
    const std::uint8_t *at = bytes.data();
    const auto planes = libcamera_config::layOut(streamOf(64), formatOf(PixelFormat::kYuv420), {{at, 0, 3500}});
    expectPlane(planes[0], at, 64, 3500);
    expectPlane(planes[1], at + 3072, 32, 428);
    expectPlane(planes[2], at + 3500, 32, 0);
}

TEST(LibcameraConfig, FrameDurationsDoNotClipAnExposureSetByHand)
{
    using libcamera_config::frameDurations;
    using namespace std::chrono_literals;
    EXPECT_EQ(frameDurations(30, false, 0us), (std::array<std::int64_t, 2>{33333, 33333}));
    EXPECT_EQ(frameDurations(30, true, 0us), (std::array<std::int64_t, 2>{33333, 1'000'000}));
    EXPECT_EQ(frameDurations(30, false, 10'000us), (std::array<std::int64_t, 2>{33333, 33333}));
    EXPECT_EQ(frameDurations(30, false, 100'000us), (std::array<std::int64_t, 2>{33333, 102'000}));
    EXPECT_EQ(frameDurations(30, true, 4s), (std::array<std::int64_t, 2>{33333, 4'080'000}));
}

} // namespace
} // namespace picam
