#include "streamd/video/h264_headers.h"

#include "streamd/video/annex_b.h"
#include "streamd/video/h264_sps.h"

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace picam {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 4> kStartCode{0, 0, 0, 1};
constexpr std::size_t kShortStartCodeBytes = kStartCode.size() - 1;

// Slices, whole or in partitions.
bool isPicture(NalType type)
{
    return type >= NalType::kSlice && type <= NalType::kIdrSlice;
}

void append(std::vector<std::uint8_t> &to, NalUnit nal)
{
    to.insert(to.end(), kStartCode.begin(), kStartCode.end());
    to.insert(to.end(), nal.begin(), nal.end());
}

} // namespace

Expected<H264Unit> H264Headers::complete(std::vector<std::uint8_t> &unit)
{
    Bytes rest = unit;
    Bytes picture; // from the first slice's start code on: what follows is not looked at
    NalType type{};
    while (picture.empty()) {
        const auto nal = takeNalUnit(rest);
        if (!nal)
            return H264Unit::kHeaders;
        type = nalType(*nal);
        if (type == NalType::kSequenceParameterSet) {
            auto sps = withFullRangeVui(*nal);
            if (!sps)
                return tl::unexpected<Error>(std::move(sps.error()));
            sps_ = std::move(*sps);
        } else if (type == NalType::kPictureParameterSet) {
            pps_.assign(nal->begin(), nal->end());
        } else if (isPicture(type)) {
            picture = Bytes(unit).subspan(static_cast<std::size_t>(nal->data() - unit.data()) - kShortStartCodeBytes);
        }
    }
    if (type != NalType::kIdrSlice) {
        // An SPS before it would not say what ours says. The first start code has a byte more (B.1.2).
        if (unit.front() != 0 || picture.size() + 1 != unit.size()) {
            std::vector<std::uint8_t> alone{0};
            alone.insert(alone.end(), picture.begin(), picture.end());
            unit = std::move(alone);
        }
        return H264Unit::kDelta;
    }
    if (sps_.empty() || pps_.empty())
        return fail(ErrorKind::kCorrupt, "the video encoder makes a key frame without parameter sets");
    std::vector<std::uint8_t> whole;
    whole.reserve(4 + sps_.size() + 4 + pps_.size() + picture.size());
    append(whole, sps_);
    append(whole, pps_);
    whole.insert(whole.end(), picture.begin(), picture.end());
    unit = std::move(whole);
    return H264Unit::kKey;
}

} // namespace picam
