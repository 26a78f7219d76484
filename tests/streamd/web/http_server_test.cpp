#include "streamd/web/http_server.h"

#include "tests/streamd/raw_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

namespace picam {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawClient;
using testing::ServedHub;
using ::testing::StartsWith;

std::string get(const std::string &target, const std::string &method = "GET")
{
    return method + " " + target + " HTTP/1.1\r\nHost: pi.local\r\n\r\n";
}
std::string getOnce(const std::string &target, const std::string &method = "GET")
{
    return method + " " + target + " HTTP/1.1\r\nHost: pi.local\r\nConnection: close\r\n\r\n";
}

class HttpServerTest : public ::testing::Test {
protected:
    std::string answerTo(const std::string &request)
    {
        RawClient client(served.httpPath());
        client.send(request);
        return client.readAll();
    }
    // The next part's picture; the client stands behind a boundary.
    static std::string readPart(RawClient &client, std::string *head_out = nullptr)
    {
        const auto head = client.readThrough("\r\n\r\n");
        if (head_out != nullptr)
            *head_out = head;
        const auto at = head.find("Content-Length: ");
        if (at == std::string::npos) {
            ADD_FAILURE() << "no length in: " << head;
            return {};
        }
        auto picture = client.readBytes(std::stoul(head.substr(at + 16)));
        // The boundary is there without waiting for the next picture.
        EXPECT_EQ(client.readBytes(17), "\r\n--picam-frame\r\n");
        return picture;
    }
    static std::string content(const PicturePtr &picture) { return {picture->bytes.begin(), picture->bytes.end()}; }

