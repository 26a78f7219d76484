#include "streamd/video/h264_headers.h"

#include "streamd/video/h264_sps.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

namespace picam {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes kSps{0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x52, 0x17, 0xf1, 0x12, 0x40, 0x3c, 0x22, 0x11, 0xa8};
const Bytes kPps{0x68, 0xce, 0x3c, 0x80};
const Bytes kSei{0x06, 0x05, 0x01, 0xaa, 0x80};
const Bytes kKeySlice{0x65, 0xb8, 0x00, 0x04};
const Bytes kDeltaSlice{0x41, 0x9a, 0x24};

Bytes unitOf(const std::vector<Bytes> &nals)
{
    Bytes unit;
    for (const Bytes &nal : nals) {
        unit.insert(unit.end(), {0, 0, 0, 1});
        unit.insert(unit.end(), nal.begin(), nal.end());
    }
    return unit;
}

class H264HeadersTest : public ::testing::Test {
protected:
    H264Headers headers;
    const Bytes sps = withFullRangeVui(kSps).value();

    Expected<H264Unit> complete(Bytes unit)
    {
        const auto kind = headers.complete(unit);
        completed = std::move(unit);
        return kind;
    }
    // The first slice's start code is a short one.
    void expectKey(const std::vector<Bytes> &slices)
    {
        Bytes expected = unitOf({sps, kPps});
        const Bytes rest = unitOf(slices);
        expected.insert(expected.end(), rest.begin() + 1, rest.end());
        EXPECT_EQ(completed, expected);
    }

    Bytes completed;
};

TEST_F(H264HeadersTest, KeyFramesHaveTheParameterSetsWhetherTheEncoderRepeatsThemOrNot)
{
    EXPECT_EQ(complete(unitOf({kSps, kPps, kKeySlice})), H264Unit::kKey);
    expectKey({kKeySlice});
    EXPECT_EQ(complete(unitOf({kKeySlice, kKeySlice})), H264Unit::kKey);
    expectKey({kKeySlice, kKeySlice});
    EXPECT_EQ(complete(unitOf({{0x09, 0x10}, kSps, kPps, kSei, kKeySlice})), H264Unit::kKey);
    expectKey({kKeySlice});
}

TEST_F(H264HeadersTest, ParameterSetsThatComeAloneAreKept)
{
    EXPECT_EQ(complete(unitOf({kSps, kPps})), H264Unit::kHeaders);
    EXPECT_EQ(complete(unitOf({kKeySlice})), H264Unit::kKey);
    expectKey({kKeySlice});
}

TEST_F(H264HeadersTest, DeltaFramesStayAsTheyAre)
{
    const Bytes delta = unitOf({kDeltaSlice, kDeltaSlice});
    EXPECT_EQ(complete(delta), H264Unit::kDelta);
    EXPECT_EQ(completed, delta);
}

TEST_F(H264HeadersTest, NoSpsWithoutColoursGetsOutBeforeADeltaFrame)
{
    EXPECT_EQ(complete(unitOf({kSps, kPps, kDeltaSlice})), H264Unit::kDelta);
    EXPECT_EQ(completed, unitOf({kDeltaSlice}));
}

TEST_F(H264HeadersTest, WhatStandsBeforeTheFirstStartCodeIsLeftOut)
{
    const auto behind = [](Bytes unit, const Bytes &nals) {
        unit.insert(unit.end(), nals.begin(), nals.end());
        return unit;
    };
    ASSERT_EQ(complete(unitOf({kSps, kPps})), H264Unit::kHeaders);
    for (const Bytes &before : {Bytes{0xab}, Bytes{0, 0}, Bytes{0xab, 0xcd, 0}}) {
        EXPECT_EQ(complete(behind(before, unitOf({kKeySlice}))), H264Unit::kKey);
        expectKey({kKeySlice});
        EXPECT_EQ(complete(behind(before, unitOf({kDeltaSlice}))), H264Unit::kDelta);
        EXPECT_EQ(completed, unitOf({kDeltaSlice}));
    }
    EXPECT_EQ(complete(behind({0, 0, 1}, kDeltaSlice)), H264Unit::kDelta);
    EXPECT_EQ(completed, unitOf({kDeltaSlice}));
}

TEST_F(H264HeadersTest, RefusesAKeyFrameThatNobodyCouldDecode)
{
    EXPECT_EQ(complete(unitOf({kKeySlice})).error().kind, ErrorKind::kCorrupt);
    EXPECT_EQ(complete(unitOf({{0x67, 0x42}, kPps, kKeySlice})).error().kind, ErrorKind::kCorrupt);
    EXPECT_EQ(complete(unitOf({{0x67, 0x64, 0, 30, 1, 2}, kPps, kKeySlice})).error().kind, ErrorKind::kUnsupported);
}

TEST_F(H264HeadersTest, WhatIsNoAccessUnitIsNoPicture)
{
    for (const Bytes &bytes : {Bytes{}, Bytes{0, 0, 1}, Bytes{0, 0, 1, 0, 0, 1, 0, 0}, Bytes{1, 2, 3, 4, 5}})
        EXPECT_EQ(complete(bytes), H264Unit::kHeaders);
}

} // namespace
} // namespace picam
