#include "streamd/video/mp4_fragments.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace picam {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kTrackId = 1;
constexpr std::size_t kBoxHeaderBytes = 8;
constexpr std::size_t kMoofBytes = 100; // as moof() writes it

// sample_flags: sample_depends_on 2, on no other; or 1, on others, and sample_is_non_sync_sample.
constexpr std::uint32_t kSyncSample = 0x02000000;
constexpr std::uint32_t kDependentSample = 0x01010000;

// Of the first sample. Short: a player that has no more than this has it shown at once, at any rate.
constexpr std::chrono::microseconds kFirstDuration = 33333us;
constexpr std::chrono::microseconds kMinDuration = 1us;
// An interval counts up to here, or up to half as much again as the one before: what is longer is a pause. Less would
// take the jitter of a few frames a second for pauses.
constexpr std::chrono::microseconds kMinPause = 250ms;
constexpr std::chrono::microseconds kMaxPause = 60s; // from here on even if they all are so long

// Appends boxes, one inside the other.
class BoxWriter {
public:
    void put8(std::uint8_t value) { putInteger(value); }
    void put16(std::uint16_t value) { putInteger(value); }
    void put32(std::uint32_t value) { putInteger(value); }
    void put64(std::uint64_t value) { putInteger(value); }
    void put(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
    void put(const std::vector<std::uint8_t> &bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    void zeros(std::size_t count) { bytes_.insert(bytes_.end(), count, std::uint8_t{0}); }

    template <class Content>
    void box(std::string_view type, const Content &content)
    {
        const std::size_t at = bytes_.size();
        zeros(4); // its size, which is known at its end
        put(type);
        content();
        const std::size_t size = bytes_.size() - at;
        for (std::size_t i = 0; i < 4; ++i)
            bytes_[at + i] = static_cast<std::uint8_t>(size >> (8 * (3 - i)));
    }
    template <class Content>
    void fullBox(std::string_view type, std::uint8_t version, std::uint32_t flags, const Content &content)
    {
        box(type, [&] {
            put32(std::uint32_t{version} << 24U | flags);
            content();
        });
    }

    std::vector<std::uint8_t> bytes_;

private:
    template <class Integer>
    void putInteger(Integer value)
    {
        for (std::size_t i = sizeof(Integer); i > 0; --i)
            bytes_.push_back(static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * (i - 1))));
    }
};

// The transformation that changes nothing.
void putMatrix(BoxWriter &out)
{
    for (const std::uint32_t value : {0x10000U, 0U, 0U, 0U, 0x10000U, 0U, 0U, 0U, 0x40000000U})
        out.put32(value);
}

// avc1, the sample entry.
void putSampleEntry(BoxWriter &out, Size size, const ParameterSets &sets)
{
    out.box("avc1", [&] {
        out.zeros(6);
        out.put16(1); // data_reference_index
        out.zeros(16);
        out.put16(static_cast<std::uint16_t>(size.width));
        out.put16(static_cast<std::uint16_t>(size.height));
        out.put32(72U << 16U); // horizresolution, dots an inch; always so
        out.put32(72U << 16U); // vertresolution
        out.zeros(4);
        out.put16(1);      // frame_count
        out.zeros(32);     // compressorname
        out.put16(0x18);   // depth: colour without alpha
        out.put16(0xffff); // pre_defined
        out.box("avcC", [&] {
            out.put8(1); // configurationVersion
            out.put8(sets.sps[1]);
            out.put8(sets.sps[2]);
            out.put8(sets.sps[3]);
            out.put8(0xfc | 3); // lengthSizeMinusOne
            out.put8(0xe0 | 1); // numOfSequenceParameterSets
            out.put16(static_cast<std::uint16_t>(sets.sps.size()));
            out.put(sets.sps);
            out.put8(1); // numOfPictureParameterSets
            out.put16(static_cast<std::uint16_t>(sets.pps.size()));
            out.put(sets.pps);
        });
        out.box("colr", [&] {
            out.put("nclx");
            out.put16(1);   // colour_primaries: BT.709, which are sRGB's
            out.put16(13);  // transfer_characteristics: sRGB
            out.put16(6);   // matrix_coefficients: BT.601
            out.put8(0x80); // full_range_flag
        });
    });
}

void putTrack(BoxWriter &out, Size size, const ParameterSets &sets, double fps)
{
    constexpr std::uint32_t kEnabledInMovie = 3;
    constexpr std::uint32_t kSelfContained = 1;
    out.box("trak", [&] {
        out.fullBox("tkhd", 0, kEnabledInMovie, [&] {
            out.zeros(8); // creation and modification time
            out.put32(kTrackId);
            out.zeros(4);
            out.put32(0); // duration: the fragments'
            out.zeros(8);
            out.zeros(8); // layer, alternate_group, volume
            putMatrix(out);
            out.put32(size.width << 16U);
            out.put32(size.height << 16U);
        });
        out.box("mdia", [&] {
            out.fullBox("mdhd", 0, 0, [&] {
                out.zeros(8);
                out.put32(kMp4Timescale);
                out.put32(0);
                out.put16(0x55c4); // language: "und"
                out.zeros(2);
            });
            out.fullBox("hdlr", 0, 0, [&] {
                out.zeros(4);
                out.put("vide");
                out.zeros(12);
                out.put8(0); // name
            });
            out.box("minf", [&] {
                out.fullBox("vmhd", 0, 1, [&] { out.zeros(8); });
                out.box("dinf", [&] {
                    out.fullBox("dref", 0, 0, [&] {
                        out.put32(1);
                        out.fullBox("url ", 0, kSelfContained, [] {});
                    });
                });
                out.box("stbl", [&] {
                    out.fullBox("stsd", 0, 0, [&] {
                        out.put32(1);
                        putSampleEntry(out, size, sets);
                    });
                    // No samples but the fragments'. The entry of none is where libavformat has a frame rate from: it
                    // would wait for twenty frames to guess one.
                    out.fullBox("stts", 0, 0, [&] {
                        out.put32(1);                                                            // entry_count
                        out.put32(0);                                                            // sample_count
                        out.put32(static_cast<std::uint32_t>(std::lround(kMp4Timescale / fps))); // sample_delta
                    });
                    out.fullBox("stsc", 0, 0, [&] { out.zeros(4); });
                    out.fullBox("stsz", 0, 0, [&] { out.zeros(8); });
                    out.fullBox("stco", 0, 0, [&] { out.zeros(4); });
                });
            });
        });
    });
}

} // namespace