    ServedHub served;
};

TEST_F(HttpServerTest, SmallAnswers)
{
    EXPECT_THAT(answerTo(getOnce("/healthz")), HasSubstr("\r\n\r\nok\n"));
    const auto status = answerTo(getOnce("/status"));
    EXPECT_THAT(status, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(status, HasSubstr("Content-Type: application/json\r\n"));
    const auto told = nlohmann::json::parse(status.substr(status.find("\r\n\r\n") + 4));
    EXPECT_EQ(told["camera"]["state"], "idle");
    EXPECT_THAT(answerTo(getOnce("/metrics")), HasSubstr("\npicam_viewers{protocol=\"multipart\"} 0\n"));
    EXPECT_THAT(answerTo(getOnce("/nothing")), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(answerTo(getOnce("/")), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(answerTo(getOnce("/?action=dance")), StartsWith("HTTP/1.1 404 "));
}

TEST_F(HttpServerTest, HeadHasNoBody)
{
    for (const char *target : {"/healthz", "/status", "/metrics", "/stream.mjpg", "/ticket", "/nothing"}) {
        const auto answer = answerTo(getOnce(target, "HEAD"));
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 ")) << target;
        EXPECT_EQ(answer.find("\r\n\r\n") + 4, answer.size()) << target;
    }
    EXPECT_EQ(served.onLoop([this] { return served.hub().viewerCount(); }), 0U);
}

TEST_F(HttpServerTest, OtherMethodsAreTold)
{
    for (const char *method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
        const auto answer = answerTo(getOnce("/status", method));
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
        EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
    }
}

TEST_F(HttpServerTest, BodiesAreNotRead)
{
    const auto answer = answerTo("POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_TRUE(served.untilAlone());
}

TEST_F(HttpServerTest, OneConnectionManyRequests)
{
    RawClient client(served.httpPath());
    for (int i = 0; i < 3; ++i) {
        client.sendByteByByte(get("/healthz"));
        EXPECT_THAT(client.readThrough("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
        EXPECT_EQ(client.readBytes(3), "ok\n");
    }
    client.send(get("/healthz") + get("/healthz"));
    client.readThrough("ok\n");
    client.readThrough("ok\n");
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    EXPECT_THAT(client.readAll(), HasSubstr("Connection: close\r\n"));
}

TEST_F(HttpServerTest, MalformedRequests)
{
    EXPECT_THAT(answerTo("\x16\x03\x01\x02\x03\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answerTo("GET /\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answerTo("GET / HTTP/1.1\r\nX: " + std::string(66000, 'x') + "\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(answerTo("GET /" + std::string(66000, 'x') + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
    std::mt19937 random(20);
    for (int i = 0; i < 300; ++i) {
        RawClient client(served.httpPath());
        std::string rubbish(random() % 300, '\0');
        for (char &c : rubbish)
            c = static_cast<char>(random());
        client.send(rubbish);
    }
    EXPECT_TRUE(served.untilAlone());
    EXPECT_THAT(answerTo(getOnce("/healthz")), HasSubstr("ok\n"));
}

TEST_F(HttpServerTest, WhatNginxLetsThroughIsNotTooLarge)
{
    const std::string most(16000, 'x');
    EXPECT_THAT(answerTo("GET /healthz?" + most + " HTTP/1.1\r\nHost: " + most + "\r\nOrigin: " + most +
                         "\r\nConnection: close\r\n\r\n"),
                HasSubstr("\r\n\r\nok\n"));
}

TEST_F(HttpServerTest, PagesOfOtherSitesMayReadTheStreamTheyAreListedFor)
{
    const auto ask = [](const std::string &method, const std::string &target, const std::string &origin) {
        return method + " " + target + " HTTP/1.1\r\nHost: pi.local\r\nOrigin: " + origin +
               "\r\nConnection: close\r\n\r\n";
    };
    const std::string cors = "Access-Control-Allow-Origin: https://friend.example\r\n";
    // The stream itself, its head, an error of it.
    RawClient client(served.httpPath());
    client.send(ask("GET", "/stream.mjpg", "https://friend.example"));
    ASSERT_TRUE(served.untilViewers(1));
    const auto picture = served.publish(1000);
    const auto head = client.readThrough("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr(cors));
    EXPECT_THAT(head, HasSubstr("Access-Control-Allow-Credentials: true\r\n"));
    EXPECT_THAT(head, HasSubstr("Vary: Origin\r\n"));
    EXPECT_EQ(client.readThrough("\r\n"), "--picam-frame\r\n");
    EXPECT_TRUE(readPart(client) == content(picture));
    EXPECT_THAT(answerTo(ask("HEAD", "/stream.mjpg", "https://friend.example")), HasSubstr(cors));
    const auto error = answerTo(ask("GET", "/stream.mjpg?fps=x", "https://friend.example"));
    EXPECT_THAT(error, StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(error, HasSubstr(cors));
    // Nobody else, and nothing else.
    const auto foreign = answerTo(ask("HEAD", "/stream.mjpg", "https://evil.example"));
    EXPECT_THAT(foreign, Not(HasSubstr("Access-Control")));
    EXPECT_THAT(foreign, HasSubstr("Vary: Origin\r\n"));
    EXPECT_THAT(answerTo(ask("GET", "/ticket", "https://friend.example")), Not(HasSubstr("Access-Control")));
}

TEST_F(HttpServerTest, AChangeOfWhoMayLookEndsStreamsAndRefusesOldWorkers)
{
    const auto ask = [](const std::string &target, const std::string &generation, const std::string &method = "GET") {
        return method + " " + target + " HTTP/1.1\r\nHost: pi.local\r\nX-Picam-Access: " + generation +
               "\r\nConnection: close\r\n\r\n";
    };
    RawClient streaming(served.httpPath());
    streaming.send(ask("/stream.mjpg", "1"));
    ASSERT_TRUE(served.untilViewers(1));
    served.publish(1000);
    streaming.readThrough("\r\n\r\n");
    RawClient waiting(served.httpPath()); // for its first frame
    served.setCamera({CameraState::kStarting, {}, {}, {}, 0.0});
    waiting.send(ask("/stream.mjpg", "1"));
    ASSERT_TRUE(served.untilViewers(2));

    EXPECT_THAT(answerTo(ask("/access?generation=2", "", "GET")), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(answerTo(ask("/access", "", "POST")), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answerTo(ask("/ticket?generation=2", "", "POST")), StartsWith("HTTP/1.1 405 "));
    EXPECT_EQ(served.onLoop([this] { return served.hub().viewerCount(); }), 2U);
    EXPECT_THAT(answerTo(ask("/access?generation=2", "", "POST")), StartsWith("HTTP/1.1 200 "));
    streaming.readAll();
    EXPECT_THAT(waiting.readAll(), StartsWith("HTTP/1.1 503 "));
    EXPECT_TRUE(served.untilAlone());

    for (const char *target : {"/stream.mjpg", "/ticket"}) {
        for (const char *old : {"1", ""}) {
            const auto refusal = answerTo(ask(target, old));
            EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 ")) << target;
            EXPECT_THAT(refusal, HasSubstr("Retry-After: 1\r\n")) << target;
        }
        EXPECT_THAT(answerTo(ask(target, "2", "HEAD")), StartsWith("HTTP/1.1 200 ")) << target;
    }
    EXPECT_THAT(answerTo(ask("/healthz", "1")), HasSubstr("ok\n"));
}

TEST_F(HttpServerTest, MultipartStream)
{
    for (const char *target : {"/stream.mjpg", "/?action=stream", "/anything?x=1&action=stream"}) {
        served.setCamera({CameraState::kStarting, {}, {}, {}, 0.0}); // no picture of the round before
        RawClient client(served.httpPath());
        client.send(get(target));
        ASSERT_TRUE(served.untilViewers(1));
        const auto first = served.publish(1000);
        const auto head = client.readThrough("\r\n\r\n");
        EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
        EXPECT_THAT(head, HasSubstr("Content-Type: multipart/x-mixed-replace; boundary=picam-frame\r\n"));
        EXPECT_THAT(head, HasSubstr("Cache-Control: no-store\r\n"));
        EXPECT_EQ(client.readThrough("\r\n"), "--picam-frame\r\n");
        std::string part;
        EXPECT_TRUE(readPart(client, &part) == content(first));
        EXPECT_THAT(part, HasSubstr("Content-Type: image/jpeg\r\n"));
        const auto stamp = "X-Timestamp: 1700000000." + std::to_string(123456 + first->sequence) + "\r\n";
        EXPECT_THAT(part, HasSubstr(stamp));
        ASSERT_TRUE(served.until([&] { return served.values().sent >= first->sequence; }));
        const auto second = served.publish(200000);
        EXPECT_TRUE(readPart(client) == content(second));
        ASSERT_TRUE(served.until([&] { return served.values().sent >= second->sequence; }));
    }
    EXPECT_TRUE(served.untilAlone()) << "a client that leaves is noticed without a frame";
}

TEST_F(HttpServerTest, StreamRateIsChecked)
{
    EXPECT_THAT(answerTo(getOnce("/stream.mjpg?fps=fast")), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, SlowReaderGetsTheNewest)
{
    RawClient client(served.httpPath(), 4096);
    client.send(get("/stream.mjpg"));
    ASSERT_TRUE(served.untilViewers(1));
    PicturePtr last;
    for (int i = 0; i < 20; ++i)
        last = served.publish(300000);
    client.readThrough("--picam-frame\r\n");
    EXPECT_EQ(readPart(client)[0], 1);
    EXPECT_EQ(readPart(client)[0], static_cast<char>(last->sequence));
    EXPECT_EQ(served.values().skipped, 18U);
}

TEST_F(HttpServerTest, NoCameraIsSaidPlainly)
{
    RawClient client(served.httpPath());
    client.send(get("/stream.mjpg"));
    ASSERT_TRUE(served.untilViewers(1));
    served.setCamera({CameraState::kUnavailable, "no camera found", {}, {}, 0.0});
    const auto answer = client.readAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 2\r\n"));
    EXPECT_THAT(answer, HasSubstr("no camera found\n"));
    EXPECT_TRUE(served.untilAlone());
    // Known already: the answer comes at once.
    EXPECT_THAT(answerTo(get("/stream.mjpg")), StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpServerTest, StreamEndsWithTheServer)
{
    RawClient begun(served.httpPath());
    begun.send(get("/stream.mjpg"));
    ASSERT_TRUE(served.untilViewers(1));
    served.publish();
    begun.readThrough("\r\n--picam-frame\r\n");
    served.setCamera({CameraState::kStarting, {}, {}, {}, 0.0}); // no picture for the one who comes now
    RawClient waiting(served.httpPath());
    waiting.send(get("/stream.mjpg"));
    ASSERT_TRUE(served.untilViewers(2));
    served.onLoop([this] {
        served.hub().refuseViewers();
        served.hub().closeViewers(CloseCode::kGoingAway, "the server is stopping");
    });
    begun.readAll();
    EXPECT_THAT(waiting.readAll(), StartsWith("HTTP/1.1 503 "));
    EXPECT_TRUE(served.untilAlone());
}

TEST(HttpServerFull, TurnsAwayWithAWord)
{
    ServedHub served(1);
    RawClient first(served.httpPath());
    first.send(get("/stream.mjpg"));
    ASSERT_TRUE(served.untilViewers(1));
    RawClient second(served.httpPath());
    second.send(get("/stream.mjpg"));
    const auto answer = second.readAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    EXPECT_THAT(answer, Not(HasSubstr("multipart")));
}

} // namespace
} // namespace picam
