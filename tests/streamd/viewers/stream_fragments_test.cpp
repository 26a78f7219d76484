// What stands before a frame's payload, for whom, and when: the boxes are mp4_fragments_test's.
#include "streamd/viewers/stream_fragments.h"

#include "core/image/frame_header.h"
#include "streamd/viewers/stream_frame.h"

#include <gtest/gtest.h>
#include <string>

namespace picam {
namespace {

using namespace std::chrono_literals;

constexpr Size kVga{640, 480};

FramePtr frame(bool key, std::uint64_t sequence, Size size = kVga)
{
    auto encoded = std::make_shared<EncodedFrame>();
    encoded->codec = Codec::kH264;
    encoded->key = key;
    encoded->size = size;
    encoded->captured = MonotonicTime(1h + sequence * 33ms);
    if (key)
        encoded->bytes = {0, 0,    0,    1,    0x67, 0x42, 0xc0, 0x1e, 0x95, 0,    0,   0,
                          1, 0x68, 0xce, 0x3c, 0x80, 0,    0,    0,    1,    0x65, 0x88};
    else
        encoded->bytes = {0, 0, 0, 1, 0x41, 0x9a, static_cast<std::uint8_t>(sequence)};
    return makeStreamFrame(encoded, 0, sequence);
}

bool hasBox(const StreamFrame &frame, const std::string &type)
{
    return std::string(frame.lead.begin(), frame.lead.end()).find(type) != std::string::npos;
}

TEST(StreamFragmentsTest, BeginsWithAnInitSegmentAndThenHasNone)
{
    StreamFragments fragments(StreamFragments::AtOtherSize::kEnd);
    EXPECT_EQ(fragments.make(frame(false, 1), 30).error().kind, ErrorKind::kCorrupt) << "not with a key frame";
    const auto first = fragments.make(frame(true, 2), 30);
    ASSERT_TRUE(first);
    EXPECT_TRUE(hasBox(**first, "ftyp"));
    EXPECT_TRUE(hasBox(**first, "moof"));
    for (std::uint64_t sequence = 3; sequence < 6; ++sequence) {
        const auto next = fragments.make(frame(sequence == 4, sequence), 30);
        ASSERT_TRUE(next);
        EXPECT_FALSE(hasBox(**next, "ftyp"));
        EXPECT_TRUE(hasBox(**next, "moof"));
    }
}

TEST(StreamFragmentsTest, TheHeaderCountsLeadAndPayload)
{
    StreamFragments fragments(StreamFragments::AtOtherSize::kBeginAnew);
    const FramePtr whole = frame(true, 1);
    const auto fragment = fragments.make(whole, 0);
    ASSERT_TRUE(fragment);
    const auto header = parseFrameHeader((*fragment)->header);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->payload_bytes, (*fragment)->lead.size() + (*fragment)->bytes);
    EXPECT_EQ(header->sequence, 1U);
    EXPECT_TRUE(whole->lead.empty()) << "others get the frame as it is";
    EXPECT_EQ(parseFrameHeader(whole->header)->payload_bytes, whole->bytes);
}

TEST(StreamFragmentsTest, AllViewersShareThePayload)
{
    const FramePtr whole = frame(true, 1);
    StreamFragments one(StreamFragments::AtOtherSize::kEnd);
    StreamFragments other(StreamFragments::AtOtherSize::kBeginAnew);
    EXPECT_EQ((*one.make(whole, 30))->payload, (*other.make(whole, 30))->payload);
}

TEST(StreamFragmentsTest, AnotherSizeBeginsAnewOrEndsIt)
{
    for (const auto what : {StreamFragments::AtOtherSize::kEnd, StreamFragments::AtOtherSize::kBeginAnew}) {
        StreamFragments fragments(what);
        ASSERT_TRUE(fragments.make(frame(true, 1), 30));
        const auto half = fragments.make(frame(true, 2, {320, 240}), 30);
        ASSERT_EQ(half.has_value(), what == StreamFragments::AtOtherSize::kBeginAnew);
        if (half)
            EXPECT_TRUE(hasBox(**half, "ftyp"));
        else
            EXPECT_EQ(half.error().kind, ErrorKind::kUnsupported);
    }
}

TEST(StreamFragmentsTest, RestartedItBeginsAnew)
{
    StreamFragments fragments(StreamFragments::AtOtherSize::kBeginAnew);
    ASSERT_TRUE(fragments.make(frame(true, 1), 30));
    fragments.restart();
    EXPECT_FALSE(fragments.make(frame(false, 2), 30));
    const auto again = fragments.make(frame(true, 3), 30);
    ASSERT_TRUE(again);
    EXPECT_TRUE(hasBox(**again, "ftyp"));
}

TEST(StreamFragmentsTest, WhatIsNoAccessUnitIsRefused)
{
    StreamFragments fragments(StreamFragments::AtOtherSize::kBeginAnew);
    auto encoded = std::make_shared<EncodedFrame>();
    encoded->codec = Codec::kH264;
    encoded->size = kVga;
    encoded->bytes = {1, 2, 3};
    EXPECT_EQ(fragments.make(makeStreamFrame(encoded, 0, 1), 30).error().kind, ErrorKind::kCorrupt);
}

} // namespace
} // namespace picam
