#include "core/image/frame_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace picam {
namespace {

using ::testing::HasSubstr;
using Bytes = std::array<std::uint8_t, kFrameHeaderBytes>;

const FrameHeader kHeader{Codec::kH264,       2,      false, true,       0x01020304, 0x1112131415161718,
                          0x2122232425262728, 0x0280, 480,   0x01020305, 100,        0x31323334};
constexpr Bytes kBytes{
    1,    2,    2,    2,                            // version, codec, rung, flags
    0x01, 0x02, 0x03, 0x04,                         // payload bytes
    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, // sequence
    0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, // captured
    0x02, 0x80, 0x01, 0xe0,                         // width, height
    0x01, 0x02, 0x03, 0x05,                         // exposure
    0x00, 0x00, 0x00, 0x64,                         // sensitivity
    0x31, 0x32, 0x33, 0x34,                         // generation
};

std::string refusal(const Bytes &bytes)
{
    const auto parsed = parseFrameHeader(bytes);
    if (parsed)
        return "accepted";
    EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
    return parsed.error().message;
}

TEST(FrameHeader, IsTheseBytes)
{
    EXPECT_EQ(serializeFrameHeader(kHeader), kBytes);
    const auto parsed = parseFrameHeader(kBytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, kHeader);
}

TEST(FrameHeader, EveryHeaderComesBack)
{
    std::mt19937_64 random(1);
    for (int i = 0; i < 10000; ++i) {
        FrameHeader header;
        header.codec = random() % 2 == 0 ? Codec::kJpeg : Codec::kH264;
        header.rung = static_cast<std::uint8_t>(random());
        header.key = header.codec == Codec::kJpeg || random() % 2 == 0;
        header.converged = random() % 2 == 0;
        header.payload_bytes = static_cast<std::uint32_t>(1 + random() % kMaxPayloadBytes);
        header.sequence = random() | 1U;
        header.captured_wall_us = random();
        header.width = static_cast<std::uint16_t>(random() | 1U);
        header.height = static_cast<std::uint16_t>(random() | 1U);
        header.exposure_us = static_cast<std::uint32_t>(random());
        header.iso = static_cast<std::uint32_t>(random());
        header.controls_generation = static_cast<std::uint32_t>(random());
        const auto parsed = parseFrameHeader(serializeFrameHeader(header));
        ASSERT_TRUE(parsed) << parsed.error().message;
        ASSERT_EQ(*parsed, header);
    }
}

TEST(FrameHeader, WhatFollowsIsNotLookedAt)
{
    std::vector<std::uint8_t> bytes(kBytes.begin(), kBytes.end());
    bytes.resize(kFrameHeaderBytes + 3, 0xff);
    const auto parsed = parseFrameHeader(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, kHeader);
}

TEST(FrameHeader, NoPartOfOneIsOne)
{
    for (std::size_t bytes = 0; bytes < kFrameHeaderBytes; ++bytes) {
        // Memory of just that length, so that a checked build sees a read behind it.
        const std::vector<std::uint8_t> part(kBytes.begin(), kBytes.begin() + static_cast<std::ptrdiff_t>(bytes));
        const auto parsed = parseFrameHeader(part);
        ASSERT_FALSE(parsed) << bytes;
        EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
        EXPECT_THAT(parsed.error().message, HasSubstr(std::to_string(bytes) + " bytes of 40"));
    }
}

TEST(FrameHeader, RefusesEachFieldsBadValuesByName)
{
    const auto with = [](std::initializer_list<std::pair<std::size_t, int>> changes) {
        Bytes bytes = kBytes;
        for (const auto &[at, value] : changes)
            bytes[at] = static_cast<std::uint8_t>(value);
        return bytes;
    };
    EXPECT_THAT(refusal(with({{0, 0}})), HasSubstr("format version"));
    for (int version = 2; version < 256; ++version)
        EXPECT_THAT(refusal(with({{0, version}})), HasSubstr("format version")) << version;
    for (int codec = 3; codec < 256; ++codec)
        EXPECT_THAT(refusal(with({{1, codec}})), HasSubstr("codec")) << codec;
    for (int flags = 4; flags < 256; ++flags)
        EXPECT_THAT(refusal(with({{3, flags}})), HasSubstr("flags")) << flags;
    EXPECT_THAT(refusal(with({{1, 1}, {3, 0}})), HasSubstr("key frame")) << "a JPEG is one";
    EXPECT_THAT(refusal(with({{1, 1}, {3, 2}})), HasSubstr("key frame"));
    EXPECT_EQ(refusal(with({{1, 1}, {3, 1}})), "accepted");
    EXPECT_THAT(refusal(with({{4, 0}, {5, 0}, {6, 0}, {7, 0}})), HasSubstr("payload bytes 0"));
    EXPECT_EQ(refusal(with({{4, 2}, {5, 0}, {6, 0}, {7, 0}})), "accepted") << "32 MB";
    EXPECT_THAT(refusal(with({{4, 2}, {5, 0}, {6, 0}, {7, 1}})), HasSubstr("payload bytes 33554433"));
    EXPECT_THAT(refusal(with({{4, 255}})), HasSubstr("payload bytes"));
    Bytes no_sequence = kBytes;
    std::fill_n(no_sequence.begin() + 8, 8, std::uint8_t{0});
    EXPECT_THAT(refusal(no_sequence), HasSubstr("sequence 0"));
    EXPECT_THAT(refusal(with({{24, 0}, {25, 0}})), HasSubstr("width 0"));
    EXPECT_THAT(refusal(with({{26, 0}, {27, 0}})), HasSubstr("height 0"));
}

TEST(FrameHeader, AStateIsAShortPayloadWithoutAFrame)
{
    FrameHeader state;
    state.codec = Codec::kNone;
    state.key = false;
    state.payload_bytes = kMaxStateBytes;
    state.captured_wall_us = 1;
    Bytes bytes = serializeFrameHeader(state);
    const auto parsed = parseFrameHeader(bytes);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, state);
    ++bytes[7];
    EXPECT_THAT(refusal(bytes), HasSubstr("payload bytes 4097, not 1 to 4096"));
    bytes[6] = bytes[7] = 0;
    EXPECT_THAT(refusal(bytes), HasSubstr("payload bytes 0"));
}

} // namespace
} // namespace picam
