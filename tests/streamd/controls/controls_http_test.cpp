#include "streamd/controls/controls_http.h"

#include "tests/streamd/controls/served_controls.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace picam {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using testing::ServedControls;

class ControlsHttpTest : public ::testing::Test {
protected:
    // What a page of this site sends for an operator, when nothing has changed meanwhile.
    ControlsHttp::Request change(std::string_view body)
    {
        ControlsHttp::Request request;
        request.method = "PATCH";
        request.target = "/controls";
        request.user = "picam";
        request.role = "operator";
        request.origin = "https://pi.local";
        request.host = "pi.local";
        request.fetch_site = "same-origin";
        request.content_type = "application/json";
        request.if_match = "*";
        request.body = body;
        return request;
    }
    ControlsHttp::Request post(std::string_view target, std::string_view body = "{}")
    {
        auto request = change(body);
        request.method = "POST";
        request.target = target;
        request.if_match = "";
        return request;
    }
    ControlsHttp::Answer answer(const ControlsHttp::Request &request)
    {
        now += 1s; // nobody is too fast
        auto given = served.http->answer(request, now);
        if (given.status >= 400) {
            // All refusals are JSON.
            EXPECT_EQ(given.type, "application/json");
            EXPECT_FALSE(json::parse(given.body).at("error").get<std::string>().empty());
            EXPECT_EQ(given.etag, "");
        }
        return given;
    }
    unsigned status(const ControlsHttp::Request &request) { return answer(request).status; }
    json document()
    {
        ControlsHttp::Request request;
        request.method = "GET";
        request.target = "/controls";
        return json::parse(answer(request).body);
    }
    std::uint32_t generation() { return served.wanted->view().generation; }

    ServedControls served;
    ControlsHttp::Clock::time_point now{1h};
};

TEST_F(ControlsHttpTest, KnowsItsPaths)
{
    for (const char *path : {"/controls", "/controls/focus", "/controls/reset"})
        EXPECT_TRUE(ControlsHttp::isFor(path)) << path;
    for (const char *path :
         {"", "/", "/controls/", "/control", "/controls/focus/", "/controls/other", "controls", "/status"})
        EXPECT_FALSE(ControlsHttp::isFor(path)) << path;
    EXPECT_TRUE(ControlsHttp::takesBody("PATCH", "/controls"));
    EXPECT_TRUE(ControlsHttp::takesBody("POST", "/controls/reset"));
    for (const char *method : {"GET", "HEAD", "POST", "PUT", "patch", ""})
        EXPECT_FALSE(ControlsHttp::takesBody(method, "/controls")) << method;
    EXPECT_FALSE(ControlsHttp::takesBody("PATCH", "/controls/focus"));
    EXPECT_FALSE(ControlsHttp::takesBody("POST", "/status"));
}

TEST_F(ControlsHttpTest, WhoLooksGetsTheDocument)
{
    served.open();
    for (const char *method : {"GET", "HEAD"}) {
        ControlsHttp::Request request;
        request.method = method;
        request.target = "/controls";
        const auto given = answer(request);
        EXPECT_EQ(given.status, 200U);
        EXPECT_EQ(given.type, "application/json");
        EXPECT_EQ(given.etag, served.wanted->etag());
        EXPECT_EQ(json::parse(given.body).at("may_change"), false);
    }
    EXPECT_EQ(served.camera.refreshed, 2) << "the next one says what the camera has by then";
    EXPECT_TRUE(served.http->view().camera);
    EXPECT_EQ(served.camera.refreshed, 2) << "/status asks for nothing";
}

TEST_F(ControlsHttpTest, TheDocumentTellsWhoMayChange)
{
    const std::vector<std::tuple<const char *, const char *, bool>> all{
        {"picam", "operator", true}, {"picam", "viewer", false},   {"picam", "", false},
        {"", "operator", false},     {"picam", "Operator", false}, {"anyone", "operator", true}};
    for (const auto &[user, role, may] : all) {
        ControlsHttp::Request request;
        request.method = "GET";
        request.target = "/controls";
        request.user = user;
        request.role = role;
        const auto told = json::parse(answer(request).body);
        EXPECT_EQ(told.at("may_change"), may) << user << " " << role;
        EXPECT_EQ(told.at("user"), user);
        auto wish = change("{}");
        wish.user = user;
        wish.role = role;
        EXPECT_EQ(status(wish), may ? 200U : 403U) << user << " " << role;
    }
}

