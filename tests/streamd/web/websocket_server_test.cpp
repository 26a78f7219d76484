#include "streamd/web/websocket_server.h"

#include "streamd/web/base64.h"
#include "tests/streamd/raw_client.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace picam {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using testing::ServedHub;
using ::testing::StartsWith;

constexpr int kText = 1;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

// The key and its answer stand in RFC 6455, 1.3.
std::string handshake(const std::string &target = "/stream", const std::string &more = "",
                      const std::string &version = "Sec-WebSocket-Version: 13\r\n")
{
    return "GET " + target + " HTTP/1.1\r\nHost: pi.local\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + version + more + "\r\n";
}
const std::string kV1 = "Sec-WebSocket-Protocol: other, picam.v1\r\n";

// A client's frame: `first` is FIN, reserved bits and opcode.
std::string rawFrame(int first, const std::string &payload, bool masked = true)
{
    std::string frame(1, static_cast<char>(first));
    const int mask_bit = masked ? 0x80 : 0;
    const auto size = payload.size();
    if (size < 126) {
        frame += static_cast<char>(mask_bit | static_cast<int>(size));
    } else if (size < 65536) {
        frame += static_cast<char>(mask_bit | 126);
        frame += static_cast<char>(size >> 8U);
        frame += static_cast<char>(size & 255U);
    } else {
        frame += static_cast<char>(mask_bit | 127);
        for (unsigned shift = 64; shift > 0; shift -= 8)
            frame += static_cast<char>(static_cast<std::uint64_t>(size) >> (shift - 8) & 255U);
    }
    if (!masked)
        return frame + payload;
    const std::string key = "\x12\x34\x56\x78";
    frame += key;
    for (std::size_t i = 0; i < size; ++i)
        frame += static_cast<char>(payload[i] ^ key[i % 4]);
    return frame;
}
std::string text(const std::string &payload)
{
    return rawFrame(0x80 | kText, payload);
}

struct Received {
    int opcode = 0; // 0: the connection has ended
    std::string payload;
};

std::uint64_t bigEndian(const std::string &bytes)
{
    std::uint64_t value = 0;
    for (const char c : bytes)
        value = value << 8U | static_cast<unsigned char>(c);
    return value;
}

Received readFrame(RawClient &client)
{
    const auto head = client.readBytes(2);
    if (head.size() < 2)
        return {};
    EXPECT_EQ(head[0] & 0x70, 0) << "reserved bits";
    EXPECT_EQ(head[1] & 0x80, 0) << "a server does not mask";
    std::uint64_t size = static_cast<unsigned char>(head[1]);
    if (size == 126)
        size = bigEndian(client.readBytes(2));
    else if (size == 127)
        size = bigEndian(client.readBytes(8));
    return {head[0] & 15, client.readBytes(static_cast<std::size_t>(size))};
}

// Skips all other frames.
Received readFrame(RawClient &client, int opcode)
{
    Received frame;
    do
        frame = readFrame(client);
    while (frame.opcode != 0 && frame.opcode != opcode);
    return frame;
}

// The code of the close frame that comes; 0: none came.
int readCloseCode(RawClient &client)
{
    const auto frame = readFrame(client, kClose);
    return frame.payload.size() >= 2 ? static_cast<int>(bigEndian(frame.payload.substr(0, 2))) : 0;
}

class WebSocketServerTest : public ::testing::Test {
protected:
    std::unique_ptr<RawClient> connect(const std::string &request = handshake("/?format=jpeg"), int receive_buffer = 0)
    {
        auto client = std::make_unique<RawClient>(served.streamPath(), receive_buffer);
        EXPECT_TRUE(client->send(request));
        const auto answer = client->readThrough("\r\n\r\n");
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
        return client;
    }
    // A viewer that takes frames still gets them: the server is alive and well.
    void expectAlive()
    {
        const auto client = connect();
        ASSERT_TRUE(served.until([this] { return served.values().viewers[1] > 0; }));
        const auto picture = served.publish();
        const auto frame = readFrame(*client, kBinary);
        EXPECT_TRUE(frame.payload == std::string(picture->bytes.begin(), picture->bytes.end()));
    }

