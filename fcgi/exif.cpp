#include "fcgi/exif.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <libexif/exif-data.h>
#include <memory>
#include <string>
#include <string_view>

namespace picam {
namespace {

constexpr ExifByteOrder kOrder = EXIF_BYTE_ORDER_INTEL;
constexpr std::string_view kVersion = "0231"; // the first with offsets from UTC
constexpr ExifShort kUpright = 1;
constexpr ExifShort kAutomatic = 0;
constexpr std::uint8_t kMarker = 0xFF;
constexpr std::uint8_t kApp0 = 0xE0;
constexpr std::uint8_t kApp1 = 0xE1;

struct DropData {
    void operator()(ExifData *data) const { exif_data_unref(data); }
};
struct DropEntry {
    void operator()(ExifEntry *entry) const { exif_entry_unref(entry); }
};
struct FreeBytes {
    void operator()(unsigned char *bytes) const { std::free(bytes); } // libexif's allocator is malloc()
};

// libexif's own value for the tags that every file has.
void add(ExifData &data, ExifIfd ifd, ExifTag tag)
{
    const std::unique_ptr<ExifEntry, DropEntry> entry(exif_entry_new());
    entry->tag = tag;
    exif_content_add_entry(data.ifd[ifd], entry.get());
    exif_entry_initialize(entry.get(), tag);
}

// For tags that libexif does not make by itself: so many bytes, for the caller to fill.
unsigned char *addBytes(ExifData &data, ExifIfd ifd, ExifTag tag, ExifFormat format, unsigned long components)
{
    const std::unique_ptr<ExifEntry, DropEntry> entry(exif_entry_new());
    entry->tag = tag;
    exif_content_add_entry(data.ifd[ifd], entry.get());
    entry->format = format;
    entry->components = components;
    entry->size = static_cast<unsigned int>(components * exif_format_get_size(format));
    entry->data = static_cast<unsigned char *>(std::calloc(entry->size, 1));
    return entry->data;
}

void addText(ExifData &data, ExifIfd ifd, ExifTag tag, const std::string &text)
{
    if (auto *bytes = addBytes(data, ifd, tag, EXIF_FORMAT_ASCII, text.size() + 1))
        std::memcpy(bytes, text.c_str(), text.size() + 1);
}

void addShort(ExifData &data, ExifIfd ifd, ExifTag tag, ExifShort value)
{
    if (auto *bytes = addBytes(data, ifd, tag, EXIF_FORMAT_SHORT, 1))
        exif_set_short(bytes, kOrder, value);
}

void addLong(ExifData &data, ExifIfd ifd, ExifTag tag, ExifLong value)
{
    if (auto *bytes = addBytes(data, ifd, tag, EXIF_FORMAT_LONG, 1))
        exif_set_long(bytes, kOrder, value);
}

void addTime(ExifData &data, WallTime captured)
{
    ::tzset(); // localtime_r() need not: the machine's time zone may have changed since the start
    const std::tm local = fmt::localtime(std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<WallTime::duration>(std::chrono::floor<std::chrono::seconds>(captured))));
    const std::string time = fmt::format("{:%Y:%m:%d %H:%M:%S}", local);
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(captured.time_since_epoch()).count() % 1000;
    const std::string fraction = fmt::format("{:03}", ms);
    const long minutes = local.tm_gmtoff / 60;
    const std::string offset =
        fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60, std::abs(minutes) % 60);
    addText(data, EXIF_IFD_0, EXIF_TAG_DATE_TIME, time);
    addText(data, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL, time);
    addText(data, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_DIGITIZED, time);
    for (const ExifTag tag : {EXIF_TAG_OFFSET_TIME, EXIF_TAG_OFFSET_TIME_ORIGINAL, EXIF_TAG_OFFSET_TIME_DIGITIZED})
        addText(data, EXIF_IFD_EXIF, tag, offset);
    for (const ExifTag tag : {EXIF_TAG_SUB_SEC_TIME, EXIF_TAG_SUB_SEC_TIME_ORIGINAL, EXIF_TAG_SUB_SEC_TIME_DIGITIZED})
        addText(data, EXIF_IFD_EXIF, tag, fraction);
}

