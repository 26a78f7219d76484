#include "streamd/video/annex_b.h"

#include <algorithm>
#include <fmt/format.h>

namespace picam {

namespace {

constexpr std::size_t kSpsHeaderBytes = 4; // NAL header, profile_idc, constraint flags, level_idc
constexpr std::size_t kStartCodeBytes = 3; // a fourth, a zero before it, is as a trailing zero of what precedes

// Offset of the next start code from `from` on; the size where there is none.
std::size_t findStartCode(std::span<const std::uint8_t> bytes, std::size_t from)
{
    while (from + kStartCodeBytes <= bytes.size()) {
        // The last byte of the three first: where it is neither 0 nor 1, none of them can begin a start code.
        const std::uint8_t last = bytes[from + 2];
        if (last > 1)
            from += 3;
        else if (last == 1 && bytes[from] == 0 && bytes[from + 1] == 0)
            return from;
        else
            ++from;
    }
    return bytes.size();
}

const NalUnit *find(const std::vector<NalUnit> &units, NalType type)
{
    const auto found = std::find_if(units.begin(), units.end(), [type](NalUnit unit) { return nalType(unit) == type; });
    return found == units.end() ? nullptr : &*found;
}

} // namespace

NalType nalType(NalUnit unit)
{
    return static_cast<NalType>(unit.front() & 0x1fU);
}

std::vector<NalUnit> nalUnits(std::span<const std::uint8_t> access_unit)
{
    std::vector<NalUnit> units;
    for (std::size_t start = findStartCode(access_unit, 0); start < access_unit.size();) {
        const std::size_t begin = start + kStartCodeBytes;
        start = findStartCode(access_unit, begin);
        std::size_t end = start;
        while (end > begin && access_unit[end - 1] == 0)
            --end; // a NAL unit's last byte is not 0
        if (end > begin)
            units.push_back(access_unit.subspan(begin, end - begin));
    }
    return units;
}

std::optional<ParameterSets> parameterSets(std::span<const std::uint8_t> access_unit)
{
    const std::vector<NalUnit> units = nalUnits(access_unit);
    const NalUnit *sps = find(units, NalType::kSequenceParameterSet);
    const NalUnit *pps = find(units, NalType::kPictureParameterSet);
    if (sps == nullptr || pps == nullptr || sps->size() < kSpsHeaderBytes)
        return std::nullopt;
    return ParameterSets{{sps->begin(), sps->end()}, {pps->begin(), pps->end()}};
}

std::string codecString(NalUnit sps)
{
    return fmt::format("avc1.{:02X}{:02X}{:02X}", sps[1], sps[2], sps[3]);
}

bool appendAvcSample(std::span<const std::uint8_t> access_unit, std::vector<std::uint8_t> &sample)
{
    bool slice = false;
    for (const NalUnit unit : nalUnits(access_unit)) {
        switch (nalType(unit)) {
        case NalType::kSequenceParameterSet:
        case NalType::kPictureParameterSet:
        case NalType::kAccessUnitDelimiter:
        case NalType::kFillerData:
            continue;
        case NalType::kSlice:
        case NalType::kIdrSlice:
            slice = true;
            break;
        }
        for (int shift = 24; shift >= 0; shift -= 8)
            sample.push_back(static_cast<std::uint8_t>(unit.size() >> static_cast<unsigned>(shift)));
        sample.insert(sample.end(), unit.begin(), unit.end());
    }
    return slice;
}

} // namespace picam