TEST_F(ControlsHttpTest, TheTextIsForProgramsWithoutJson)
{
    served.open();
    ControlsHttp::Request request;
    request.method = "GET";
    request.target = "/controls?x=1&format=text";
    const auto given = answer(request);
    EXPECT_EQ(given.type, "text/plain; charset=utf-8");
    EXPECT_THAT(given.body, HasSubstr("Brightness\t0\t-1 to 1\t\t\n"));
    EXPECT_EQ(given.etag, served.wanted->etag());
    auto wish = change(R"({"Brightness": 0.5})");
    wish.target = "/controls?format=text";
    EXPECT_THAT(answer(wish).body, HasSubstr("Brightness\t0.5\t-1 to 1\t\t\n"));
}

TEST_F(ControlsHttpTest, AChangeAnswersWithTheDocument)
{
    served.open();
    const std::string before = served.wanted->etag();
    const auto given = answer(change(R"({"Brightness": 0.2, "ExposureTimeMode": "Manual", "ColourGains": [1, 2.5]})"));
    EXPECT_EQ(given.status, 200U);
    EXPECT_NE(given.etag, before);
    EXPECT_EQ(given.etag, served.wanted->etag());
    const auto told = json::parse(given.body);
    EXPECT_EQ(told["controls"]["Brightness"]["wanted"], 0.2);
    EXPECT_EQ(told["controls"]["Brightness"]["set"], true);
    EXPECT_EQ(told["controls"]["ColourGains"]["wanted"], json::parse("[1.0, 2.5]"));
    EXPECT_EQ(told["may_change"], true);
    EXPECT_EQ(answer(change(R"({"Brightness": null})")).status, 200U);
    EXPECT_EQ(document()["controls"]["Brightness"]["set"], false);
    // Nothing to do is no error, and nothing new.
    const auto same = answer(change("{}"));
    EXPECT_EQ(same.status, 200U);
    EXPECT_EQ(json::parse(same.body)["generation"], generation());
}

TEST_F(ControlsHttpTest, OtherMethodsAreTold)
{
    for (const char *method : {"POST", "PUT", "DELETE", "OPTIONS", "patch", "get", ""}) {
        auto request = change("{}");
        request.method = method;
        const auto given = answer(request);
        EXPECT_EQ(given.status, 405U) << method;
        EXPECT_EQ(given.allow, "GET, HEAD, PATCH") << method;
    }
    for (const char *path : {"/controls/focus", "/controls/reset"})
        for (const char *method : {"GET", "HEAD", "PATCH"}) {
            auto request = change("{}");
            request.target = path;
            request.method = method;
            const auto given = answer(request);
            EXPECT_EQ(given.status, 405U) << method;
            EXPECT_EQ(given.allow, "POST") << method;
        }
}

TEST_F(ControlsHttpTest, APageOfAnotherSiteMayNotChange)
{
    served.open();
    const auto from = [this](const char *origin, const char *host, const char *fetch_site) {
        auto request = change(R"({"Brightness": 0.5})");
        request.origin = origin;
        request.host = host;
        request.fetch_site = fetch_site;
        return status(request);
    };
    EXPECT_EQ(from("https://evil.example", "pi.local", ""), 403U);
    EXPECT_EQ(from("https://evil.example", "pi.local", "cross-site"), 403U);
    EXPECT_EQ(from("https://pi.local.evil.example", "pi.local", ""), 403U);
    EXPECT_EQ(from("https://pi.local:8443", "pi.local", "same-origin"), 403U);
    EXPECT_EQ(from("null", "pi.local", ""), 403U) << "a sandboxed frame";
    EXPECT_EQ(from("file://", "", ""), 403U);
    EXPECT_EQ(from("https://", "", ""), 403U) << "no host is like no other";
    EXPECT_EQ(from("https://pi.local", "pi.local", "cross-site"), 403U);
    EXPECT_EQ(from("", "pi.local", "same-site"), 403U);
    EXPECT_EQ(from("", "pi.local", "Same-Origin, none"), 403U);
    EXPECT_EQ(generation(), 0U);
    EXPECT_EQ(from("https://pi.local:443", "pi.local", "same-origin"), 200U);
    EXPECT_EQ(from("http://PI.local", "pi.local:80", "same-origin"), 200U);
    EXPECT_EQ(from("", "pi.local", "none"), 200U);
    EXPECT_EQ(from("", "", ""), 200U) << "a program's";
}

