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

// As an operator's page sends it by nginx.
std::string changeHead(const std::string &length, const std::string &more = "", const std::string &method = "PATCH",
                       const std::string &target = "/controls")
{
    return method + " " + target + " HTTP/1.1\r\nHost: pi.local\r\nX-Picam-User: picam\r\nX-Picam-Role: operator\r\n" +
           "Content-Type: application/json\r\nIf-Match: *\r\n" + length + more + "\r\n";
}
std::string change(const std::string &body, const std::string &more = "", const std::string &method = "PATCH",
                   const std::string &target = "/controls")
{
    return changeHead("Content-Length: " + std::to_string(body.size()) + "\r\n", more, method, target) + body;
}

class HttpServerControls : public HttpServerTest {
protected:
    HttpServerControls()
    {
        served.onLoop([this] { served.controls.open(); });
    }
    // The next answer of the connection.
    static std::string readAnswer(RawClient &client, std::string *body = nullptr)
    {
        const auto head = client.readThrough("\r\n\r\n");
        const auto at = head.find("Content-Length: ");
        if (at == std::string::npos) {
            ADD_FAILURE() << "no length in: " << head;
            return head;
        }
        const auto read = client.readBytes(std::stoul(head.substr(at + 16)));
        if (body != nullptr)
            *body = read;
        return head;
    }
    double brightness()
    {
        return served.onLoop([this] {
            const auto values = served.controls.wanted->view().set.values;
            const auto found = values.find("Brightness");
            return found != values.end() ? std::get<double>(found->second) : -99.0;
        });
    }
};

