// What a video encoder gives, a driver for one: bytes that should be an access unit in Annex B format. Taken apart,
// with parameter sets that are completed and rewritten, and as fragments of MP4. The input is an access unit as a
// whole, and a stream whose NAL units come one by one.
#include "streamd/video/annex_b.h"
#include "streamd/video/h264_headers.h"
#include "streamd/video/h264_sps.h"
#include "streamd/video/mp4_fragments.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

using namespace picam;
using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

void require(bool condition, const char *what)
{
    if (condition)
        return;
    std::fprintf(stderr, "%s\n", what);
    __builtin_trap();
}

bool isSame(View one, View other)
{
    return std::equal(one.begin(), one.end(), other.begin(), other.end());
}

void append(Bytes &stream, View nal)
{
    stream.insert(stream.end(), {0, 0, 0, 1});
    stream.insert(stream.end(), nal.begin(), nal.end());
}

std::vector<NalUnit> nalUnitsOf(View stream)
{
    std::vector<NalUnit> units;
    View rest = stream;
    const std::uint8_t *at = stream.data();
    while (const auto unit = takeNalUnit(rest)) {
        require(!unit->empty() && unit->back() != 0, "a NAL unit that is empty, or ends with a zero");
        require(unit->data() >= at + 3 && unit->data() + unit->size() <= stream.data() + stream.size(),
                "a NAL unit that is not where the next one may be");
        constexpr std::array<std::uint8_t, 3> kStartCode{0, 0, 1};
        require(isSame({unit->data() - 3, 3}, kStartCode), "a NAL unit without a start code");
        require(std::search(unit->begin(), unit->end(), kStartCode.begin(), kStartCode.end()) == unit->end(),
                "a start code in a NAL unit");
        at = unit->data() + unit->size();
        units.push_back(*unit);
    }
    return units;
}

// No three bytes that a NAL unit must not have (7.4.1), nor an end that belongs to what follows.
bool isWellFormed(View nal)
{
    for (std::size_t at = 0; at + 2 < nal.size(); ++at)
        if (nal[at] == 0 && nal[at + 1] == 0 && nal[at + 2] <= 2)
            return false;
    return !nal.empty() && nal.back() != 0;
}

// What is accepted and rewritten is accepted again, and stays as it is.
void rewriteSps(View nal)
{
    const auto rewritten = withFullRangeVui(nal);
    if (!rewritten)
        return;
    require(isWellFormed(*rewritten), "an SPS that is no NAL unit");
    constexpr std::size_t kMaxBytes = 4096; // of one that is read
    const auto again = withFullRangeVui(*rewritten);
    require(again ? *again == *rewritten : rewritten->size() > kMaxBytes, "an SPS that does not stay as it is");
}

// Returns whether a viewer gets it.
bool complete(H264Headers &headers, View bytes)
{
    Bytes unit(bytes.begin(), bytes.end());
    const auto kind = headers.complete(unit);
    if (!kind || *kind == H264Unit::kHeaders)
        return false;
    const auto nals = nalUnitsOf(unit);
    const bool key = *kind == H264Unit::kKey;
    const std::size_t picture = key ? 2 : 0;
    require(nals.size() > picture, "a picture without a NAL unit of it");
    require(isSame(View(unit).first(4), std::array<std::uint8_t, 4>{0, 0, 0, 1}) || !key, "no start code in front");
    require((nalType(nals[picture]) == NalType::kIdrSlice) == key, "what it is called is not what it is");
    if (key) {
        require(nalType(nals[0]) == NalType::kSequenceParameterSet && nalType(nals[1]) == NalType::kPictureParameterSet,
                "a key frame that does not begin with its parameter sets");
        const auto sps = withFullRangeVui(nals[0]);
        require(!sps || isSame(*sps, nals[0]), "a key frame whose SPS does not say what ours say");
        require(parameterSets(unit).has_value(), "a key frame whose parameter sets nobody finds");
    }
    // Completed once it stays as it is.
    H264Headers others;
    Bytes same = unit;
    const auto again = others.complete(same);
    require(again && *again == *kind && same == unit, "an access unit that does not stay as it is");
    return true;
}

// Boxes that fill the bytes, each with what it holds.
void checkBoxes(View bytes)
{
    constexpr std::array<std::string_view, 8> kContainers{"moov", "trak", "mdia", "minf",
                                                          "dinf", "stbl", "moof", "traf"};
    while (!bytes.empty()) {
        require(bytes.size() >= 8, "a box that is cut off");
        const std::size_t size =
            std::size_t{bytes[0]} << 24U | std::size_t{bytes[1]} << 16U | std::size_t{bytes[2]} << 8U | bytes[3];
        require(size >= 8 && size <= bytes.size(), "a box that does not fit");
        const std::string_view type(reinterpret_cast<const char *>(bytes.data()) + 4, 4);
        if (std::find(kContainers.begin(), kContainers.end(), type) != kContainers.end())
            checkBoxes(bytes.subspan(8, size - 8));
        bytes = bytes.subspan(size);
    }
}

// The NAL units behind their lengths are those of the access unit.
void checkSample(View sample, const std::vector<NalUnit> &nals)
{
    auto nal = nals.begin();
    while (!sample.empty()) {
        require(sample.size() > 4, "a length that is cut off");
        const std::size_t length =
            std::size_t{sample[0]} << 24U | std::size_t{sample[1]} << 16U | std::size_t{sample[2]} << 8U | sample[3];
        require(length > 0 && length <= sample.size() - 4, "a NAL unit that does not fit");
        nal = std::find_if(nal, nals.end(), [&](NalUnit one) { return isSame(one, sample.subspan(4, length)); });
        require(nal != nals.end(), "a NAL unit that was not there");
        ++nal;
        sample = sample.subspan(4 + length);
    }
}

void makeFragments(View bytes, bool key)
{
    EncodedFrame frame;
    frame.codec = Codec::kH264;
    frame.key = key;
    frame.size = {640, 480};
    frame.captured = MonotonicTime(std::chrono::hours(1));
    frame.bytes.assign(bytes.begin(), bytes.end());
    const auto mp4 = makeMp4Frame(frame);
    if (!mp4)
        return;
    checkBoxes(mp4->mdat);
    checkSample(View(mp4->mdat).subspan(8), nalUnitsOf(frame.bytes));
    require(mp4->parameter_sets.has_value() == key, "parameter sets where there are none");
    if (!key)
        return;
    require(codecString(mp4->parameter_sets->sps).size() == 11, "a codec's name of another length");
    checkBoxes(mp4InitSegment(frame.size, *mp4->parameter_sets, 30));
    Mp4Fragments fragments(*mp4);
    require(fragments.continues(*mp4), "a frame that does not continue itself");
    const Bytes moof = fragments.moof(*mp4);
    checkBoxes(moof);
    require(moof.size() == 100, "a moof of another size than its trun counts on");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    const View unit(data, bytes);
    rewriteSps(unit); // without a start code
    const auto nals = nalUnitsOf(unit);
    H264Headers whole;
    static_cast<void>(complete(whole, unit));
    H264Headers one_by_one;
    for (const NalUnit nal : nals) {
        rewriteSps(nal);
        Bytes alone;
        append(alone, nal);
        static_cast<void>(complete(one_by_one, alone));
    }
    for (const bool key : {false, true})
        makeFragments(unit, key);
    return 0;
}