TEST_F(ControlsHttpTest, AChangeIsJson)
{
    const auto as = [this](const char *type) {
        auto request = change("{}");
        request.content_type = type;
        return status(request);
    };
    for (const char *good : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                             "application/json;charset=utf-8", "application/merge-patch+json"})
        EXPECT_EQ(as(good), 200U) << good;
    // What a form of another site can send without asking first.
    for (const char *bad :
         {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain; application/json",
          "application/jsonp", "application/json+x", ";application/json"})
        EXPECT_EQ(as(bad), 415U) << bad;
}

TEST_F(ControlsHttpTest, AChangeSaysWhichStateItIsFor)
{
    served.open();
    const auto with = [this](std::string_view tags) {
        auto request = change("{}");
        request.if_match = tags;
        return status(request);
    };
    const std::string etag = served.wanted->etag();
    EXPECT_EQ(with(""), 428U);
    for (const std::string &good :
         {etag, std::string("*"), "\"1-2\", " + etag, etag + ",\"1-2\"", " " + etag + "  ", std::string("\"a\",*")})
        EXPECT_EQ(with(good), 200U) << good;
    for (const std::string &bad :
         {std::string("\"1-2\""), "W/" + etag, etag.substr(1, etag.size() - 2), etag + "x", std::string(","),
          std::string(" "), std::string(",,,"), std::string("\"*\""), std::string("**")})
        EXPECT_EQ(with(bad), 412U) << bad;

    auto first = change(R"({"Brightness": 0.5})");
    auto second = change(R"({"Brightness": 0.6})");
    first.if_match = second.if_match = etag;
    EXPECT_EQ(status(first), 200U);
    EXPECT_EQ(status(second), 412U) << "who was later would undo what was not seen";
    EXPECT_EQ(document()["controls"]["Brightness"]["wanted"], 0.5);
}

TEST_F(ControlsHttpTest, WhatIsNoChangeIsRefused)
{
    served.open();
    for (const char *bad : {"", " ", "null", "3", "\"Brightness\"", "[]", "[{\"Brightness\":1}]", "{", "{}x",
                            "{\"Brightness\":}", "{\"Brightness\":0.5,}", "{'Brightness':0.5}", "{\"Brightness\":NaN}",
                            "{\"Brightness\":1e999}", "{\"Brightness\":\"\xff\"}", "\xef\xbb\xbf"})
        EXPECT_EQ(status(change(bad)), 400U) << bad;
    EXPECT_EQ(status(change(std::string(4096, '['))), 400U);
    EXPECT_EQ(generation(), 0U);
}

// What fits no control of any camera: the name of it, the value where it is a plain one, and what is allowed.
TEST_F(ControlsHttpTest, WhatFitsNoControlIsRefusedByName)
{
    struct Case {
        const char *body;
        const char *refusal;
    };
    const std::vector<Case> all{
        {R"({"Contrast": 2, "Brightness": {}})",
         R"({"error": "Brightness is -1 to 1", "name": "Brightness", "allowed": "-1 to 1"})"},
        {R"({"Brightness": [[0.5]]})",
         R"({"error": "Brightness is -1 to 1", "name": "Brightness", "allowed": "-1 to 1"})"},
        {R"({"Brightness": 18446744073709551615})",
         R"({"error": "Brightness is -1 to 1", "name": "Brightness", "value": 18446744073709551615, "allowed": "-1 to 1"})"},
        {R"({"a b": 1})", R"({"error": "the camera has no control a b", "name": "a b", "value": 1})"},
        {R"({"Nothing": {}})", R"({"error": "the camera has no control Nothing", "name": "Nothing"})"},
        {R"({"preset": 3})",
         R"({"error": "preset is the name of a preset", "name": "preset", "value": 3, "allowed": "the name of a preset"})"},
        {R"({"presets": {"night": 3}})",
         R"({"error": "a preset is an object of controls and their values", "name": "night", "value": 3,
             "allowed": "an object"})"},
        {R"({"presets": {"night": {"Brightness": null}}})",
         R"({"error": "Brightness is -1 to 1", "name": "Brightness", "value": null, "allowed": "-1 to 1"})"}};
    served.open();
    for (const auto &each : all) {
        const auto given = answer(change(each.body));
        EXPECT_EQ(given.status, 422U) << each.body;
        EXPECT_EQ(json::parse(given.body), json::parse(each.refusal)) << each.body;
    }
    std::vector<std::string> more{
        R"({"AwbMode": "a\nb"})", R"({"AwbMode": "\u0000"})",         R"({"AwbMode": "Glühlampe"})", R"({"": 1})",
        R"({"a\u0000": 1})",      R"({"presets": {"a": {"b": {}}}})", R"({"Brightness": ["x"]})"};
    more.push_back("{\"" + std::string(65, 'n') + "\":1}");
    more.push_back("{\"AwbMode\":\"" + std::string(65, 'n') + "\"}");
    more.push_back("{\"Brightness\":" + std::string(2000, '[') + std::string(2000, ']') + "}");
    std::string preset;
    for (int i = 0; i < 200; ++i)
        preset += fmt::format("{}\"Name{}\":1", i == 0 ? "" : ",", i);
    more.push_back("{\"presets\":{\"night\":{" + preset + "}}}");
    for (const std::string &bad : more) {
        const auto given = answer(change(bad));
        EXPECT_EQ(given.status, 422U) << bad;
        EXPECT_TRUE(json::parse(given.body).contains("name")) << bad;
    }
    EXPECT_EQ(generation(), 0U) << "all or nothing";
}

