#include "streamd/video/h264_headers.h"

#include "streamd/video/h264_sps.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace picam {
namespace {

using Bytes = std::span<const std::uint8_t>;

enum NalType : std::uint8_t { kSlice = 1, kPartition = 2, kIdrSlice = 5, kSps = 7, kPps = 8 };

constexpr std::array<std::uint8_t, 3> kStartCode{0, 0, 1};

std::uint8_t typeOf(Bytes nal)
{
    return nal[0] & 0x1fU;
}

bool isPicture(std::uint8_t type)
{
    return type >= kSlice && type <= kIdrSlice;
}

// Cuts the next NAL unit off the front; empty: there is none. Zeros before a start code belong to nobody.
Bytes nextNal(Bytes &rest)
{
    for (;;) {
        const auto start = std::search(rest.begin(), rest.end(), kStartCode.begin(), kStartCode.end());
        if (start == rest.end())
            return {};
        const auto begin = start + kStartCode.size();
        const auto next = std::search(begin, rest.end(), kStartCode.begin(), kStartCode.end());
        auto end = next;
        while (end != begin && *(end - 1) == 0)
            --end;
        rest = Bytes(next, rest.end());
        if (begin != end)
            return {begin, end};
    }
}

void append(std::vector<std::uint8_t> &to, Bytes nal)
{
    to.push_back(0);
    to.insert(to.end(), kStartCode.begin(), kStartCode.end());
    to.insert(to.end(), nal.begin(), nal.end());
}

} // namespace

Expected<H264Unit> H264Headers::complete(std::vector<std::uint8_t> &unit)
{
    Bytes rest = unit;
    Bytes picture; // from the first slice's start code on: what follows is not looked at
    std::uint8_t type = 0;
    bool bare = true; // nothing stands before the picture
    for (Bytes before = rest; picture.empty(); before = rest) {
        const Bytes nal = nextNal(rest);
        if (nal.empty())
            return H264Unit::kHeaders;
        type = typeOf(nal);
        if (type == kSps) {
            auto sps = withFullRangeVui(nal);
            if (!sps)
                return tl::unexpected<Error>(std::move(sps.error()));
            sps_ = std::move(*sps);
        } else if (type == kPps) {
            pps_.assign(nal.begin(), nal.end());
        } else if (isPicture(type)) {
            picture = before;
            break;
        }
        bare = false;
    }
    if (type != kIdrSlice) {
        if (!bare) { // an SPS there would not say what ours says
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
