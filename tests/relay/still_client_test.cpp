#include "relay/still_client.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

std::string record(int type, const std::string &content, std::size_t padding = 0)
{
    std::string bytes{'\1',
                      static_cast<char>(type),
                      '\0',
                      '\1',
                      static_cast<char>(content.size() >> 8U),
                      static_cast<char>(content.size() & 0xffU),
                      static_cast<char>(padding),
                      '\0'};
    return bytes + content + std::string(padding, 'x');
}

Expected<bool> add(FcgiResponse &response, const std::string &bytes)
{
    return response.add(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
}

const std::string kHead = "Status: 200 OK\r\nContent-Type: image/jpeg\r\nX-Picam-Captured: "
                          "2026-11-26T22:14:25.151Z\r\nX-Picam-Age-Ms: 17\r\n\r\n";

TEST(FcgiResponse, IsReadHoweverItIsCut)
{
    const std::string whole = record(6, kHead + "JP", 5) + record(7, "a word of the worker's") + record(6, "EG") +
                              record(6, "") + record(3, std::string(8, '\0'));
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        FcgiResponse response;
        EXPECT_FALSE(*add(response, whole.substr(0, cut))) << cut;
        ASSERT_TRUE(*add(response, whole.substr(cut))) << cut;
        const auto picture = response.picture();
        ASSERT_TRUE(picture) << picture.error().message;
        EXPECT_EQ(std::string(picture->jpeg.begin(), picture->jpeg.end()), "JPEG");
        EXPECT_EQ(picture->captured_wall, 1795731265151ms);
    }
}

TEST(FcgiResponse, ARefusalIsTheWorkersOwn)
{
    FcgiResponse response;
    ASSERT_TRUE(*add(response, record(6, "Status: 503 Service Unavailable\r\nRetry-After: 2\r\n\r\nNo picture: the "
                                         "camera is busy.\n") +
                                   record(3, std::string(8, '\0'))));
    const auto picture = response.picture();
    ASSERT_FALSE(picture);
    EXPECT_EQ(picture.error().message, "No picture: the camera is busy");
}

TEST(FcgiResponse, WhatIsNoneIsSaid)
{
    FcgiResponse other;
    EXPECT_FALSE(add(other, "HTTP/1.1 200 OK\r\n"));
    FcgiResponse empty;
    ASSERT_TRUE(*add(empty, record(3, std::string(8, '\0'))));
    EXPECT_FALSE(empty.picture());
    FcgiResponse endless;
    const std::string piece = record(6, std::string(65'535, 'x'));
    Expected<bool> added = false;
    for (int i = 0; added && i < 1000; ++i)
        added = add(endless, piece);
    EXPECT_FALSE(added) << "it is not kept without an end";
}

TEST(FcgiResponse, AnAnswerWithoutATimeHasNone)
{
    FcgiResponse response;
    ASSERT_TRUE(*add(response, record(6, "Status: 200 OK\r\nX-Picam-Captured: yesterday\r\n\r\nJPEG") +
                                   record(3, std::string(8, '\0'))));
    EXPECT_EQ(response.picture()->captured_wall, 0ms);
}

} // namespace
} // namespace picam
