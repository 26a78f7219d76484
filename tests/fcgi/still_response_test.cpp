#include "fcgi/still_response.h"

#include <algorithm>
#include <ctime>
#include <gtest/gtest.h>
#include <locale>

namespace picam {
namespace {

using namespace std::chrono_literals;

Still someStill()
{
    auto picture = std::make_shared<Picture>();
    picture->bytes = {0xff, 0xd8, 0xff, 0xd9};
    picture->size = {640, 480};
    picture->sequence = 0x1234;
    picture->captured = MonotonicTime(1000s);
    picture->captured_wall = WallTime(1700000000123ms);
    return {picture, StillOrigin::kStream};
}

const std::vector<std::string> kFriends{"https://friend.example"};

StillResponse respondTo(std::string_view method, std::string_view if_none_match = {})
{
    return respond({method, if_none_match, {}}, someStill(), nullptr, "pi", {}, MonotonicTime(1000s + 40ms));
}

bool has(const StillResponse &response, const std::string &line)
{
    return response.head.find(line + "\r\n") != std::string::npos;
}

TEST(StillResponse, SaysAllAboutThePicture)
{
    const auto response = respondTo("GET");
    EXPECT_TRUE(has(response, "Status: 200 OK"));
    EXPECT_TRUE(has(response, "Content-Type: image/jpeg"));
    EXPECT_TRUE(has(response, "Content-Length: 4"));
    EXPECT_TRUE(has(response, "ETag: \"1234-18bcfe5687b-4\"")) << response.head;
    EXPECT_TRUE(has(response, "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT"));
    EXPECT_TRUE(has(response, "Cache-Control: no-cache"));
    EXPECT_TRUE(has(response, "X-Picam-Sequence: 4660"));
    EXPECT_TRUE(has(response, "X-Picam-Captured: 2023-11-14T22:13:20.123Z"));
    EXPECT_TRUE(has(response, "X-Picam-Age-Ms: 40"));
    EXPECT_TRUE(has(response, "X-Picam-Source: stream"));
    EXPECT_TRUE(has(response, "Content-Disposition: inline; filename=\"pi-20231114-221320.jpg\""));
    EXPECT_EQ(response.head.substr(response.head.size() - 4), "\r\n\r\n");
    ASSERT_TRUE(response.picture);
}

// A locale whose names of days and months are others.
class ForeignNames : public std::time_put<char> {
protected:
    iter_type do_put(iter_type out, std::ios_base & /*stream*/, char /*fill*/, const std::tm * /*time*/,
                     char /*format*/, char /*modifier*/) const override
    {
        return std::fill_n(out, 1, '?');
    }
};

TEST(StillResponse, ItsDatesDoNotFollowTheLocale)
{
    const std::locale before = std::locale::global(std::locale(std::locale::classic(), new ForeignNames));
    const auto response = respondTo("GET");
    std::locale::global(before);
    EXPECT_TRUE(has(response, "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT")) << response.head;
    EXPECT_TRUE(has(response, "X-Picam-Captured: 2023-11-14T22:13:20.123Z")) << response.head;
}

TEST(StillResponse, HeadHasNoBody)
{
    const auto response = respondTo("HEAD");
    EXPECT_TRUE(has(response, "Content-Length: 4"));
    EXPECT_FALSE(response.picture);
}

TEST(StillResponse, ExifGoesIntoThePicture)
{
    const Expected<Still> still = someStill();
    ExifCache exifs;
    const auto exif = exifs.of(still->picture);
    ASSERT_TRUE(exif);
    EXPECT_EQ(exifs.of(still->picture), exif); // made once
    EXPECT_NE(exifs.of(someStill().picture), exif);
    const auto with = respond({"GET", {}, {}}, still, exif, "pi", {}, MonotonicTime(1000s));
    EXPECT_EQ(with.exif, exif);
    EXPECT_TRUE(has(with, "Content-Length: " + std::to_string(4 + exif->segment.size())));
    EXPECT_TRUE(has(with, "ETag: \"1234-18bcfe5687b-4e\"")) << with.head;
    const auto head = respond({"HEAD", {}, {}}, still, exif, "pi", {}, MonotonicTime(1000s));
    EXPECT_EQ(head.head, with.head);
    EXPECT_FALSE(head.exif);
}

TEST(StillResponse, UnchangedIs304)
{
    for (const char *list :
         {"\"1234-18bcfe5687b-4\"", "W/\"1234-18bcfe5687b-4\"", "\"x\" , \"1234-18bcfe5687b-4\"", "*"}) {
        const auto response = respondTo("GET", list);
        EXPECT_TRUE(has(response, "Status: 304 Not Modified")) << list;
        EXPECT_FALSE(response.picture);
        EXPECT_EQ(response.head.find("Content-Length"), std::string::npos);
    }
    for (const char *list : {"\"1234\"", "1234-18bcfe5687b-4", ",,,", "\"1234-18bcfe5687b-4"})
        EXPECT_TRUE(has(respondTo("GET", list), "Status: 200 OK")) << list;
}

TEST(StillResponse, OtherMethodsAreRefused)
{
    for (const char *method : {"POST", "PUT", "DELETE", "", "get"}) {
        const auto response = respondTo(method);
        EXPECT_TRUE(has(response, "Status: 405 Method Not Allowed")) << method;
        EXPECT_TRUE(has(response, "Allow: GET, HEAD"));
        EXPECT_FALSE(response.picture);
        EXPECT_FALSE(wantsPicture({method, {}, {}}));
    }
}

TEST(StillResponse, WithoutAPictureItSaysWhy)
{
    const auto response =
        respond({"GET", {}, {}}, fail(ErrorKind::kNoCamera, "there is no camera"), nullptr, "pi", {}, {});
    EXPECT_TRUE(has(response, "Status: 503 Service Unavailable"));
    EXPECT_TRUE(has(response, "Retry-After: 2"));
    EXPECT_EQ(response.text, "No picture: there is no camera.\n");
    EXPECT_TRUE(has(response, "Content-Length: " + std::to_string(response.text.size())));
}

TEST(StillResponse, PagesOfOtherSitesMayReadWhatTheyAreListedFor)
{
    const Expected<Still> still = someStill();
    const Expected<Still> none = fail(ErrorKind::kNoCamera, "there is no camera");
    const auto to = [](std::string_view method, std::string_view tag, std::string_view origin,
                       const Expected<Still> &what) {
        return respond({method, tag, origin}, what, nullptr, "pi", kFriends, MonotonicTime(1000s));
    };
    // Whatever the answer is.
    for (const auto &answer :
         {to("GET", {}, "https://Friend.example", still), to("HEAD", {}, "https://Friend.example", still),
          to("GET", "*", "https://Friend.example", still), to("GET", {}, "https://Friend.example", none),
          to("POST", {}, "https://Friend.example", still)}) {
        EXPECT_TRUE(has(answer, "Access-Control-Allow-Origin: https://Friend.example")) << answer.head;
        EXPECT_TRUE(has(answer, "Access-Control-Allow-Credentials: true")) << answer.head;
        EXPECT_TRUE(has(answer, "Vary: Origin")) << answer.head;
        EXPECT_EQ(answer.head.substr(answer.head.size() - 4), "\r\n\r\n");
    }
    for (const char *origin : {"", "null", "https://evil.example", "http://friend.example"}) {
        const auto answer = to("GET", {}, origin, still);
        EXPECT_EQ(answer.head.find("Access-Control"), std::string::npos) << answer.head;
        EXPECT_TRUE(has(answer, "Vary: Origin")) << origin;
    }
    EXPECT_FALSE(has(respondTo("GET"), "Vary: Origin"));
}

} // namespace
} // namespace picam
