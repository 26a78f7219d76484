#include "streamd/web/http_request.h"

#include "streamd/web/base64.h"

#include <gtest/gtest.h>

namespace picam::http {
namespace {

TEST(HttpRequest, SplitsTheTarget)
{
    EXPECT_EQ(path("/a/b?c=d"), "/a/b");
    EXPECT_EQ(path("/"), "/");
    EXPECT_EQ(path("?x"), "");
    EXPECT_EQ(queryValue("/?a=1&b=2", "b"), "2");
    EXPECT_EQ(queryValue("/?a=1&a=2", "a"), "1");
    EXPECT_EQ(queryValue("/?action", "action"), "");
    EXPECT_EQ(queryValue("/?a=b=c", "a"), "b=c");
    EXPECT_EQ(queryValue("/?&&a=1", "a"), "1");
    EXPECT_EQ(queryValue("/?xa=1", "a"), std::nullopt);
    EXPECT_EQ(queryValue("/a=1", "a"), std::nullopt);
    EXPECT_EQ(queryValue("/?", "a"), std::nullopt);
}

TEST(HttpRequest, ReadsTheRate)
{
    EXPECT_EQ(queryFps("/"), 0.0);
    EXPECT_EQ(queryFps("/?fps=0"), 0.0);
    EXPECT_EQ(queryFps("/?fps=2.5"), 2.5);
    for (const char *bad : {"", "-1", "x", "1x", "nan", "inf", "0x10", "1e3", "0.001", "1.2.3", ".", "+1"})
        EXPECT_EQ(queryFps(std::string("/?fps=") + bad), std::nullopt) << bad;
    EXPECT_EQ(queryFps("/?fps=" + std::string(400, '9')), std::nullopt) << "more than a double holds";
}

struct OriginCase {
    const char *origin;
    const char *host;
    bool allowed;
};
class Origin : public ::testing::TestWithParam<OriginCase> {};

TEST_P(Origin, IsJudged)
{
    const auto &c = GetParam();
    EXPECT_EQ(originAllowed(c.origin, c.host, {"https://friend.example"}), c.allowed) << c.origin << " at " << c.host;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Origin,
    ::testing::Values(
        OriginCase{"", "pi.local", true}, OriginCase{"http://pi.local", "pi.local", true},
        OriginCase{"https://pi.local", "pi.local", true}, OriginCase{"http://PI.local", "pi.LOCAL", true},
        OriginCase{"http://pi.local:8080", "pi.local:8080", true}, OriginCase{"http://pi.local", "pi.local:80", true},
        OriginCase{"https://pi.local", "pi.local:443", true}, OriginCase{"http://[::1]:8080", "[::1]:8080", true},
        OriginCase{"https://friend.example", "pi.local", true}, OriginCase{"HTTPS://Friend.example", "pi.local", true},
        OriginCase{"http://friend.example", "pi.local", false},
        OriginCase{"https://friend.example:444", "pi.local", false},
        OriginCase{"http://evil.example", "pi.local", false},
        OriginCase{"http://pi.local.evil.example", "pi.local", false},
        OriginCase{"http://pi.local:8081", "pi.local:8080", false},
        OriginCase{"http://pi.local", "pi.local:8080", false}, OriginCase{"https://pi.local", "pi.local:80", false},
        OriginCase{"null", "pi.local", false}, OriginCase{"file://", "", false}, OriginCase{"http://", "", false},
        OriginCase{"pi.local", "pi.local", false},
        OriginCase{"http://pi.local, http://evil.example", "pi.local", false},
        OriginCase{"http://pi.local/", "pi.local", false}));

TEST(Base64, FollowsTheStandardsTable)
{
    const auto encode = [](std::string_view text) {
        return base64(reinterpret_cast<const std::uint8_t *>(text.data()), text.size());
    };
    EXPECT_EQ(encode(""), "");
    EXPECT_EQ(encode("f"), "Zg==");
    EXPECT_EQ(encode("fo"), "Zm8=");
    EXPECT_EQ(encode("foo"), "Zm9v");
    EXPECT_EQ(encode("foob"), "Zm9vYg==");
    EXPECT_EQ(encode("fooba"), "Zm9vYmE=");
    EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(encode("\xff\xfe\xfd"), "//79");
    EXPECT_EQ(encode("\xfb\xef\xbe"), "++++");
}

} // namespace
} // namespace picam::http
