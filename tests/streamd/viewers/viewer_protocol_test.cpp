#include "streamd/viewers/viewer_protocol.h"

#include <array>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

namespace picam::protocol {
namespace {

using nlohmann::json;

template <class Message>
Message parsedAs(std::string_view text)
{
    const auto message = parse(text, Version::k1);
    if (!message) {
        ADD_FAILURE() << text << ": " << message.error().reason;
        return {};
    }
    const auto *wanted = std::get_if<Message>(&*message);
    EXPECT_NE(wanted, nullptr) << text;
    return wanted != nullptr ? *wanted : Message{};
}

TEST(ViewerProtocol, KnowsItsMessages)
{
    EXPECT_EQ(parsedAs<Ack>(R"({"type":"ack","sequence":4711})").sequence, 4711U);
    EXPECT_EQ(parsedAs<Ack>(R"({"type":"ack","sequence":18446744073709551615})").sequence, 18446744073709551615U);
    EXPECT_EQ(parsedAs<Ack>(R"({"type":"ack","sequence":4711})").batch, 1U);
    EXPECT_EQ(parsedAs<Ack>(R"({"type":"ack","sequence":4711,"batch":3})").batch, 3U);
    EXPECT_EQ(parsedAs<Rate>(R"({"type":"rate","fps":2.5})").fps, 2.5);
    EXPECT_EQ(parsedAs<Rate>(R"({"type":"rate","fps":0})").fps, 0.0);
    parsedAs<Pause>(R"({"type":"pause"})");
    parsedAs<Resume>(R"( {"more":[1,{"a":2}],"type":"resume"} )");
    EXPECT_EQ(parsedAs<Ping>(R"({"type":"ping","t":1234.5})").t, "1234.5");
    EXPECT_EQ(parsedAs<Ping>(R"({"type":"ping","t":-7})").t, "-7");
}

TEST(ViewerProtocol, APlainAcknowledgementIsReadTheShortWay)
{
    for (const char *text : {R"({"type":"ack","sequence":4711})", R"({"sequence":4711,"type":"ack"})",
                             " {\t\"type\" :\r\n\"ack\" , \"sequence\"\t: 4711 } ",
                             R"({"type":"ack","sequence":18446744073709551615})", R"({"type":"ack","sequence":1})",
                             R"({"type":"ack","sequence":1,"batch":3})", R"({"batch":9,"type":"ack","sequence":1})"}) {
        const auto plain = parsePlainAck(text);
        ASSERT_TRUE(plain) << text;
        EXPECT_EQ(plain->sequence, parsedAs<Ack>(text).sequence) << text;
        EXPECT_EQ(plain->batch, parsedAs<Ack>(text).batch) << text;
    }
}

TEST(ViewerProtocol, WhatIsNoPlainAcknowledgementIsLeftToTheParser)
{
    for (const char *text : {"",
                             "{",
                             "{}",
                             "[]",
                             R"({"type":"ack"})",
                             R"({"sequence":1})",
                             R"({"type":"ack","sequence":0})",
                             R"({"type":"ack","sequence":01})",
                             R"({"type":"ack","sequence":-1})",
                             R"({"type":"ack","sequence":1.0})",
                             R"({"type":"ack","sequence":1e3})",
                             R"({"type":"ack","sequence":18446744073709551616})",
                             R"({"type":"ack","sequence":"1"})",
                             R"({"type":"ack","sequence":1,"more":2})",
                             R"({"type":"ack","sequence":1,"sequence":2})",
                             R"({"type":"ack","sequence":1,"batch":0})",
                             R"({"type":"ack","sequence":1,"batch":2.5})",
                             R"({"type":"ack","sequence":1,"batch":"2"})",
                             R"({"type":"ack","sequence":1,"batch":2,"batch":2})",
                             R"({"type":"ack","batch":2})",
                             R"({"type":"ack","type":"ack"})",
                             R"({"type":"ack","sequence":1}x)",
                             R"({"type":"ack","sequence":1)",
                             R"({"type":"ack" "sequence":1})",
                             R"({"type":"ack","sequence":1,})",
                             R"({,"type":"ack","sequence":1})",
                             R"({"type":"pause","sequence":1})",
                             R"({"type":"ack","sequence": })",
                             R"({"type":"ac\u006b","sequence":1})",
                             R"({"type":"ack","sequence":+1})",
                             "{\"type\":\"ack\",\v\"sequence\":1}",
                             "\xef\xbb\xbf{\"type\":\"ack\",\"sequence\":1}"})
        EXPECT_FALSE(parsePlainAck(text)) << text;
}

// All that a few random changes make of an acknowledgement: where the short way answers, the parser says the same.
TEST(ViewerProtocol, BothWaysOfReadingAnAcknowledgementAgree)
{
    std::mt19937 random(7);
    const std::string alphabet = "{}[]\",:\\ \t\n0123456789eE+-.acktypesqunbh\xc3\xa9";
    const std::array<const char *, 3> acks{R"({"type":"ack","sequence":4711})",
                                           R"({ "sequence" : 90 , "type" : "ack" })",
                                           R"({"type":"ack","sequence":4711,"batch":3})"};
    int plain_ones = 0;
    for (int i = 0; i < 50000; ++i) {
        std::string text = acks.at(static_cast<std::size_t>(i) % acks.size());
        for (auto changes = random() % 3; changes > 0; --changes) {
            const auto at = random() % text.size();
            const char with = alphabet[random() % alphabet.size()];
            if (random() % 2 == 0)
                text[at] = with;
            else
                text.insert(at, 1, with);
        }
        const auto plain = parsePlainAck(text);
        if (!plain)
            continue;
        ++plain_ones;
        const auto message = parse(text, Version::k1);
        ASSERT_TRUE(message && std::holds_alternative<Ack>(*message)) << text;
        ASSERT_EQ(std::get<Ack>(*message).sequence, plain->sequence) << text;
        ASSERT_EQ(std::get<Ack>(*message).batch, plain->batch) << text;
    }
    EXPECT_GT(plain_ones, 10000);
}

struct Bad {
    const char *text;
    CloseCode code;
};
class ViewerProtocolBad : public ::testing::TestWithParam<Bad> {};

TEST_P(ViewerProtocolBad, IsRefused)
{
    const auto message = parse(GetParam().text, Version::k1);
    ASSERT_FALSE(message.has_value()) << GetParam().text;
    EXPECT_EQ(message.error().code, GetParam().code) << GetParam().text;
    EXPECT_FALSE(message.error().reason.empty());
    EXPECT_LE(message.error().reason.size(), 123U) << "a close frame holds no more";
}

constexpr auto kNoJson = CloseCode::kInvalidPayload;
constexpr auto kNonsense = CloseCode::kPolicyViolation;
INSTANTIATE_TEST_SUITE_P(
    Table, ViewerProtocolBad,
    ::testing::Values(
        Bad{"", kNoJson}, Bad{"hello", kNoJson}, Bad{"{", kNoJson}, Bad{"[]", kNoJson}, Bad{"null", kNoJson},
        Bad{"17", kNoJson}, Bad{R"({"type":"pause"}x)", kNoJson}, Bad{R"({"type":"pause"}{"type":"pause"})", kNoJson},
        Bad{"{\"type\":\"pa\xff\"}", kNoJson}, Bad{R"({"type":"ack","sequence":1e999})", kNoJson}, Bad{"{}", kNonsense},
        Bad{R"({"type":1})", kNonsense}, Bad{R"({"type":null})", kNonsense}, Bad{R"({"type":"hello"})", kNonsense},
        Bad{R"({"type":"PAUSE"})", kNonsense}, Bad{R"({"type":"ack"})", kNonsense},
        Bad{R"({"type":"ack","sequence":"1"})", kNonsense}, Bad{R"({"type":"ack","sequence":0})", kNonsense},
        Bad{R"({"type":"ack","sequence":-1})", kNonsense}, Bad{R"({"type":"ack","sequence":1.5})", kNonsense},
        Bad{R"({"type":"ack","sequence":1e3})", kNonsense},
        Bad{R"({"type":"ack","sequence":18446744073709551616})", kNonsense},
        Bad{R"({"type":"ack","sequence":null})", kNonsense}, Bad{R"({"type":"ack","sequence":true})", kNonsense},
        Bad{R"({"type":"ack","sequence":1,"batch":0})", kNonsense},
        Bad{R"({"type":"ack","sequence":1,"batch":"2"})", kNonsense}, Bad{R"({"type":"rate"})", kNonsense},
        Bad{R"({"type":"rate","fps":-1})", kNonsense}, Bad{R"({"type":"rate","fps":0.001})", kNonsense},
        Bad{R"({"type":"rate","fps":"5"})", kNonsense}, Bad{R"({"type":"ping"})", kNonsense},
        Bad{R"({"type":"ping","t":"now"})", kNonsense}, Bad{R"({"type":"ping","t":{"a":1}})", kNonsense}));

TEST(ViewerProtocol, DeepNestingIsNoCrash)
{
    const std::string deep = R"({"type":"pause","x":)" + std::string(2000, '[') + std::string(2000, ']') + "}";
    (void)parse(deep, Version::k1);
    (void)parse(std::string(4000, '['), Version::k1);
    parsedAs<Pause>(R"({"x":[[[[[[[[[[[[1]]]]]]]]]]]],"type":"pause"})");
}

TEST(ViewerProtocol, ComposesHello)
{
    const auto message = json::parse(hello({"1.2.3", "pi", {640, 480}, 30.0, true}, Version::k1));
    EXPECT_EQ(message, json::parse(R"({"type":"hello","version":"1.2.3","instance":"pi",
                                       "size":{"width":640,"height":480},"fps":30.0,"ack_batch":4})"));
}

TEST(ViewerProtocol, ComposesState)
{
    CameraStatus camera;
    camera.state = CameraState::kStarting;
    EXPECT_EQ(json::parse(state(camera)), json::parse(R"({"type":"state","state":"starting"})"));
    camera = {CameraState::kUnavailable, "no \"camera\"", {}, {}, 0.0};
    EXPECT_EQ(json::parse(state(camera)),
              json::parse(R"({"type":"state","state":"unavailable","reason":"no \"camera\""})"));
    camera = {CameraState::kStreaming, {}, "imx708", {480, 640}, 15.0};
    EXPECT_EQ(json::parse(state(camera)), json::parse(R"({"type":"state","state":"streaming","source":"imx708",
                                                          "size":{"width":480,"height":640},"fps":15.0})"));
}

TEST(ViewerProtocol, StateOfACameraThatSpeaksNoUtf8IsStillJson)
{
    const CameraStatus camera{CameraState::kUnavailable, "cam\xff", {}, {}, 0.0};
    EXPECT_EQ(json::parse(state(camera))["state"], "unavailable");
}

TEST(ViewerProtocol, PongEchoes)
{
    const auto message =
        json::parse(pong(parsedAs<Ping>(R"({"type":"ping","t":12.25})"), std::chrono::microseconds(99)));
    EXPECT_EQ(message, json::parse(R"({"type":"pong","t":12.25,"server_time_us":99})"));
}

} // namespace
} // namespace picam::protocol