Expected<Mp4Frame> makeMp4Frame(const EncodedFrame &frame)
{
    Mp4Frame made{frame.key, frame.size, frame.captured, std::nullopt, {}};
    BoxWriter out;
    // Lengths take a byte more than short start codes, which a few NAL units may have.
    out.bytes_.reserve(kBoxHeaderBytes + frame.bytes.size() + 16);
    bool slice = false;
    out.box("mdat", [&] { slice = appendAvcSample(frame.bytes, out.bytes_); });
    made.mdat = std::move(out.bytes_);
    if (!slice)
        return fail(ErrorKind::kCorrupt, "an access unit without a slice");
    if (frame.key) {
        constexpr std::size_t kMaxBytes = 0xffff; // as avcC can say
        made.parameter_sets = parameterSets(frame.bytes);
        if (!made.parameter_sets)
            return fail(ErrorKind::kCorrupt, "a key frame without SPS and PPS");
        if (made.parameter_sets->sps.size() > kMaxBytes || made.parameter_sets->pps.size() > kMaxBytes)
            return fail(ErrorKind::kCorrupt, "parameter sets that are too long");
    }
    return made;
}

std::vector<std::uint8_t> mp4InitSegment(Size size, const ParameterSets &sets, double fps)
{
    BoxWriter out;
    out.box("ftyp", [&] {
        out.put("iso6"); // that has tfdt; iso5 has default-base-is-moof
        out.put32(0);
        out.put("iso6iso5avc1mp41");
    });
    out.box("moov", [&] {
        out.fullBox("mvhd", 0, 0, [&] {
            out.zeros(8);
            out.put32(kMp4Timescale);
            out.put32(0);       // duration: a player takes none for a live stream, and then holds few frames
            out.put32(0x10000); // rate: 1
            out.put16(0x100);   // volume: 1
            out.zeros(10);
            putMatrix(out);
            out.zeros(24);
            out.put32(kTrackId + 1); // next_track_ID
        });
        putTrack(out, size, sets, fps);
        out.box("mvex", [&] {
            out.fullBox("trex", 0, 0, [&] {
                out.put32(kTrackId);
                out.put32(1);  // default_sample_description_index
                out.zeros(12); // duration, size and flags: each trun says them
            });
        });
    });
    return std::move(out.bytes_);
}

bool Mp4Fragments::continues(const Mp4Frame &frame) const
{
    return frame.size == size_ && (!frame.parameter_sets || *frame.parameter_sets == sets_);
}

std::vector<std::uint8_t> Mp4Fragments::moof(const Mp4Frame &frame)
{
    constexpr std::uint32_t kDefaultBaseIsMoof = 0x020000;
    constexpr std::uint32_t kDataOffset = 0x1;
    constexpr std::uint32_t kSampleDuration = 0x100;
    constexpr std::uint32_t kSampleSize = 0x200;
    constexpr std::uint32_t kSampleFlags = 0x400;
    std::chrono::microseconds duration = kFirstDuration;
    if (last_captured_) {
        const auto interval = std::chrono::duration_cast<std::chrono::microseconds>(frame.captured - *last_captured_);
        duration = std::clamp(interval, kMinDuration, std::clamp(last_interval_ * 3 / 2, kMinPause, kMaxPause));
        last_interval_ = interval;
    }
    last_captured_ = frame.captured;
    const auto decode_time = std::exchange(next_decode_time_, next_decode_time_ + duration);
    BoxWriter out;
    out.bytes_.reserve(kMoofBytes);
    out.box("moof", [&] {
        out.fullBox("mfhd", 0, 0, [&] { out.put32(++sequence_number_); });
        out.box("traf", [&] {
            out.fullBox("tfhd", 0, kDefaultBaseIsMoof, [&] { out.put32(kTrackId); });
            out.fullBox("tfdt", 1, 0, [&] { out.put64(static_cast<std::uint64_t>(decode_time.count())); });
            out.fullBox("trun", 0, kDataOffset | kSampleDuration | kSampleSize | kSampleFlags, [&] {
                out.put32(1); // sample_count
                out.put32(kMoofBytes + kBoxHeaderBytes);
                out.put32(static_cast<std::uint32_t>(duration.count()));
                out.put32(static_cast<std::uint32_t>(frame.mdat.size() - kBoxHeaderBytes));
                out.put32(frame.key ? kSyncSample : kDependentSample);
            });
        });
    });
    return std::move(out.bytes_);
}

} // namespace picam