    ServedHub served;
};

TEST_F(WebSocketServerTest, ATicketOpensOneConnection)
{
    RawClient web(served.httpPath());
    web.send("GET /ticket HTTP/1.1\r\nHost: pi.local\r\nConnection: close\r\n\r\n");
    const auto answer = web.readAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
    const auto begin = answer.find("\"ticket\":\"") + 10;
    const auto ticket = answer.substr(begin, 32);
    const auto protocols = [](const std::string &list) { return "Sec-WebSocket-Protocol: " + list + "\r\n"; };

    const auto answerTo = [this](const std::string &request) {
        RawClient client(served.streamPath());
        client.send(request);
        return client.readThrough("\r\n\r\n");
    };
    const std::string path = "/stream-by-ticket";
    for (const auto &refused : {handshake(path), handshake(path, protocols("picam.v1")),
                                handshake(path, protocols("picam.ticket., picam.v1")),
                                handshake(path, protocols("picam.v1, picam.ticket." + std::string(32, '0'))),
                                handshake(path + "?ticket=" + ticket)}) {
        EXPECT_THAT(answerTo(refused), StartsWith("HTTP/1.1 403 ")) << refused;
    }
    const auto good = handshake(path, protocols("picam.v1, picam.ticket." + ticket));
    const auto head = answerTo(good);
    EXPECT_THAT(head, StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Protocol: picam.v1\r\n"));
    EXPECT_THAT(answerTo(good), StartsWith("HTTP/1.1 403 "));
}

TEST_F(WebSocketServerTest, HandshakeAsInTheStandard)
{
    RawClient client(served.streamPath());
    client.send(handshake("/stream", kV1));
    const auto answer = client.readThrough("\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Protocol: picam.v1\r\n"));
    const auto hello = nlohmann::json::parse(readFrame(client).payload);
    EXPECT_EQ(hello["type"], "hello");
    EXPECT_EQ(nlohmann::json::parse(readFrame(client).payload)["state"], "starting");
}

TEST_F(WebSocketServerTest, HandshakeByteByByte)
{
    RawClient client(served.streamPath());
    client.sendByteByByte(handshake("/", kV1));
    EXPECT_THAT(client.readThrough("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
}

struct Refused {
    const char *name;
    std::string request;
    const char *status;
    const char *header;
};
class WebSocketRefused : public WebSocketServerTest, public ::testing::WithParamInterface<Refused> {};

TEST_P(WebSocketRefused, WithTheRightStatus)
{
    RawClient client(served.streamPath());
    client.send(GetParam().request);
    const auto answer = client.readAll();
    EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + GetParam().status));
    EXPECT_THAT(answer, HasSubstr(GetParam().header));
    EXPECT_THAT(answer, HasSubstr("Content-Length: "));
    EXPECT_TRUE(served.untilAlone());
    expectAlive();
}

