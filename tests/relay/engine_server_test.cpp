#include "relay/engine_server.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

TEST(EngineServers, NameWhatTheirCertificatesHaveTo)
{
    const auto servers = engineServers(
        {"tls://a.example.org:4222", "tls://b.example.org", "nats://127.0.0.1:14222", "tls://[::1]:4222"});
    ASSERT_TRUE(servers) << servers.error().message;
    EXPECT_EQ(servers->at(0).host, "a.example.org");
    EXPECT_TRUE(servers->at(0).tls);
    EXPECT_EQ(servers->at(1).host, "b.example.org");
    EXPECT_EQ(servers->at(2).host, "127.0.0.1");
    EXPECT_FALSE(servers->at(2).tls);
    EXPECT_EQ(servers->at(3).host, "[::1]");
}

TEST(EngineServers, WithAPasswordOrAPathAreNone)
{
    for (const std::string url : {"", "a.example.org:4222", "https://a.example.org", "tls://", "tls://user:pw@a:4222",
                                  "tls://a/b", "tls://:4222"})
        EXPECT_FALSE(engineServers({url})) << url;
    EXPECT_FALSE(engineServers({})) << "none";
}

} // namespace
} // namespace picam