TEST_F(ControlsHttpTest, WhatFitsNoControlIsRefusedWithoutACameraToo)
{
    const auto given = answer(change(R"({"Brightness": {}})"));
    EXPECT_EQ(given.status, 422U);
    EXPECT_EQ(json::parse(given.body),
              json::parse(R"({"error": "no control Brightness takes this", "name": "Brightness"})"));
    EXPECT_EQ(generation(), 0U);
}

TEST_F(ControlsHttpTest, TheSpecialMembersAreNoControls)
{
    const std::vector<const char *> all{R"({"preset": 3})",   R"({"preset": null})",  R"({"preset": ["night"]})",
                                        R"({"presets": 3})",  R"({"presets": null})", R"({"presets": "night"})",
                                        R"({"presets": []})", R"({"preset": true})"};
    // Of a camera that is not known yet every name may be a control's.
    for (const bool opened : {false, true}) {
        if (opened)
            served.open();
        for (const char *body : all)
            EXPECT_EQ(status(change(body)), 422U) << body;
        EXPECT_EQ(generation(), 0U);
    }
}

TEST_F(ControlsHttpTest, AChangeIsSmall)
{
    served.open();
    const std::string good = R"({"Brightness": 0.5})";
    EXPECT_EQ(status(change(good + std::string(ControlsHttp::kMaxBody - good.size(), ' '))), 200U);
    EXPECT_EQ(status(change(good + std::string(ControlsHttp::kMaxBody - good.size() + 1, ' '))), 413U);
    EXPECT_EQ(status(post("/controls/reset", std::string(5000, ' '))), 413U);
}

TEST_F(ControlsHttpTest, ARefusalNamesWhatIsWrong)
{
    served.open();
    const auto given = answer(change(R"({"Contrast": 2, "Brightness": 7})"));
    EXPECT_EQ(given.status, 422U);
    EXPECT_EQ(
        json::parse(given.body),
        json::parse(R"({"error": "Brightness is -1 to 1", "name": "Brightness", "value": 7, "allowed": "-1 to 1"})"));
    for (const char *bad :
         {R"({"Nothing": 1})", R"({"Nothing": null})", R"({"Brightness": true})", R"({"Brightness": "0.5"})",
          R"({"AwbMode": "Moonlight"})", R"({"AwbMode": 3})", R"({"AwbEnable": 1})", R"({"ExposureTime": 5000.5})",
          R"({"ExposureTime": 5e300})", R"({"ColourGains": 2})", R"({"ColourGains": []})", R"({"ColourGains": [1]})",
          R"({"ColourGains": [1, 2, 3]})", R"({"ColourGains": [1, 99]})", R"({"preset": "none"})",
          R"({"presets": {"": {}}})", R"({"presets": {"a\tb": {}}})", R"({"presets": {"a": {"Nothing": 1}}})",
          R"({"presets": {"a": {"Brightness": 7}}})"})
        EXPECT_EQ(status(change(bad)), 422U) << bad;
    EXPECT_EQ(generation(), 0U) << "all or nothing";
}

TEST_F(ControlsHttpTest, TheLastOfOneNameCounts)
{
    served.open();
    EXPECT_EQ(status(change(R"({"Brightness": 0.1, "Brightness": 0.2})")), 200U);
    EXPECT_EQ(document()["controls"]["Brightness"]["wanted"], 0.2);
}