TEST_F(HttpServerControls, AreShownToWhoLooks)
{
    const auto answer = answerTo(getOnce("/controls"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
    EXPECT_THAT(answer, HasSubstr("ETag: \"0-"));
    const auto head = answerTo(getOnce("/controls", "HEAD"));
    EXPECT_THAT(head, HasSubstr("ETag: \"0-"));
    EXPECT_EQ(head.find("\r\n\r\n") + 4, head.size());
    EXPECT_THAT(answerTo(getOnce("/controls?format=text")), HasSubstr("\nContrast\t1\t"));
    for (const char *target : {"/controls/", "/controls/x", "/controlsx"})
        EXPECT_THAT(answerTo(getOnce(target)), StartsWith("HTTP/1.1 404 ")) << target;
}

TEST_F(HttpServerControls, AreChangedAndTheConnectionGoesOn)
{
    RawClient client(served.httpPath());
    for (const double wanted : {0.25, 0.5}) {
        client.send(change("{\"Brightness\": " + std::to_string(wanted) + "}"));
        std::string body;
        EXPECT_THAT(readAnswer(client, &body), StartsWith("HTTP/1.1 200 OK\r\n"));
        EXPECT_EQ(nlohmann::json::parse(body)["controls"]["Brightness"]["wanted"], wanted);
        EXPECT_EQ(brightness(), wanted);
    }
    client.send(change("{\"Brightness\": 7}"));
    EXPECT_THAT(readAnswer(client), StartsWith("HTTP/1.1 422 "));
    client.send(change("{}", "", "POST", "/controls/reset"));
    EXPECT_THAT(readAnswer(client), StartsWith("HTTP/1.1 200 "));
    client.send(get("/healthz"));
    EXPECT_THAT(readAnswer(client), StartsWith("HTTP/1.1 200 "));
    client.send(change("{}", "Connection: close\r\n"));
    EXPECT_THAT(client.readAll(), HasSubstr("Connection: close\r\n"));
}

TEST_F(HttpServerControls, AChangeMayComeInPieces)
{
    RawClient client(served.httpPath());
    client.sendByteByByte(change("{\"Brightness\": 0.25}"));
    EXPECT_THAT(readAnswer(client), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(brightness(), 0.25);
    client.sendByteByByte(changeHead("Transfer-Encoding: chunked\r\n") +
                          "5\r\n{\"Bri\r\n0f;x=y\r\nghtness\": 0.5  \r\n1\r\n}\r\n0\r\n\r\n");
    EXPECT_THAT(readAnswer(client), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(brightness(), 0.5);
}

TEST_F(HttpServerControls, RequestsBehindAChangeAreAnsweredInTheirOrder)
{
    RawClient client(served.httpPath());
    client.send(change("{\"Brightness\": 0.25}") + get("/healthz") + change("{\"Brightness\": 0.5}") +
                get("/controls?format=text"));
    std::string body;
    EXPECT_THAT(readAnswer(client, &body), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(body, HasSubstr("0.25"));
    readAnswer(client, &body);
    EXPECT_EQ(body, "ok\n");
    readAnswer(client);
    readAnswer(client, &body);
    EXPECT_THAT(body, HasSubstr("Brightness\t0.5\t"));
}

TEST_F(HttpServerControls, ALargeBodyIsRefusedBeforeItIsRead)
{
    // What it says of its length is enough, however much that is.
    for (const char *length : {"4097", "1000000", "2000000", "99999999999"}) {
        const auto answer = answerTo(changeHead("Content-Length: " + std::string(length) + "\r\n"));
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 ")) << length;
        EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << length;
        EXPECT_THAT(answer, HasSubstr("{\n \"error\": ")) << length;
    }
    // Else what has come of it.
    const auto answer = answerTo(changeHead("Transfer-Encoding: chunked\r\n") + "1001\r\n" + std::string(4097, ' '));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
    EXPECT_TRUE(served.untilAlone());
    const std::string most = "{\"Brightness\": 0.5}";
    EXPECT_THAT(answerTo(change(most + std::string(4096 - most.size(), ' '), "Connection: close\r\n")),
                StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerControls, WhatIsNoBodyIsNoChange)
{
    // Without a length there is none.
    EXPECT_THAT(answerTo(changeHead("Connection: close\r\n")), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answerTo(changeHead("Content-Length: 0\r\nConnection: close\r\n")), StartsWith("HTTP/1.1 400 "));
    for (const char *bad :
         {"Content-Length: -1\r\n", "Content-Length: x\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n",
          "Content-Length: 99999999999999999999999\r\n", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"})
        EXPECT_THAT(answerTo(changeHead(bad) + "{}"), StartsWith("HTTP/1.1 400 ")) << bad;
    // A body that breaks off or is none ends the connection, and changes nothing.
    EXPECT_EQ(answerTo(changeHead("Transfer-Encoding: chunked\r\n") + "zz\r\n{\"Brightness\": 0.5}"), "");
    {
        RawClient client(served.httpPath());
        client.send(changeHead("Content-Length: 1000\r\n") + "{\"Brightness\": 0.5}");
    }
    EXPECT_TRUE(served.untilAlone());
    EXPECT_EQ(brightness(), -99.0);
}

TEST_F(HttpServerControls, ABodyForAnotherAddressIsNotRead)
{
    for (const char *target : {"/status", "/ticket", "/controlsx", "/"}) {
        const auto answer = answerTo(change("{}", "", "PATCH", target));
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << target;
        EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << target;
    }
    const auto answer = answerTo(change("{}", "", "DELETE"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD, PATCH\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answerTo(change("{\"Brightness\": 0.5}", "", "GET")), HasSubstr("Connection: close\r\n"));
    EXPECT_EQ(brightness(), -99.0);
    EXPECT_THAT(answerTo(getOnce("/controls/reset", "HEAD")), HasSubstr("Allow: POST\r\n"));
}

TEST_F(HttpServerControls, AreChangedByNobodyWithoutARole)
{
    std::string request = change("{\"Brightness\": 0.5}", "Connection: close\r\n");
    request.replace(request.find("operator"), 8, "viewer");
    EXPECT_THAT(answerTo(request), StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answerTo(change("{\"Brightness\": 0.5}", "Origin: https://friend.example\r\nConnection: close\r\n")),
                StartsWith("HTTP/1.1 403 "))
        << "those that may watch may not change";
    EXPECT_EQ(brightness(), -99.0);
}

TEST_F(HttpServerControls, ARefusalForManyChangesSaysWhenToTryAgain)
{
    RawClient client(served.httpPath());
    const auto deadline = std::chrono::steady_clock::now() + testing::kDeadline;
    std::string head;
    do {
        client.send(change("{}"));
        head = readAnswer(client);
    } while (head.starts_with("HTTP/1.1 200 ") && std::chrono::steady_clock::now() < deadline);
    EXPECT_THAT(head, StartsWith("HTTP/1.1 429 "));
    EXPECT_THAT(head, HasSubstr("Retry-After: 1\r\n"));
}

TEST_F(HttpServerControls, AnOldWorkerChangesNothing)
{
    EXPECT_THAT(answerTo("POST /access?generation=2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 200 "));
    for (const char *old : {"X-Picam-Access: 1\r\n", ""}) {
        const auto refusal = answerTo(change("{\"Brightness\": 0.5}", std::string(old) + "Connection: close\r\n"));
        EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
        EXPECT_THAT(refusal, HasSubstr("Retry-After: 1\r\n"));
        EXPECT_THAT(refusal, HasSubstr("Content-Type: application/json\r\n"));
        EXPECT_TRUE(nlohmann::json::parse(refusal.substr(refusal.find("\r\n\r\n") + 4)).contains("error"));
    }
    EXPECT_EQ(brightness(), -99.0);
    EXPECT_THAT(answerTo(change("{\"Brightness\": 0.5}", "X-Picam-Access: 2\r\nConnection: close\r\n")),
                StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerControls, StandInTheStatus)
{
    answerTo(change("{\"Brightness\": 0.5}", "Connection: close\r\n"));
    served.onLoop([this] { served.controls.camera.opened->in_force.generation = 1; });
    const auto status = answerTo(getOnce("/status"));
    const auto controls = nlohmann::json::parse(status.substr(status.find("\r\n\r\n") + 4))["controls"];
    EXPECT_EQ(controls["generation"], 1);
    EXPECT_EQ(controls["values"]["Brightness"], 0.5);
    served.onLoop([this] { served.controls.camera.opened->open = false; });
    const auto closed = answerTo(getOnce("/status"));
    EXPECT_EQ(nlohmann::json::parse(closed.substr(closed.find("\r\n\r\n") + 4))["controls"],
              nlohmann::json::parse(R"({"generation": 0, "values": {}})"));
}

} // namespace
} // namespace picam