void addExposure(ExifData &data, const Exposure &exposure)
{
    if (exposure.time_us != 0) {
        constexpr ExifLong kMicroseconds = 1'000'000;
        if (auto *bytes = addBytes(data, EXIF_IFD_EXIF, EXIF_TAG_EXPOSURE_TIME, EXIF_FORMAT_RATIONAL, 1))
            exif_set_rational(bytes, kOrder, {exposure.time_us, kMicroseconds});
    }
    if (exposure.sensitivity != 0) {
        constexpr std::uint32_t kMost = 65535; // what the tag can say
        addShort(data, EXIF_IFD_EXIF, EXIF_TAG_ISO_SPEED_RATINGS,
                 static_cast<ExifShort>(std::min(exposure.sensitivity, kMost)));
    }
    if (exposure.color_temperature != 0)
        addShort(data, EXIF_IFD_EXIF, EXIF_TAG_WHITE_BALANCE, kAutomatic);
}

} // namespace

std::vector<std::uint8_t> exifSegment(const Picture &picture, const std::string &title)
{
    const std::unique_ptr<ExifData, DropData> data(exif_data_new());
    if (!data)
        return {};
    exif_data_set_byte_order(data.get(), kOrder);
    for (const ExifTag tag : {EXIF_TAG_X_RESOLUTION, EXIF_TAG_Y_RESOLUTION, EXIF_TAG_RESOLUTION_UNIT})
        add(*data, EXIF_IFD_0, tag);
    addShort(*data, EXIF_IFD_0, EXIF_TAG_YCBCR_POSITIONING, 1); // centred, as JPEG's chroma is
    addShort(*data, EXIF_IFD_0, EXIF_TAG_ORIENTATION, kUpright);
    if (!title.empty())
        addText(*data, EXIF_IFD_0, EXIF_TAG_IMAGE_DESCRIPTION, title);
    addText(*data, EXIF_IFD_0, EXIF_TAG_SOFTWARE, "picam " PICAM_VERSION);
    if (auto *bytes = addBytes(*data, EXIF_IFD_EXIF, EXIF_TAG_EXIF_VERSION, EXIF_FORMAT_UNDEFINED, kVersion.size()))
        std::memcpy(bytes, kVersion.data(), kVersion.size());
    for (const ExifTag tag : {EXIF_TAG_COMPONENTS_CONFIGURATION, EXIF_TAG_FLASH_PIX_VERSION, EXIF_TAG_COLOR_SPACE})
        add(*data, EXIF_IFD_EXIF, tag);
    addLong(*data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION, picture.size.width);
    addLong(*data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION, picture.size.height);
    addTime(*data, picture.captured_wall);
    addExposure(*data, picture.exposure);

    unsigned char *saved = nullptr;
    unsigned int bytes = 0;
    exif_data_save_data(data.get(), &saved, &bytes);
    const std::unique_ptr<unsigned char, FreeBytes> owner(saved);
    constexpr unsigned int kMostInASegment = 65533;
    if (saved == nullptr || bytes == 0 || bytes > kMostInASegment)
        return {};
    const unsigned int length = bytes + 2; // the length counts itself
    std::vector<std::uint8_t> segment{kMarker, kApp1, static_cast<std::uint8_t>(length >> 8U),
                                      static_cast<std::uint8_t>(length)};
    segment.insert(segment.end(), saved, saved + bytes);
    return segment;
}

std::size_t exifOffset(const std::vector<std::uint8_t> &jpeg)
{
    constexpr std::string_view kName("Exif\0", 5);
    std::size_t offset = 0;
    // The application segments, which come first.
    for (std::size_t at = 2; at + 4 <= jpeg.size() && jpeg[at] == kMarker && (jpeg[at + 1] & 0xF0U) == kApp0;) {
        const std::size_t length = jpeg[at + 2] * 256U + jpeg[at + 3];
        const std::size_t content = std::min(at + 4, jpeg.size());
        if (jpeg[at + 1] == kApp1 && jpeg.size() - content >= kName.size() &&
            std::memcmp(&jpeg[content], kName.data(), kName.size()) == 0)
            return 0;
        if (jpeg[at + 1] == kApp0 && offset == 0 && at == 2 && at + 2 + length <= jpeg.size())
            offset = at + 2 + length;
        at += 2 + length;
    }
    return offset != 0 ? offset : 2;
}

std::shared_ptr<const Exif> ExifCache::of(const PicturePtr &picture)
{
    const MutexLock lock(mutex_);
    if (picture_.lock() != picture) {
        picture_ = picture;
        exif_.reset();
        if (const std::size_t offset = exifOffset(picture->bytes); offset != 0)
            exif_ = std::make_shared<const Exif>(Exif{exifSegment(*picture, title_), offset});
    }
    return exif_;
}

} // namespace picam
