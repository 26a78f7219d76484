#include "streamd/video/h264_sps.h"

#include "streamd/video/h264_headers.h"
#include "tests/streamd/video/probe.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace picam {
namespace {

using Bytes = std::vector<std::uint8_t>;

// libopenh264 2.3.1, 642x362: with crop, and VUI that has nothing but a restriction.
// libx264 0.164, baseline, 322x242 at 25 frames a second: VUI with aspect ratio, timing and restriction.
const Bytes kOpenh264{0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x52, 0x17, 0xf1, 0x12, 0x40, 0x3c, 0x22, 0x11, 0xa8};
const Bytes kX264{0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x50, 0x87, 0x88, 0x88, 0xc0, 0x44, 0x00,
                  0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x50, 0xa9, 0x20};
const Bytes kOpenh264Pps{0x68, 0xce, 0x3c, 0x80};

// The bits that are said, a stop bit and zeros; behind 0x67, and where there is need with emulation prevention.
Bytes spsOf(std::string bits)
{
    bits += '1';
    while (bits.size() % 8 != 0)
        bits += '0';
    Bytes sps{0x67};
    unsigned zeros = 0;
    for (std::size_t i = 0; i < bits.size(); i += 8) {
        const auto byte = static_cast<std::uint8_t>(std::stoul(bits.substr(i, 8), nullptr, 2));
        if (zeros >= 2 && byte <= 3) {
            sps.push_back(3);
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        sps.push_back(byte);
    }
    return sps;
}

std::string fixed(std::uint32_t value, unsigned bits)
{
    std::string text;
    for (unsigned i = bits; i-- > 0;)
        text += (value >> i & 1U) != 0 ? '1' : '0';
    return text;
}

std::string ue(std::uint32_t value)
{
    unsigned bits = 0;
    while ((value + 1) >> bits > 1)
        ++bits;
    return std::string(bits, '0') + fixed(value + 1, bits + 1);
}

// Up to vui_parameters_present_flag, which comes behind it: 320x240 at level 3.
std::string start(std::uint32_t profile = 66, std::uint32_t references = 1)
{
    return fixed(profile, 8) + fixed(0xc0, 8) + fixed(30, 8) + ue(0) + ue(0) + ue(2) + ue(references) + "0" + ue(19) +
           ue(14) + "1" + "1" + "0";
}

const std::string kColors = "1" + fixed(5, 3) + "1" + "1" + fixed(1, 8) + fixed(13, 8) + fixed(6, 8);
const std::string kNoLimits = "1" + std::string("1") + ue(0) + ue(0) + ue(15) + ue(15) + ue(0) + ue(1);

Bytes rewritten(const Bytes &sps)
{
    const Expected<Bytes> result = withFullRangeVui(sps);
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(Bytes{});
}

ErrorKind refusal(const Bytes &sps)
{
    const Expected<Bytes> result = withFullRangeVui(sps);
    EXPECT_FALSE(result);
    return result ? ErrorKind::kIo : result.error().kind;
}

TEST(H264Sps, SaysFullRangeBt601WhereNothingIsSaid)
{
    const std::string silent = start();
    EXPECT_EQ(rewritten(spsOf(silent + "0")), spsOf(silent + "1" + "00" + kColors + "00000" + kNoLimits));
}

TEST(H264Sps, ReplacesColoursAndKeepsTheRestOfTheVui)
{
    const std::string aspect = "1" + fixed(255, 8) + fixed(4, 16) + fixed(3, 16) + "11";
    const std::string hrd = ue(1) + fixed(4, 4) + fixed(3, 4) + ue(999) + ue(1999) + "0" + ue(998) + ue(1998) + "1" +
                            fixed(23, 5) + fixed(22, 5) + fixed(21, 5) + fixed(24, 5);
    const std::string timing =
        "1" + ue(2) + ue(3) + "1" + fixed(1, 32) + fixed(60, 32) + "1" + "1" + hrd + "1" + hrd + "0" + "1";
    const std::string limits = "0" + ue(3) + ue(4) + ue(9) + ue(10);
    const std::string limited_range = "1" + fixed(2, 3) + "0" + "1" + fixed(1, 8) + fixed(1, 8) + fixed(1, 8);
    const std::string ours = start(66, 2) + "1" + aspect + kColors + timing + "1" + limits + ue(0) + ue(2);
    EXPECT_EQ(rewritten(spsOf(start(66, 2) + "1" + aspect + limited_range + timing + "1" + limits + ue(1) + ue(4))),
              spsOf(ours));
    // Once rewritten it stays as it is.
    EXPECT_EQ(rewritten(spsOf(ours)), spsOf(ours));
}

TEST(H264Sps, AddsTheRestrictionWhereTheVuiHasNone)
{
    const std::string before = start() + "1" + "00";
    EXPECT_EQ(rewritten(spsOf(before + "0" + "00000" + "0")), spsOf(before + kColors + "00000" + kNoLimits));
}

TEST(H264Sps, EveryOrderOfPicturesIsPassedOver)
{
    const std::string head = fixed(66, 8) + fixed(0xc0, 8) + fixed(30, 8) + ue(31) + ue(12);
    const std::string tail = ue(1) + "1" + ue(119) + ue(119) + "1" + "1" + "1" + ue(1) + ue(2) + ue(3) + ue(4);
    for (const std::string &order : {ue(0) + ue(12), ue(1) + "1" + ue(7) + ue(8) + ue(2) + ue(1) + ue(2), ue(2)})
        EXPECT_EQ(rewritten(spsOf(head + order + tail + "0")),
                  spsOf(head + order + tail + "1" + "00" + kColors + "00000" + kNoLimits));
}

TEST(H264Sps, FfprobeReadsWhatIsSaid)
{
    const std::string made = testing::outputOf("ffmpeg -v quiet -f lavfi -i testsrc=s=322x242:r=25 -frames:v 1 "
                                               "-pix_fmt yuv420p -c:v libx264 -profile:v baseline -f h264 -");
    Bytes stream(made.begin(), made.end());
    const std::string before = testing::probed(stream);
    EXPECT_TRUE(testing::hasLine(before, "width=322")) << before;
    EXPECT_FALSE(testing::hasLine(before, "color_range=pc")) << before;
    H264Headers headers;
    ASSERT_TRUE(headers.complete(stream));
    const std::string after = testing::probed(stream);
    for (const char *line : {"width=322", "height=242", "color_range=pc", "color_space=smpte170m",
                             "color_primaries=bt709", "color_transfer=iec61966-2-1", "has_b_frames=0",
                             "profile=Constrained Baseline", "nb_read_frames=1", "r_frame_rate=25/1"})
        EXPECT_TRUE(testing::hasLine(after, line)) << line << " is not in " << after;
}

TEST(H264Sps, RefusesWhatIsNoSpsOfBaseline)
{
    EXPECT_EQ(refusal({}), ErrorKind::kCorrupt);
    EXPECT_EQ(refusal(kOpenh264Pps), ErrorKind::kCorrupt);
    Bytes forbidden = kX264;
    forbidden[0] |= 0x80U;
    EXPECT_EQ(refusal(forbidden), ErrorKind::kCorrupt);
    EXPECT_EQ(refusal(Bytes(5000, 0x67)), ErrorKind::kCorrupt);
    EXPECT_EQ(refusal(spsOf(start(100) + "0")), ErrorKind::kUnsupported); // high
    EXPECT_EQ(refusal(spsOf(start() + "0" + "0")), ErrorKind::kCorrupt);  // it goes on where it should end
}

TEST(H264Sps, RefusesNumbersOutOfRange)
{
    const std::string head = fixed(66, 8) + fixed(0xc0, 8) + fixed(30, 8);
    const std::string zeros(40, '0');
    EXPECT_EQ(refusal(spsOf(head + zeros + "1" + std::string(60, '1'))), ErrorKind::kCorrupt); // 40 zeros
    EXPECT_EQ(refusal(spsOf(head + ue(32) + std::string(60, '1'))), ErrorKind::kCorrupt);      // parameter set 32
    EXPECT_EQ(refusal(spsOf(head + ue(0) + ue(0) + ue(3) + std::string(60, '1'))), ErrorKind::kCorrupt);
    EXPECT_EQ(refusal(spsOf(head + ue(0) + ue(0) + ue(1) + "1" + ue(0) + ue(0) + ue(4'000'000'000) + "111")),
              ErrorKind::kCorrupt);                                      // as many offsets
    EXPECT_EQ(refusal(spsOf(start(66, 17) + "0")), ErrorKind::kCorrupt); // references
    EXPECT_EQ(refusal(spsOf(start() + "1" + "00" + "0" + "00" + "1" + ue(0xfffffffe) + std::string(60, '1'))),
              ErrorKind::kCorrupt); // buffers of an HRD
}

TEST(H264Sps, RefusesEveryOneThatIsCutOff)
{
    for (const Bytes &whole : {kOpenh264, kX264}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            // Memory of its own size, so that a reader behind the end is caught by the sanitizer.
            const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_FALSE(withFullRangeVui(part)) << size;
        }
    }
}

TEST(H264Sps, SurvivesWhateverComes)
{
    std::mt19937 random(7); // the same each time
    for (int i = 0; i < 50'000; ++i) {
        Bytes sps = i % 2 == 0 ? kOpenh264 : kX264;
        for (auto changes = random() % 6; changes > 0; --changes)
            sps[1 + random() % (sps.size() - 1)] = static_cast<std::uint8_t>(random());
        sps.resize(sps.size() - random() % 3);
        const Expected<Bytes> result = withFullRangeVui(sps);
        if (!result)
            continue;
        EXPECT_LT(result->size(), 2 * sps.size() + 40);
        EXPECT_EQ(withFullRangeVui(*result).value_or(Bytes{}), *result); // what was let through is whole
    }
}

} // namespace
} // namespace picam
