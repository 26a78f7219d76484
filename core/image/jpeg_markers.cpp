#include "core/image/jpeg_markers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>
#include <vector>

namespace picam {
namespace {

// Second bytes of the markers (T.81 table B.1).
constexpr std::uint8_t kTem = 0x01;
constexpr std::uint8_t kSof0 = 0xc0;
constexpr std::uint8_t kSof1 = 0xc1;
constexpr std::uint8_t kSof2 = 0xc2;
constexpr std::uint8_t kDht = 0xc4;
constexpr std::uint8_t kSof9 = 0xc9;
constexpr std::uint8_t kSof10 = 0xca;
constexpr std::uint8_t kDac = 0xcc;
constexpr std::uint8_t kSof15 = 0xcf;
constexpr std::uint8_t kRst0 = 0xd0;
constexpr std::uint8_t kRst7 = 0xd7;
constexpr std::uint8_t kSoi = 0xd8;
constexpr std::uint8_t kEoi = 0xd9;
constexpr std::uint8_t kSos = 0xda;
constexpr std::uint8_t kDqt = 0xdb;
constexpr std::uint8_t kDnl = 0xdc;
constexpr std::uint8_t kDri = 0xdd;
constexpr std::uint8_t kApp0 = 0xe0;
constexpr std::uint8_t kApp15 = 0xef;
constexpr std::uint8_t kCom = 0xfe;

// libjpeg's limits.
constexpr std::uint32_t kMaxSide = 65500;
constexpr std::uint8_t kMaxComponents = 10;
constexpr std::uint8_t kMaxComponentsInScan = 4;
constexpr std::uint8_t kMaxSampling = 4;
constexpr std::uint8_t kTables = 4;

using Body = std::span<const std::uint8_t>; // of a segment, behind its length

tl::unexpected<Error> corrupt(std::string_view what)
{
    return fail(ErrorKind::kCorrupt, "JPEG " + std::string(what));
}

class Walker {
public:
    explicit Walker(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    // As far as the frame header, or (`whole`) as far as EOI.
    [[nodiscard]] Expected<JpegLayout> walk(bool whole)
    {
        if (bytes_.size() < 2 || bytes_[0] != 0xff || bytes_[1] != kSoi)
            return corrupt("does not begin with a start marker");
        at_ = 2;
        while (true) {
            const auto marker = nextMarker();
            if (!marker)
                return tl::unexpected(marker.error());
            if (*marker == kEoi) {
                if (layout_.first_scan == 0)
                    return corrupt("ends before its picture begins");
                layout_.end = at_;
                return layout_;
            }
            if (auto done = segment(*marker); !done)
                return tl::unexpected(done.error());
            if (!whole && have_size_)
                return layout_;
        }
    }

private:
    [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

    // The second byte of the next marker; at_ moves behind it. What is no marker before it is skipped, as every decoder
    // does: cheap cameras leave stray bytes between segments.
    [[nodiscard]] Expected<std::uint8_t> nextMarker()
    {
        while (left() >= 2) {
            const void *found = std::memchr(&bytes_[at_], 0xff, left() - 1);
            if (found == nullptr)
                break;
            at_ = static_cast<std::size_t>(static_cast<const std::uint8_t *>(found) - bytes_.data());
            const std::uint8_t next = bytes_[at_ + 1];
            at_ += next == 0xff ? 1 : 2; // any number of fill bytes may stand before a marker
            if (next != 0x00 && next != 0xff)
                return next;
        }
        return corrupt(layout_.first_scan == 0 ? "is cut off" : "is cut off in its picture data");
    }

    [[nodiscard]] Expected<void> segment(std::uint8_t marker)
    {
        if (marker == kTem || (marker >= kRst0 && marker <= kRst7))
            return {}; // they have no segment
        if (marker == kSoi)
            return corrupt("begins twice");
        const bool frame_header =
            marker == kSof0 || marker == kSof1 || marker == kSof2 || marker == kSof9 || marker == kSof10;
        const bool table = marker == kDht || marker == kDqt || marker == kDri || marker == kDac;
        const bool skipped = (marker >= kApp0 && marker <= kApp15) || marker == kCom || marker == kDnl;
        if (!frame_header && !table && !skipped && marker != kSos)
            return corrupt(marker >= kSof0 && marker <= kSof15 ? "is coded in a way that decoders do not know"
                                                               : "has a marker that decoders do not know");
        if (left() < 2)
            return corrupt("is cut off");
        const std::size_t length = word(at_); // counts itself
        if (length < 2 && !skipped)
            return corrupt("has a segment without a length");
        if (length > left())
            return corrupt("is cut off within a segment");
        const std::size_t marker_at = at_ - 2;
        const Body body = length < 2 ? Body() : bytes_.subspan(at_ + 2, length - 2);
        at_ += std::max<std::size_t>(length, 2);
        if (frame_header)
            return frameHeader(marker, body);
        if (marker == kSos)
            return scan(marker_at, body);
        if (marker == kDht)
            return huffmanTables(body);
        if (marker == kDqt)
            return quantizationTables(body);
        if (marker == kDac)
            return arithmeticConditions(body);
        if (marker == kDri && body.size() != 2)
            return corrupt("has a bad restart interval");
        return {};
    }

    [[nodiscard]] Expected<void> frameHeader(std::uint8_t marker, Body body)
    {
        if (have_size_)
            return corrupt("has two frame headers");
        if (body.size() < 6 || body.size() != 6U + body[5] * 3U)
            return corrupt("has a frame header of a wrong length");
        layout_.size = {static_cast<std::uint32_t>(body[3] << 8U | body[4]),
                        static_cast<std::uint32_t>(body[1] << 8U | body[2])};
        if (layout_.size.width == 0 || layout_.size.height == 0 || body[5] == 0)
            return corrupt("has no size");
        if (layout_.size.width > kMaxSide || layout_.size.height > kMaxSide)
            return corrupt("is too large");
        if (body[0] != 8)
            return corrupt("has samples that are not of 8 bits");
        if (body[5] > kMaxComponents)
            return corrupt("has too many components");
        components_.clear();
        for (std::size_t at = 6; at < body.size(); at += 3) {
            const std::uint8_t horizontal = body[at + 1] >> 4U;
            const std::uint8_t vertical = body[at + 1] & 0x0fU;
            if (horizontal == 0 || horizontal > kMaxSampling || vertical == 0 || vertical > kMaxSampling)
                return corrupt("has a bad sampling factor");
            components_.push_back(body[at]);
        }
        have_size_ = true;
        needs_own_tables_ = marker == kSof2;
        return {};
    }

    [[nodiscard]] Expected<void> huffmanTables(Body body)
    {
        constexpr std::size_t kLengths = 16;
        while (body.size() > kLengths) {
            const std::uint8_t index = body[0] & 0xefU; // without 0x10, which says that it is for AC
            std::size_t values = 0;
            for (const std::uint8_t count : body.subspan(1, kLengths))
                values += count;
            body = body.subspan(1 + kLengths);
            if (index >= kTables || values > 256 || values > body.size())
                return corrupt("has a bad Huffman table");
            body = body.subspan(values);
        }
        if (!body.empty())
            return corrupt("has a bad Huffman table");
        layout_.has_huffman_tables = layout_.has_huffman_tables || layout_.first_scan == 0;
        return {};
    }

    [[nodiscard]] Expected<void> quantizationTables(Body body)
    {
        while (!body.empty()) {
            const std::size_t bytes = 1 + ((body[0] >> 4U) != 0 ? 128U : 64U);
            if ((body[0] & 0x0fU) >= kTables || bytes > body.size())
                return corrupt("has a bad quantization table");
            body = body.subspan(bytes);
        }
        return {};
    }

    [[nodiscard]] Expected<void> arithmeticConditions(Body body)
    {
        constexpr std::uint8_t kDcTables = 16;
        for (; body.size() >= 2; body = body.subspan(2))
            if (body[0] >= 2 * kDcTables || (body[0] < kDcTables && (body[1] & 0x0fU) > (body[1] >> 4U)))
                return corrupt("has a bad arithmetic conditioning");
        return body.empty() ? Expected<void>() : corrupt("has a bad arithmetic conditioning");
    }

    // The scan header. Of the coded data behind it nextMarker() finds the end: it holds 0xff before a zero or a restart
    // marker only.
    [[nodiscard]] Expected<void> scan(std::size_t marker_at, Body body)
    {
        if (!have_size_)
            return corrupt("has a scan before its frame header");
        if (body.empty() || body[0] < 1 || body[0] > kMaxComponentsInScan || body.size() != 4U + body[0] * 2U)
            return corrupt("has a bad scan header");
        // As libjpeg looks for them: the n-th of the scan is none of the frame's before its n-th, and none twice.
        const auto last = components_.begin() + std::min<std::ptrdiff_t>(kMaxComponentsInScan, std::ssize(components_));
        auto from = components_.begin();
        std::vector<std::vector<std::uint8_t>::iterator> chosen;
        for (std::size_t at = 1; at < 1U + body[0] * 2U; at += 2) {
            const auto component = from == last ? last : std::find(from, last, body[at]);
            if (component == last || std::find(chosen.begin(), chosen.end(), component) != chosen.end())
                return corrupt("has a scan of a component that is none");
            chosen.push_back(component);
            ++from;
        }
        if (layout_.first_scan == 0) {
            // The standard tables are made for sequential pictures.
            if (needs_own_tables_ && !layout_.has_huffman_tables)
                return corrupt("has no Huffman tables");
            layout_.first_scan = marker_at;
        }
        return {};
    }

    [[nodiscard]] std::size_t word(std::size_t at) const
    {
        return static_cast<std::size_t>(bytes_[at] << 8U | bytes_[at + 1]);
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0; // never beyond bytes_.size()
    JpegLayout layout_;
    bool have_size_ = false;
    bool needs_own_tables_ = false;
    std::vector<std::uint8_t> components_; // their identifiers
};

// T.81 K.3 to K.6: how many codes there are of each length, 1 to 16 bits, and the values in the order of their codes.
constexpr std::array<std::uint8_t, 16> kDcLumaCounts{0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
constexpr std::array<std::uint8_t, 16> kDcChromaCounts{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0};
constexpr std::array<std::uint8_t, 12> kDcValues{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr std::array<std::uint8_t, 16> kAcLumaCounts{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d};
constexpr std::array<std::uint8_t, 16> kAcChromaCounts{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77};
// clang-format off
constexpr std::array<std::uint8_t, 162> kAcLumaValues{
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};
constexpr std::array<std::uint8_t, 162> kAcChromaValues{
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};
// clang-format on

void appendTable(std::vector<std::uint8_t> &to, std::uint8_t class_and_id, std::span<const std::uint8_t, 16> counts,
                 std::span<const std::uint8_t> values)
{
    const std::size_t length = 2 + 1 + counts.size() + values.size();
    to.insert(to.end(), {0xff, kDht, static_cast<std::uint8_t>(length >> 8U), static_cast<std::uint8_t>(length & 0xffU),
                         class_and_id});
    to.insert(to.end(), counts.begin(), counts.end());
    to.insert(to.end(), values.begin(), values.end());
}

} // namespace

Expected<JpegLayout> readJpegLayout(std::span<const std::uint8_t> bytes)
{
    return Walker(bytes).walk(true);
}

Expected<Size> readJpegSize(std::span<const std::uint8_t> bytes)
{
    return Walker(bytes).walk(false).map([](const JpegLayout &layout) { return layout.size; });
}

std::span<const std::uint8_t> standardHuffmanTables()
{
    static const std::vector<std::uint8_t> tables = [] {
        std::vector<std::uint8_t> segments;
        appendTable(segments, 0x00, kDcLumaCounts, kDcValues);
        appendTable(segments, 0x10, kAcLumaCounts, kAcLumaValues);
        appendTable(segments, 0x01, kDcChromaCounts, kDcValues);
        appendTable(segments, 0x11, kAcChromaCounts, kAcChromaValues);
        return segments;
    }();
    return tables;
}

bool isTooLarge(Size size, Size expected)
{
    constexpr std::uint64_t kTimes = 4; // a driver may round a size, or not know it
    return std::uint64_t{size.width} * size.height > kTimes * expected.width * expected.height;
}

} // namespace picam
