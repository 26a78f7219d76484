// An H.264 access unit in Annex B format (ITU-T H.264, annex B: NAL units behind start codes), taken apart, and as MP4
// has it. Pure functions, any thread; an access unit may be any bytes, and a span lives as long as they do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace picam {

// From its header byte on, without start code and trailing zeros. Never empty.
using NalUnit = std::span<const std::uint8_t>;

// nal_unit_type, of those that are looked at here.
enum class NalType : std::uint8_t {
    kSlice = 1,
    kIdrSlice = 5,
    kSequenceParameterSet = 7,
    kPictureParameterSet = 8,
    kAccessUnitDelimiter = 9,
    kFillerData = 12,
};
[[nodiscard]] NalType nalType(NalUnit unit);

// Takes the next NAL unit off the front of `rest`, the rest of an access unit; what stands before a start code is none.
// Nothing: there is no other.
[[nodiscard]] std::optional<NalUnit> takeNalUnit(std::span<const std::uint8_t> &rest);

// What a decoder must know before the first slice: SPS and PPS, each a NAL unit. Those of two streams differ when a
// decoder cannot go from the one to the other without being told.
struct ParameterSets {
    std::vector<std::uint8_t> sps;
    std::vector<std::uint8_t> pps;

    friend bool operator==(const ParameterSets &, const ParameterSets &) = default;
};

// The first SPS and the first PPS. Nothing: one of them is not there, or the SPS ends before its level.
[[nodiscard]] std::optional<ParameterSets> parameterSets(std::span<const std::uint8_t> access_unit);

// RFC 6381's name of the codec: "avc1." and profile_idc, the byte of the constraint flags and level_idc in hexadecimal:
// "avc1.42C01F". REQUIRES: an SPS of parameterSets().
[[nodiscard]] std::string codecString(NalUnit sps);

// Appends the sample of a track whose sample entry is avc1 (ISO/IEC 14496-15): each NAL unit behind its length in four
// bytes, big-endian, without those that such a sample must not or need not have: parameter sets, which are in the
// sample entry, access unit delimiters and filler data. False: there is no slice in it. REQUIRES: `access_unit` is
// shorter than 2^32 bytes.
[[nodiscard]] bool appendAvcSample(std::span<const std::uint8_t> access_unit, std::vector<std::uint8_t> &sample);

} // namespace picam
