#include "fcgi/exif.h"

#include <cstdlib>
#include <ctime>
#include <gtest/gtest.h>
#include <libexif/exif-data.h>
#include <memory>
#include <string>

namespace picam {
namespace {

using namespace std::chrono_literals;

// What libexif reads from a segment.
class ReadBack {
public:
    explicit ReadBack(const std::vector<std::uint8_t> &segment)
        : data_(exif_data_new_from_data(segment.data() + 4, static_cast<unsigned int>(segment.size() - 4)),
                exif_data_unref)
    {
    }

    [[nodiscard]] ExifEntry *entry(ExifIfd ifd, ExifTag tag) const
    {
        return exif_content_get_entry(data_->ifd[ifd], tag);
    }
    [[nodiscard]] std::string text(ExifIfd ifd, ExifTag tag) const
    {
        const ExifEntry *found = entry(ifd, tag);
        return found != nullptr ? std::string(reinterpret_cast<const char *>(found->data)) : "none";
    }
    [[nodiscard]] long number(ExifIfd ifd, ExifTag tag) const
    {
        const ExifEntry *found = entry(ifd, tag);
        if (found == nullptr)
            return -1;
        const ExifByteOrder order = exif_data_get_byte_order(data_.get());
        return found->format == EXIF_FORMAT_SHORT ? exif_get_short(found->data, order)
                                                  : static_cast<long>(exif_get_long(found->data, order));
    }
    [[nodiscard]] ExifRational rational(ExifIfd ifd, ExifTag tag) const
    {
        return exif_get_rational(entry(ifd, tag)->data, exif_data_get_byte_order(data_.get()));
    }

private:
    std::unique_ptr<ExifData, void (*)(ExifData *)> data_;
};

// The time zone is the process's: each test runs in a process of its own.
void useTimeZone(const char *zone)
{
    ::setenv("TZ", zone, 1);
    ::tzset();
}

Picture somePicture()
{
    Picture picture;
    picture.bytes = {0xff, 0xd8, 0xff, 0xd9};
    picture.size = {1280, 720};
    picture.captured_wall = WallTime(1700000000045ms); // 2023-11-14 22:13:20.045 UTC
    picture.exposure = {16667, 250, 4300};
    return picture;
}

TEST(Exif, SaysWhenWithFractionAndOffset)
{
    useTimeZone("XYZ-5:30"); // POSIX counts westwards: this is UTC+05:30
    const auto segment = exifSegment(somePicture());
    ASSERT_GT(segment.size(), 100U);
    EXPECT_EQ(segment[0], 0xff);
    EXPECT_EQ(segment[1], 0xe1);
    EXPECT_EQ(segment[2] * 256U + segment[3] + 2, segment.size());
    const ReadBack exif(segment);
    EXPECT_EQ(exif.text(EXIF_IFD_0, EXIF_TAG_DATE_TIME), "2023:11:15 03:43:20");
    EXPECT_EQ(exif.text(EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL), "2023:11:15 03:43:20");
    EXPECT_EQ(exif.text(EXIF_IFD_EXIF, EXIF_TAG_SUB_SEC_TIME_ORIGINAL), "045");
    EXPECT_EQ(exif.text(EXIF_IFD_EXIF, EXIF_TAG_OFFSET_TIME_ORIGINAL), "+05:30");
    useTimeZone("XYZ3:30");
    EXPECT_EQ(ReadBack(exifSegment(somePicture())).text(EXIF_IFD_EXIF, EXIF_TAG_OFFSET_TIME), "-03:30");
    useTimeZone("UTC0");
    EXPECT_EQ(ReadBack(exifSegment(somePicture())).text(EXIF_IFD_EXIF, EXIF_TAG_OFFSET_TIME), "+00:00");
}

TEST(Exif, SaysWhatPeopleCallIt)
{
    EXPECT_EQ(ReadBack(exifSegment(somePicture(), "Garten, grün")).text(EXIF_IFD_0, EXIF_TAG_IMAGE_DESCRIPTION),
              "Garten, grün");
    EXPECT_EQ(ReadBack(exifSegment(somePicture())).text(EXIF_IFD_0, EXIF_TAG_IMAGE_DESCRIPTION), "none");
}

TEST(Exif, FollowsTheTimeZoneOfTheMachine)
{
    useTimeZone("XYZ-5:30");
    EXPECT_EQ(ReadBack(exifSegment(somePicture())).text(EXIF_IFD_EXIF, EXIF_TAG_OFFSET_TIME), "+05:30");
    ::setenv("TZ", "XYZ3:30", 1); // as a changed /etc/localtime: nobody calls tzset()
    const ReadBack exif(exifSegment(somePicture()));
    EXPECT_EQ(exif.text(EXIF_IFD_EXIF, EXIF_TAG_OFFSET_TIME), "-03:30");
    EXPECT_EQ(exif.text(EXIF_IFD_0, EXIF_TAG_DATE_TIME), "2023:11:14 18:43:20");
}

TEST(Exif, SaysHowItWasTaken)
{
    const ReadBack exif(exifSegment(somePicture()));
    EXPECT_EQ(exif.number(EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION), 1280);
    EXPECT_EQ(exif.number(EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION), 720);
    EXPECT_EQ(exif.number(EXIF_IFD_0, EXIF_TAG_ORIENTATION), 1);
    EXPECT_EQ(exif.number(EXIF_IFD_EXIF, EXIF_TAG_ISO_SPEED_RATINGS), 250);
    EXPECT_EQ(exif.number(EXIF_IFD_EXIF, EXIF_TAG_WHITE_BALANCE), 0);
    const ExifRational time = exif.rational(EXIF_IFD_EXIF, EXIF_TAG_EXPOSURE_TIME);
    EXPECT_EQ(time.numerator, 16667U);
    EXPECT_EQ(time.denominator, 1000000U);
}

TEST(Exif, SaysNothingThatTheCameraDoesNotSay)
{
    Picture picture = somePicture();
    picture.exposure = {};
    const ReadBack exif(exifSegment(picture));
    for (const ExifTag tag : {EXIF_TAG_ISO_SPEED_RATINGS, EXIF_TAG_WHITE_BALANCE, EXIF_TAG_EXPOSURE_TIME})
        EXPECT_EQ(exif.entry(EXIF_IFD_EXIF, tag), nullptr);
}

TEST(Exif, BelongsBehindTheJfifHeaderAndOnlyOnce)
{
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xd9}), 2U);
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xdb, 0, 2}), 8U);
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xe1, 0, 8, 'E', 'x', 'i', 'f', 0, 0, 0xff, 0xdb}), 0U);
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1, 0, 8, 'E', 'x', 'i', 'f', 0, 0}), 0U);
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xe1, 0, 5, 'X', 'M', 'P', 0xff, 0xdb}), 2U);
    // Cut short, as nothing that is served is.
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 1}), 2U);
    EXPECT_EQ(exifOffset({0xff, 0xd8, 0xff}), 2U);
}

TEST(Exif, ExposureComesFromWhatTheCameraSays)
{
    CaptureMetadata metadata;
    EXPECT_EQ(exposureOf(metadata), Exposure{});
    metadata.exposure_time = 8000us;
    metadata.analogue_gain = 2.0F;
    EXPECT_EQ(exposureOf(metadata), (Exposure{8000, 200, 0}));
    metadata.digital_gain = 1.5F;
    metadata.color_temperature = 5000;
    EXPECT_EQ(exposureOf(metadata), (Exposure{8000, 300, 5000}));
    metadata.exposure_time = -1us;
    metadata.analogue_gain = -1.0F;
    EXPECT_EQ(exposureOf(metadata), (Exposure{0, 0, 5000}));
}

} // namespace
} // namespace picam
