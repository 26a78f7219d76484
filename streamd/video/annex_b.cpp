#include "streamd/video/annex_b.h"

#include <fmt/format.h>

namespace picam {

namespace {

constexpr std::size_t kSpsHeaderBytes = 4; // NAL header, profile_idc, constraint flags, level_idc
constexpr std::size_t kStartCodeBytes = 3; // a fourth, a zero before it, is as a trailing zero of what precedes

// Offset of the first start code; the size where there is none.
std::size_t findStartCode(std::span<const std::uint8_t> bytes)
{
    std::size_t at = 0;
    while (at + kStartCodeBytes <= bytes.size()) {
        // The last byte of the three first: where it is neither 0 nor 1, none of them can begin a start code.
        const std::uint8_t last = bytes[at + 2];
        if (last > 1)
            at += 3;
        else if (last == 1 && bytes[at] == 0 && bytes[at + 1] == 0)
            return at;
        else
            ++at;
    }
    return bytes.size();
}

} // namespace

NalType nalType(NalUnit unit)
{
    return static_cast<NalType>(unit.front() & 0x1fU);
}

std::optional<NalUnit> takeNalUnit(std::span<const std::uint8_t> &rest)
{
    for (;;) {
        rest = rest.subspan(findStartCode(rest));
        if (rest.empty())
            return std::nullopt;
        rest = rest.subspan(kStartCodeBytes);
        NalUnit unit = rest.first(findStartCode(rest));
        rest = rest.subspan(unit.size());
        while (!unit.empty() && unit.back() == 0)
            unit = unit.first(unit.size() - 1); // its own last byte is never 0
        if (!unit.empty())
            return unit;
    }
}

std::optional<ParameterSets> parameterSets(std::span<const std::uint8_t> access_unit)
{
    NalUnit sps;
    NalUnit pps;
    while (const auto unit = takeNalUnit(access_unit)) {
        if (nalType(*unit) == NalType::kSequenceParameterSet && sps.empty())
            sps = *unit;
        if (nalType(*unit) == NalType::kPictureParameterSet && pps.empty())
            pps = *unit;
    }
    if (sps.size() < kSpsHeaderBytes || pps.empty())
        return std::nullopt;
    return ParameterSets{{sps.begin(), sps.end()}, {pps.begin(), pps.end()}};
}

std::string codecString(NalUnit sps)
{
    return fmt::format("avc1.{:02X}{:02X}{:02X}", sps[1], sps[2], sps[3]);
}

bool appendAvcSample(std::span<const std::uint8_t> access_unit, std::vector<std::uint8_t> &sample)
{
    bool slice = false;
    while (const auto unit = takeNalUnit(access_unit)) {
        switch (nalType(*unit)) {
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
            sample.push_back(static_cast<std::uint8_t>(unit->size() >> static_cast<unsigned>(shift)));
        sample.insert(sample.end(), unit->begin(), unit->end());
    }
    return slice;
}

} // namespace picam
