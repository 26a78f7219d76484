#include "core/camera/feed_protocol.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace picam {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

Bytes message(FrameHeader header, const Bytes &payload)
{
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    const auto head = serializeFrameHeader(header);
    Bytes bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

FrameHeader jpegHeader(std::uint64_t sequence)
{
    FrameHeader header;
    header.sequence = sequence;
    header.width = 640;
    header.height = 480;
    return header;
}

// Feeds all in pieces of at most this many bytes.
Expected<std::vector<FeedMessage>> readAll(const Bytes &bytes, std::size_t piece)
{
    FeedReader reader;
    std::vector<FeedMessage> messages;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto room = reader.room();
        EXPECT_FALSE(room.empty());
        const std::size_t count = std::min({piece, room.size(), bytes.size() - at});
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, room.begin());
        at += count;
        auto filled = reader.filled(count);
        if (!filled)
            return tl::unexpected<Error>(std::move(filled.error()));
        if (*filled)
            messages.push_back(std::move(**filled));
    }
    EXPECT_FALSE(reader.isWithinMessage());
    return messages;
}

TEST(FeedLine, IsOneLineOfJson)
{
    const std::string line = feedLine({true, {1280, 720}, 5.0});
    EXPECT_EQ(line, "{\"feed\":1,\"still\":true,\"width\":1280,\"height\":720,\"fps\":5}\n");
    const auto json = nlohmann::json::parse(feedLine({false, {64, 48}, 1.0 / 3}));
    EXPECT_EQ(json["still"], false);
    EXPECT_NEAR(json["fps"].get<double>(), 1.0 / 3, 1e-6);
}

TEST(FeedReason, IsOneShortSentence)
{
    const auto reason = [](const std::string &state) { return feedReason(state).value().value_or("none"); };
    EXPECT_EQ(reason(R"({"state":"unavailable","reason":"the cable is out"})"), "the cable is out");
    EXPECT_EQ(reason(R"({"type":"state","reason":"Kabel \u00e4b.\n","state":"unavailable"})"), "Kabel äb");
    EXPECT_EQ(reason(R"({"state":"unavailable","reason":"one\ntwo\u0007"})"), "one two");
    EXPECT_EQ(reason(R"({"state":"unavailable","reason":"..."})"), "the feed has no picture");
    EXPECT_EQ(reason(R"({"state":"unavailable","reason":7})"), "the feed has no picture");
    EXPECT_EQ(reason(R"({"state":"unavailable"})"), "the feed has no picture");
    EXPECT_EQ(reason(R"({"state":"streaming","reason":"x","source":"imx708"})"), "none");
    EXPECT_EQ(reason(R"({"state":"starting"})"), "none");
    // Cut between two characters.
    std::string umlauts = "a";
    while (umlauts.size() < 500)
        umlauts += "ä";
    const std::string cut = reason(R"({"state":"unavailable","reason":")" + umlauts + "\"}");
    EXPECT_EQ(cut, umlauts.substr(0, 199));
}

TEST(FeedReason, WhatIsNoStateIsRefused)
{
    for (const std::string state : {"", "x", "[]", "{}", "7", R"({"state":7})",
                                    "{\"state\":\"unavailable\",\"reason\":\"\xff\"}", R"({"state":"unavailable")"}) {
        const auto reason = feedReason(state);
        ASSERT_FALSE(reason) << state;
        EXPECT_EQ(reason.error().kind, ErrorKind::kCorrupt);
    }
    EXPECT_FALSE(feedReason(std::string(4096, '[')));
}

TEST(FeedReader, PutsMessagesTogetherFromAnyPieces)
{
    FrameHeader state;
    state.codec = Codec::kNone;
    const Bytes large(200'000, 7);
    Bytes bytes = message(jpegHeader(1), {1, 2, 3});
    for (const Bytes &more : {message(state, {'{', '}'}), message(jpegHeader(2), large), message(jpegHeader(3), {9})})
        bytes.insert(bytes.end(), more.begin(), more.end());
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{40}, std::size_t{65536}, bytes.size()}) {
        const auto messages = readAll(bytes, piece);
        ASSERT_TRUE(messages) << messages.error().message;
        ASSERT_EQ(messages->size(), 4U);
        EXPECT_EQ((*messages)[0].payload, (Bytes{1, 2, 3}));
        EXPECT_EQ((*messages)[1].header.codec, Codec::kNone);
        EXPECT_EQ((*messages)[2].payload, large);
        EXPECT_EQ((*messages)[3].header.sequence, 3U);
    }
}

TEST(FeedReader, RefusesWhatIsNoFeed)
{
    const auto refusal = [](const Bytes &bytes) {
        const auto messages = readAll(bytes, 4096);
        return messages ? std::string("taken") : messages.error().message;
    };
    EXPECT_THAT(refusal(Bytes(40, 'H')), HasSubstr("format version 72, not 1"));
    FrameHeader h264 = jpegHeader(1);
    h264.codec = Codec::kH264;
    EXPECT_THAT(refusal(message(h264, {1})), HasSubstr("H.264"));
    Bytes much = message(jpegHeader(1), {1});
    much[4] = 0xff;
    EXPECT_THAT(refusal(much), HasSubstr("payload bytes 4278190081, not 1 to 33554432"));
}

TEST(FeedReader, TakesMemoryForWhatHasComeAlone)
{
    FrameHeader header = jpegHeader(1);
    header.payload_bytes = kMaxPayloadBytes;
    FeedReader reader;
    const auto head = serializeFrameHeader(header);
    std::copy(head.begin(), head.end(), reader.room().begin());
    ASSERT_TRUE(reader.filled(head.size()));
    EXPECT_LE(reader.room().size(), 65536U);
    ASSERT_TRUE(reader.filled(65536));
    EXPECT_TRUE(reader.isWithinMessage());
    EXPECT_LE(reader.room().size(), 65536U);
}

} // namespace
} // namespace picam