TEST_F(ControlsHttpTest, TooManyChangesAreRefusedUntilTimeHasPassed)
{
    served.open();
    const auto ask = [this](const ControlsHttp::Request &request) { return served.http->answer(request, now); };
    const auto wish = change("{}");
    for (int i = 0; i < static_cast<int>(ControlsHttp::kMaxBurst); ++i)
        EXPECT_EQ(ask(wish).status, 200U) << i;
    const auto refused = ask(wish);
    EXPECT_EQ(refused.status, 429U);
    EXPECT_EQ(refused.retry_after, 1U);
    EXPECT_TRUE(json::parse(refused.body).contains("error"));
    // Who looks is not held up, and who may not change takes nobody's turn.
    auto look = wish;
    look.method = "GET";
    EXPECT_EQ(ask(look).status, 200U);
    now += 200ms;
    auto viewer = wish;
    viewer.role = "viewer";
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(ask(viewer).status, 403U);
    EXPECT_EQ(ask(wish).status, 200U);
    EXPECT_EQ(ask(wish).status, 429U);
    now += 1s;
    for (int i = 0; i < static_cast<int>(ControlsHttp::kChangesPerSecond); ++i)
        EXPECT_EQ(ask(wish).status, 200U) << i;
    EXPECT_EQ(ask(wish).status, 429U);
    now += 10h; // does not add up
    for (int i = 0; i < static_cast<int>(ControlsHttp::kMaxBurst); ++i)
        EXPECT_EQ(ask(post("/controls/reset")).status, 200U) << i;
    EXPECT_EQ(ask(post("/controls/focus")).status, 429U) << "all of them share the turns";
}

TEST_F(ControlsHttpTest, FocusesOnDemand)
{
    EXPECT_EQ(status(post("/controls/focus")), 409U) << "there is no camera yet";
    EXPECT_TRUE(served.wanted->view().set.values.empty());
    served.open();
    const auto given = answer(post("/controls/focus"));
    EXPECT_EQ(given.status, 200U);
    EXPECT_EQ(json::parse(given.body)["controls"]["AfMode"]["wanted"], "Auto");
    EXPECT_EQ(served.wanted->view().set.focus, 1U);
    EXPECT_EQ(status(post("/controls/focus", R"({"x": 0.3, "y": 1})")), 200U);
    EXPECT_EQ(served.wanted->view().set.focus, 2U) << "once more, though nothing else is new";
    for (const char *bad : {R"({"x": 0.3})", R"({"y": 0.3})", R"({"x": -0.1, "y": 0})", R"({"x": 0, "y": 1.1})",
                            R"({"x": "0.3", "y": 0.3})", R"({"x": null, "y": null})", R"({"x": [0], "y": {}})"})
        EXPECT_EQ(status(post("/controls/focus", bad)), 422U) << bad;
    EXPECT_EQ(
        json::parse(answer(post("/controls/focus", R"({"x": 0.3, "y": 1.1})")).body),
        json::parse(R"({"error": "x and y are numbers from 0 to 1", "name": "y", "value": 1.1, "allowed": "0 to 1"})"));
    for (const char *bad : {"", "[]", "3", "null", "{"})
        EXPECT_EQ(status(post("/controls/focus", bad)), 400U) << bad;
    EXPECT_EQ(served.wanted->view().set.focus, 2U);
}

TEST_F(ControlsHttpTest, ResetsAllButPresets)
{
    served.open();
    ASSERT_EQ(status(change(R"({"Brightness": 0.5, "presets": {"night": {"Contrast": 2}}})")), 200U);
    for (const char *bad : {"", "[]", "3", "null", "true", "{", "\"{}\""})
        EXPECT_EQ(status(post("/controls/reset", bad)), 400U) << bad;
    EXPECT_EQ(document()["controls"]["Brightness"]["set"], true);
    const auto given = answer(post("/controls/reset"));
    EXPECT_EQ(given.status, 200U);
    const auto told = json::parse(given.body);
    EXPECT_EQ(told["controls"]["Brightness"]["set"], false);
    EXPECT_EQ(told["presets"], json::parse(R"({"night": {"Contrast": 2.0}})"));
}

TEST_F(ControlsHttpTest, AStateThatCannotBeWrittenIsOurFault)
{
    served.open();
    std::filesystem::create_directory(served.settings.path(".controls.new"));
    const auto given = answer(change(R"({"Brightness": 0.5})"));
    EXPECT_EQ(given.status, 503U);
    EXPECT_EQ(generation(), 0U);
    std::filesystem::remove(served.settings.path(".controls.new"));
    EXPECT_EQ(status(change(R"({"Brightness": 0.5})")), 200U);
}

} // namespace
} // namespace picam
