#include "relay/messages.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

namespace picam::relay {
namespace {

using namespace std::chrono_literals;

TEST(RelayMessages, AWantIsReadAsItWasWritten)
{
    const auto want = parseWant(toJson(Want{"edge", 7.5, 5000ms, 18'000'000'000'000'000'000U}));
    ASSERT_TRUE(want);
    EXPECT_EQ(want->edge, "edge");
    EXPECT_EQ(want->fps, 7.5);
    EXPECT_EQ(want->lease, 5000ms);
    EXPECT_EQ(want->t, 18'000'000'000'000'000'000U);
}

TEST(RelayMessages, WhatAnEdgeWantsHasBounds)
{
    const auto want = parseWant(R"({"edge":"e","fps":1e300,"lease_ms":99999999999999,"t":-1,"more":[1]})");
    ASSERT_TRUE(want);
    EXPECT_EQ(want->fps, 240.0);
    EXPECT_EQ(want->lease, kMaxLease);
    EXPECT_EQ(want->t, 0U);
    EXPECT_EQ(parseWant(R"({"edge":"e","fps":-3,"lease_ms":5000})")->fps, 0.0);
    EXPECT_EQ(parseWant(R"({"edge":"e"})")->lease, 0ms);
}

TEST(RelayMessages, WhatIsNoWantIsRefused)
{
    for (const std::string text : {"", "[]", "null", "{", "{}", R"({"edge":""})", R"({"edge":3})", "\xff\xfe"})
        EXPECT_FALSE(parseWant(text)) << text;
    EXPECT_FALSE(parseWant(R"({"edge":")" + std::string(65, 'x') + R"("})"));
    EXPECT_FALSE(parseWant(std::string(100'000, '['))) << "deep, and no crash";
}

TEST(RelayMessages, AnAnswerIsReadAsItWasWritten)
{
    const State state{"unavailable", "the cable is out", "imx708", 640, 480, 30.0, "a9", "no light"};
    const auto answer = parseAnswer(toJson(Answer{state, 17, 1'795'731'244'891'000}));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->state, state);
    EXPECT_EQ(answer->t, 17U);
    EXPECT_EQ(answer->time_us, 1'795'731'244'891'000U);
    EXPECT_EQ(parseAnswer(toJson(state))->state, state) << "a state is one without a time";
    EXPECT_FALSE(parseAnswer("{}"));
    EXPECT_TRUE(parseAnswer(toJson(State{"unavailable", "\xff", "", 0, 0, 0, "", ""}))) << "what drivers say";
}

// They are told to the service manager, among others, which reads lines.
TEST(RelayMessages, TextsAreOneLineAndCutBetweenCharacters)
{
    const auto said = parseAnswer(R"({"state":"unavailable","reason":"x\nWATCHDOG=trigger\u0000\u007f"})");
    ASSERT_TRUE(said);
    EXPECT_EQ(said->state.reason, "x WATCHDOG=trigger  ");
    for (const std::size_t before : {297U, 298U, 299U, 300U}) {
        const auto cut = parseAnswer(R"({"state":"s","reason":")" + std::string(before, 'x') + R"(\u20ac\u20ac"})");
        ASSERT_TRUE(cut);
        EXPECT_EQ(cut->state.reason, std::string(before, 'x') + (before == 297U ? "\u20ac" : ""));
    }
}

TEST(RelayMessages, LongOnesAreNone)
{
    const std::string filler(5000, 'x');
    EXPECT_FALSE(parseAnswer(R"({"state":"streaming","more":")" + filler + R"("})"));
    EXPECT_FALSE(parseWant(R"({"edge":"e","more":")" + filler + R"("})"));
}

TEST(RelayMessages, TheStreamsStateIsKnown)
{
    const auto state = stateOfStream(
        R"({"type":"state","state":"streaming","source":"imx708","size":{"width":640,"height":480},"fps":30.0})");
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, "streaming");
    EXPECT_EQ(state->source, "imx708");
    EXPECT_EQ(state->width, 640U);
    EXPECT_EQ(state->height, 480U);
    EXPECT_FALSE(stateOfStream(R"({"type":"hello","version":"0.2.0"})"));
    EXPECT_FALSE(stateOfStream("no JSON"));
}

class Parts : public testing::Test {
protected:
    Parts()
    {
        std::iota(jpeg.begin(), jpeg.end(), std::uint8_t{0});
        header.payload_bytes = static_cast<std::uint32_t>(jpeg.size());
        header.sequence = 4711;
        header.width = 640;
        header.height = 480;
    }
    [[nodiscard]] std::optional<StillParts::Still> add(std::size_t offset, std::size_t bytes)
    {
        return parts.add(partOf(header, jpeg, offset, bytes));
    }

    std::vector<std::uint8_t> jpeg = std::vector<std::uint8_t>(1000);
    FrameHeader header;
    StillParts parts;
};

TEST_F(Parts, MakeTheStill)
{
    EXPECT_FALSE(add(0, 400));
    EXPECT_FALSE(add(400, 400));
    const auto still = add(800, 200);
    ASSERT_TRUE(still);
    EXPECT_EQ(still->jpeg, jpeg);
    EXPECT_EQ(still->header, header);
    EXPECT_FALSE(add(800, 200)) << "it is through";
}

TEST_F(Parts, OfWhichOneIsMissingMakeNone)
{
    EXPECT_FALSE(add(0, 400));
    EXPECT_FALSE(add(800, 200));
    EXPECT_FALSE(add(400, 400)) << "too late";
    EXPECT_TRUE(add(0, 1000)) << "another beginning";
}

TEST_F(Parts, OfTwoStillsAreNotMixed)
{
    EXPECT_FALSE(add(0, 400));
    header.sequence = 4712;
    EXPECT_FALSE(add(400, 600));
    EXPECT_FALSE(add(0, 400));
    EXPECT_TRUE(add(400, 600));
}

TEST_F(Parts, ThatPromiseLessThanTheyBringAreNone)
{
    header.payload_bytes = 500;
    EXPECT_FALSE(add(0, 1000));
    header.payload_bytes = kMaxPayloadBytes; // taken at its word, this would be 32 MB for each
    EXPECT_FALSE(add(0, 1));
    EXPECT_FALSE(parts.add({}));
    const std::vector<std::uint8_t> zeros(100);
    EXPECT_FALSE(parts.add(zeros));
}

} // namespace
} // namespace picam::relay
