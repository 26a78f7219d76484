#include "streamd/viewers/sent_frames.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using Found = SentFrames::Found;

StreamFrame frame(Codec codec, std::uint8_t rung, std::uint64_t sequence)
{
    StreamFrame made;
    made.codec = codec;
    made.rung = rung;
    made.sequence = sequence;
    return made;
}

TEST(SentFrames, FindsFramesOfSeveralRungsAndCodecs)
{
    SentFrames sent;
    EXPECT_EQ(sent.add(frame(Codec::kH264, 0, 7)), 1U);
    EXPECT_EQ(sent.add(frame(Codec::kH264, 1, 7)), 2U);
    EXPECT_EQ(sent.add(frame(Codec::kJpeg, 0, 900)), 3U);
    EXPECT_EQ(sent.add(frame(Codec::kH264, 1, 8)), 4U);
    const auto second = sent.acknowledge(Codec::kH264, 1, 7);
    EXPECT_EQ(second.found, Found::kSent);
    EXPECT_EQ(second.number, 2U);
    EXPECT_EQ(second.picture, 0U);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 7).found, Found::kOld) << "covered by the one before";
    const auto last = sent.acknowledge(Codec::kH264, 1, 8);
    EXPECT_EQ(last.number, 4U);
    EXPECT_EQ(last.picture, 3U) << "the picture before it is done, too";
}

TEST(SentFrames, WhatWasNeverSentIsNotFound)
{
    SentFrames sent;
    EXPECT_EQ(sent.acknowledge(Codec::kJpeg, 0, 1).found, Found::kNever);
    (void)sent.add(frame(Codec::kH264, 0, 5));
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 6).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 0).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 1, 5).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 2, 5).found, Found::kNever) << "there is no such rung";
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 255, 5).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(Codec::kJpeg, 1, 5).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(static_cast<Codec>(200), 0, 5).found, Found::kNever);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 5).found, Found::kSent);
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 5).found, Found::kOld);
    (void)sent.add(frame(Codec::kH264, 0, 6));
    sent.clear();
    EXPECT_EQ(sent.acknowledge(Codec::kH264, 0, 6).found, Found::kOld) << "forgotten, but no offence";
}

} // namespace
} // namespace picam