INSTANTIATE_TEST_SUITE_P(
    Table, WebSocketRefused,
    ::testing::Values(
        Refused{"version_missing", handshake("/", "", ""), "426 ", "Sec-WebSocket-Version: 13\r\n"},
        Refused{"version_8", handshake("/", "", "Sec-WebSocket-Version: 8\r\n"), "426 ",
                "Sec-WebSocket-Version: 13\r\n"},
        Refused{"version_0", handshake("/", "", "Sec-WebSocket-Version: 0\r\n"), "426 ",
                "Sec-WebSocket-Version: 13\r\n"},
        Refused{"version_13x", handshake("/", "", "Sec-WebSocket-Version: 13x\r\n"), "426 ",
                "Sec-WebSocket-Version: 13\r\n"},
        Refused{"version_99", handshake("/", "", "Sec-WebSocket-Version: 99\r\n"), "426 ",
                "Sec-WebSocket-Version: 13\r\n"},
        Refused{"version_word", handshake("/", "", "Sec-WebSocket-Version: new\r\n"), "426 ",
                "Sec-WebSocket-Version: 13\r\n"},
        Refused{"no_upgrade", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 ", "Upgrade: websocket\r\n"},
        Refused{"foreign_origin", handshake("/", "Origin: http://evil.example\r\n"), "403 ", "Connection: close\r\n"},
        Refused{"null_origin", handshake("/", "Origin: null\r\n"), "403 ", "Connection: close\r\n"},
        Refused{"bad_format", handshake("/?format=png"), "400 ", ""},
        Refused{"bad_rate", handshake("/?fps=x"), "400 ", ""},
        Refused{"old_http",
                "GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                "400 ", ""},
        Refused{"no_key",
                "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                "13\r\n\r\n",
                "400 ", ""},
        Refused{"post",
                "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                "400 ", ""},
        Refused{"body", handshake("/", "Content-Length: 100\r\n"), "413 ", ""},
        Refused{"rubbish", "\x01\x02\x03\r\n\r\n", "400 ", ""},
        Refused{"long_head", handshake("/", "X: " + std::string(20000, 'x') + "\r\n"), "431 ", ""}),
    [](const auto &test) { return std::string(test.param.name); });

TEST_F(WebSocketServerTest, AllowedOrigins)
{
    connect(handshake("/", "Origin: http://pi.local\r\n"));
    connect(handshake("/", "Origin: https://friend.example\r\n"));
}

TEST(WebSocketServerFull, TurnsAwayWithAWord)
{
    ServedHub served(1);
    RawClient first(served.streamPath());
    first.send(handshake());
    EXPECT_THAT(first.readThrough("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    {
        RawClient second(served.streamPath());
        second.send(handshake());
        const auto answer = second.readAll();
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
        EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    }
    EXPECT_EQ(served.values().refused, 1U);
    ASSERT_TRUE(served.untilViewers(1));
    first.send(rawFrame(0x80 | kClose, "\x03\xe8"));
    EXPECT_EQ(readCloseCode(first), 1000);
    ASSERT_TRUE(served.untilAlone());
    RawClient third(served.streamPath());
    third.send(handshake());
    EXPECT_THAT(third.readThrough("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
}

TEST_F(WebSocketServerTest, FramesInEachWireFormat)
{
    const auto plain = connect(handshake("/stream"));
    const auto jpeg = connect(handshake("/stream?format=jpeg"));
    const auto v1 = connect(handshake("/stream", kV1));
    ASSERT_TRUE(served.untilViewers(3));
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{100}, std::size_t{126}, std::size_t{1000}, std::size_t{70000}}) {
        const auto picture = served.publish(size);
        const std::string bytes(picture->bytes.begin(), picture->bytes.end());

        const auto in_base64 = readFrame(*plain, kText);
        EXPECT_TRUE(in_base64.payload == base64(picture->bytes.data(), size));
        EXPECT_TRUE(readFrame(*jpeg, kBinary).payload == bytes);
        const auto in_v1 = readFrame(*v1, kBinary).payload;
        ASSERT_EQ(in_v1.size(), size + 16);
        EXPECT_EQ(bigEndian(in_v1.substr(0, 8)), picture->sequence);
        EXPECT_EQ(bigEndian(in_v1.substr(8, 8)), 1700000000123456U + picture->sequence);
        EXPECT_TRUE(in_v1.substr(16) == bytes);
        v1->send(text(R"({"type":"ack","sequence":)" + std::to_string(picture->sequence) + "}"));
    }
    ASSERT_TRUE(served.until([this] { return served.values().sent == 15; }));
}

TEST_F(WebSocketServerTest, MessagesSplitAtEveryByteAndInFragments)
{
    const auto client = connect(handshake("/", kV1));
    client->sendByteByByte(text(R"({"type":"ping","t":1})"));
    const std::string ping = R"({"type":"ping","t":2})";
    // In fragments, with a ping of the protocol's own between them.
    client->send(rawFrame(kText, ping.substr(0, 5)) + rawFrame(0x80 | kPing, "x") + rawFrame(0, ping.substr(5, 3)) +
                 rawFrame(0x80, ping.substr(8)));
    std::vector<double> pongs;
    bool answered = false;
    while (pongs.size() < 2 || !answered) {
        const auto frame = readFrame(*client);
        ASSERT_NE(frame.opcode, 0);
        if (frame.opcode == kPong) {
            EXPECT_EQ(frame.payload, "x");
            answered = true;
        } else if (const auto message = nlohmann::json::parse(frame.payload); message["type"] == "pong") {
            pongs.push_back(message["t"]);
        }
    }
    EXPECT_EQ(pongs, (std::vector<double>{1, 2}));
}

struct Malformed {
    const char *name;
    std::string bytes;
    int code;
};
class WebSocketMalformed : public WebSocketServerTest, public ::testing::WithParamInterface<Malformed> {};

TEST_P(WebSocketMalformed, IsClosedWithItsCode)
{
    const auto client = connect(handshake("/", kV1));
    ASSERT_TRUE(served.untilViewers(1));
    client->send(GetParam().bytes);
    EXPECT_EQ(readCloseCode(*client), GetParam().code);
    client->send(rawFrame(0x80 | kClose, "\x03\xe8")); // where the server waits for it
    client->readAll();
    EXPECT_TRUE(served.untilAlone());
    expectAlive();
}

INSTANTIATE_TEST_SUITE_P(
    Table, WebSocketMalformed,
    ::testing::Values(
        Malformed{"unmasked", rawFrame(0x80 | kText, "{}", false), 1002},
        Malformed{"reserved_bit_1", rawFrame(0xC0 | kText, "{}"), 1002},
        Malformed{"reserved_bit_2", rawFrame(0xA0 | kText, "{}"), 1002},
        Malformed{"reserved_bit_3", rawFrame(0x90 | kText, "{}"), 1002},
        Malformed{"unknown_opcode", rawFrame(0x83, "{}"), 1002}, Malformed{"unknown_control", rawFrame(0x8B, ""), 1002},
        Malformed{"lone_continuation", rawFrame(0x80, "{}"), 1002},
        Malformed{"interrupted_message", rawFrame(kText, "{") + rawFrame(0x80 | kText, "}"), 1002},
        Malformed{"fragmented_ping", rawFrame(kPing, "x"), 1002},
        Malformed{"long_ping", rawFrame(0x80 | kPing, std::string(126, 'x')), 1002},
        Malformed{"oversized", text(std::string(4097, ' ')), 1009},
        Malformed{"oversized_announced", std::string("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x12\x34\x56\x78", 14),
                  // On a processor of 32 bits websocketpp blames itself.
                  sizeof(std::size_t) == 4 ? 1011 : 1009},
        Malformed{"oversized_in_fragments",
                  rawFrame(kText, std::string(4000, ' ')) + rawFrame(0x80, std::string(97, ' ')), 1009},
        // (1011 is the library's word for it.)
        Malformed{"length_not_minimal", std::string("\x81\xfe\x00\x02\x00\x00\x00\x00{}", 10), 1011},
        Malformed{"no_utf8", text("\xff\xfe"), 1007}, Malformed{"no_json", text("hello"), 1007},
        Malformed{"nonsense", text(R"({"type":"dance"})"), 1008}, Malformed{"binary", rawFrame(0x82, "x"), 1003},
        Malformed{"bad_ack", text(R"({"type":"ack","sequence":9})"), 1008}),
    [](const auto &test) { return std::string(test.param.name); });

TEST_F(WebSocketServerTest, RandomBytesTakeNothingDown)
{
    std::mt19937 random(20);
    for (int i = 0; i < 300; ++i) {
        RawClient client(served.streamPath());
        std::string rubbish(random() % 300, '\0');
        for (char &c : rubbish)
            c = static_cast<char>(random());
        if (i % 3 != 0)
            client.send(handshake("/", i % 2 == 0 ? kV1 : ""));
        client.send(rubbish);
    }
    EXPECT_TRUE(served.untilAlone());
    expectAlive();
}

TEST_F(WebSocketServerTest, AMegabyteOfPingsEndsOnlyThePinger)
{
    const auto client = connect();
    const std::string ping = rawFrame(0x80 | kPing, std::string(100, 'x'));
    std::string many;
    while (many.size() < 1000000)
        many += ping;
    std::thread sender([&] { client->send(many); });
    EXPECT_EQ(readCloseCode(*client), 1008);
    client->readAll();
    sender.join();
    EXPECT_TRUE(served.untilViewers(0));
    expectAlive();
}

TEST_F(WebSocketServerTest, AViewerThatDoesNotReadDelaysNobodyAndGetsTheNewest)
{
    const auto stuck = connect(handshake("/?format=jpeg"), 4096);
    const auto quick = connect();
    ASSERT_TRUE(served.untilViewers(2));
    constexpr std::size_t kBytes = 300000; // more than all buffers on the way
    PicturePtr last;
    for (int i = 0; i < 20; ++i) {
        last = served.publish(kBytes);
        ASSERT_EQ(readFrame(*quick, kBinary).payload.size(), kBytes);
    }
    // The quick one's; the stuck one's first write has not ended.
    EXPECT_TRUE(served.until([this] { return served.values().sent == 20; }));
    EXPECT_EQ(readFrame(*stuck, kBinary).payload[0], 1);
    EXPECT_EQ(readFrame(*stuck, kBinary).payload[0], static_cast<char>(last->sequence)) << "nothing old waits";
    EXPECT_TRUE(served.until([this] { return served.values().sent == 22; }));
}

TEST_F(WebSocketServerTest, WhatTheServerSaysComesBetweenFramesNeverWithinOne)
{
    const auto client = connect(handshake("/stream", kV1), 4096);
    EXPECT_THAT(readFrame(*client, kText).payload, HasSubstr("hello"));
    constexpr std::size_t kBytes = 300000; // more than all buffers on the way
    ASSERT_TRUE(served.untilViewers(1));
    for (int i = 1; i <= 3; ++i) {
        served.publish(kBytes);
        client->send(rawFrame(0x80 | kPing, "there?") + text(R"({"type":"ping","t":7})"));
        // Both are answered while the frame still waits for room.
        ASSERT_TRUE(served.until([&] { return served.values().sent + 1 == static_cast<std::uint64_t>(i); }));
        std::vector<int> opcodes;
        while (std::count(opcodes.begin(), opcodes.end(), kBinary) < 1 ||
               std::count(opcodes.begin(), opcodes.end(), kPong) < 1 || opcodes.size() < 3) {
            const auto frame = readFrame(*client);
            ASSERT_NE(frame.opcode, 0);
            if (frame.opcode == kBinary) {
                EXPECT_EQ(frame.payload.size(), 16 + kBytes);
                EXPECT_EQ(frame.payload.substr(16), std::string(kBytes, frame.payload.back()));
            }
            if (frame.opcode == kText && frame.payload.find("pong") == std::string::npos)
                continue;
            opcodes.push_back(frame.opcode);
        }
        client->send(text("{\"type\":\"ack\",\"sequence\":" + std::to_string(i) + "}"));
    }
}

TEST_F(WebSocketServerTest, WhatAClientSaysBehindItsRequestWithoutWaitingIsHeard)
{
    const auto client =
        connect(handshake("/stream", kV1) + text(R"({"type":"pause"})") + text(R"({"type":"ping","t":1})"));
    EXPECT_THAT(readFrame(*client, kText).payload, HasSubstr("hello"));
    while (!::testing::Test::HasFailure()) {
        const auto said = readFrame(*client, kText).payload;
        if (said.find("pong") != std::string::npos)
            break;
    }
    EXPECT_TRUE(served.until([this] { return served.values().paused == 1; }));
    client->send(text(R"({"type":"resume"})"));
    EXPECT_TRUE(served.until([this] { return served.values().paused == 0; }));
}

TEST_F(WebSocketServerTest, MessagesAreHeardHoweverTheyAreCutAndInTheirOrder)
{
    const auto client = connect(handshake("/stream", kV1));
    EXPECT_THAT(readFrame(*client, kText).payload, HasSubstr("hello"));
    const std::string odd = text(R"({"type":"ping","t":2,"more":")" + std::string(200, 'x') + "\"}");
    const std::string all = text(R"({"type":"ping","t":1})") + odd + text(R"({"type":"ping","t":3,"more":"Ã¼"})") +
                            text(R"({"type":"ping","t":4})");
    EXPECT_TRUE(client->sendByteByByte(all.substr(0, 40)));
    EXPECT_TRUE(client->send(all.substr(40)));
    for (int wanted = 1; wanted <= 4;) {
        const auto said = readFrame(*client, kText).payload;
        ASSERT_FALSE(said.empty());
        if (said.find("pong") == std::string::npos)
            continue;
        EXPECT_THAT(said, HasSubstr("\"t\":" + std::to_string(wanted)));
        ++wanted;
    }
}

TEST_F(WebSocketServerTest, ViewersThatComeAndGoLeaveNothing)
{
    connect();
    ASSERT_TRUE(served.untilAlone());
    const auto before = testing::openDescriptors();
    for (int i = 0; i < 200; ++i) {
        const auto client = connect(handshake("/", i % 2 == 0 ? kV1 : ""));
        if (i % 4 == 0) {
            client->send(rawFrame(0x80 | kClose, "\x03\xe8"));
            EXPECT_EQ(readCloseCode(*client), 1000);
        }
        if (i % 10 == 0)
            served.publish(100000);
    }
    EXPECT_TRUE(served.untilAlone());
    EXPECT_EQ(testing::openDescriptors(), before);
    EXPECT_EQ(served.values().viewers, (std::array<std::uint64_t, kWireFormats>{}));
}

TEST_F(WebSocketServerTest, ClosesViewersOnShutdown)
{
    const auto client = connect();
    ASSERT_TRUE(served.untilViewers(1));
    served.stopAccepting();
    served.onLoop([this] {
        served.hub().refuseViewers();
        served.hub().closeViewers(CloseCode::kGoingAway, "the server is stopping");
    });
    EXPECT_EQ(readCloseCode(*client), 1001);
    client->send(rawFrame(0x80 | kClose, "\x03\xe9"));
    client->readAll();
    EXPECT_TRUE(served.untilAlone());
}

TEST_F(WebSocketServerTest, AChangeOfWhoMayLookEndsViewersAndRefusesOldWorkers)
{
    const auto from = [](const std::string &generation) {
        return handshake("/?format=jpeg", "X-Picam-Access: " + generation + "\r\n");
    };
    const auto watching = connect(from("1"));
    const auto stalled = connect(from("1"), 4096); // reads neither frames nor the close
    ASSERT_TRUE(served.untilViewers(2));
    served.publish(5000000);
    RawClient changing(served.httpPath());
    changing.send("POST /access?generation=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(changing.readAll(), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(readCloseCode(*watching), 1013);
    EXPECT_TRUE(served.untilViewers(0));
    RawClient old(served.streamPath());
    old.send(from("1"));
    EXPECT_THAT(old.readAll(), StartsWith("HTTP/1.1 503 "));
    const auto again = connect(from("2"));
    EXPECT_TRUE(served.untilViewers(1));
}

TEST_F(WebSocketServerTest, AHandshakeThatNeverEndsIsDropped)
{
    RawClient client(served.streamPath());
    client.send("GET / HTTP/1.1\r\nHost:");
    EXPECT_EQ(client.readAll(), "");
    EXPECT_TRUE(served.untilAlone());
}

} // namespace
} // namespace picam
