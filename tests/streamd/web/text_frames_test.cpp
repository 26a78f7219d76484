#include "streamd/web/text_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace picam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string frame(int first, const std::string &payload)
{
    const std::string mask = "\x12\x34\x56\x78";
    std::string out{static_cast<char>(first), static_cast<char>(0x80U | payload.size())};
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}
std::string text(const std::string &payload)
{
    return frame(0x81, payload);
}

struct Reader {
    // What is left of the chunk for the library.
    std::string feed(std::string chunk)
    {
        const std::size_t taken = frames.take(reinterpret_cast<std::uint8_t *>(chunk.data()), chunk.size(),
                                              [this](std::string_view one) { texts.emplace_back(one); });
        return chunk.substr(taken);
    }
    TextFrames frames;
    std::vector<std::string> texts;
};

TEST(TextFrames, TakesWholeOnesInOrder)
{
    Reader reader;
    EXPECT_EQ(reader.feed(text("one") + text("") + text(std::string(125, 'x'))), "");
    EXPECT_THAT(reader.texts, ElementsAre("one", "", std::string(125, 'x')));
}

TEST(TextFrames, NothingOvertakesWhatTheLibraryGets)
{
    Reader reader;
    const std::string ping = frame(0x89, "are you there");
    EXPECT_EQ(reader.feed(text("one") + ping + text("two")), ping + text("two"));
    EXPECT_THAT(reader.texts, ElementsAre("one"));
    EXPECT_EQ(reader.feed(text("three")), "") << "the next chunk begins with a message";
    EXPECT_THAT(reader.texts, ElementsAre("one", "three"));
}

TEST(TextFrames, AMessageInPiecesIsTheLibrarysAndTheNextOneIsNot)
{
    for (std::size_t cut = 2; cut < text("in pieces").size(); ++cut) {
        Reader reader;
        const std::string whole = text("in pieces");
        EXPECT_EQ(reader.feed(whole.substr(0, cut)), whole.substr(0, cut));
        EXPECT_EQ(reader.feed(whole.substr(cut)), whole.substr(cut));
        EXPECT_THAT(reader.texts, IsEmpty());
        EXPECT_EQ(reader.feed(text("next")), "");
        EXPECT_THAT(reader.texts, ElementsAre("next")) << cut;
    }
}

TEST(TextFrames, OneByteOfAMessageSaysNotWhereItEnds)
{
    Reader reader;
    EXPECT_EQ(reader.feed("\x81"), "\x81");
    EXPECT_FALSE(reader.frames.synchronized());
    EXPECT_EQ(reader.feed(text("next")), text("next"));
    EXPECT_THAT(reader.texts, IsEmpty());
}

TEST(TextFrames, WhatIsNotAsciiIsTheLibrarysToCheck)
{
    Reader reader;
    EXPECT_EQ(reader.feed(text("gr\xc3\xbc\xc3\x9f")), text("gr\xc3\xbc\xc3\x9f")) << "masked as it came";
    EXPECT_EQ(reader.feed(text("ok")), "");
    EXPECT_THAT(reader.texts, ElementsAre("ok"));
}

TEST(TextFrames, WhatItCannotFollowEndsIt)
{
    const std::string unmasked = "\x81\x02ok";
    const std::string long_one = std::string("\x81\xfe\x01\x00", 4) + std::string(4, '\0') + std::string(256, 'x');
    for (const std::string &odd : {unmasked, long_one, frame(0x01, "part"), frame(0x80, "part"), frame(0x82, "binary"),
                                   frame(0xc1, "reserved"), std::string("\x09\x80", 2)}) {
        Reader reader;
        EXPECT_EQ(reader.feed(odd), odd);
        EXPECT_FALSE(reader.frames.synchronized());
        EXPECT_EQ(reader.feed(text("next")), text("next"));
        EXPECT_THAT(reader.texts, IsEmpty());
    }
}

// However a stream of messages is cut, what is taken and what the library gets are together the stream.
TEST(TextFrames, HoweverTheStreamIsCut)
{
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string stream;
        for (int i = 0; i < 6; ++i)
            stream += random() % 4 == 0 ? frame(0x8a, "pong") : text(std::to_string(random()));
        Reader reader;
        std::string all;
        for (std::size_t at = 0; at < stream.size();) {
            const std::size_t part = std::min<std::size_t>(1 + random() % 40, stream.size() - at);
            const std::size_t before = reader.texts.size();
            const std::string rest = reader.feed(stream.substr(at, part));
            for (std::size_t i = before; i < reader.texts.size(); ++i)
                all += text(reader.texts[i]);
            all += rest;
            at += part;
        }
        ASSERT_EQ(all, stream);
    }
}

} // namespace
} // namespace picam
