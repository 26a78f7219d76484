#include "relay/engine_server.h"

#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace picam {

Expected<std::vector<EngineServer>> engineServers(const std::vector<std::string> &urls)
{
    std::vector<EngineServer> servers;
    for (const auto &url : urls) {
        const bool tls = url.rfind("tls://", 0) == 0;
        const std::size_t begin = url.find("://");
        std::string host = begin == std::string::npos ? std::string() : url.substr(begin + 3);
        if (const std::size_t colon = host.rfind(':'); colon != std::string::npos && host.back() != ']')
            host.resize(colon);
        if ((!tls && url.rfind("nats://", 0) != 0) || host.empty() || host.find_first_of("/@ ") != std::string::npos)
            return fail(ErrorKind::kSetting,
                        fmt::format("relay.servers: {} is no server like tls://engine.example.org:4222", url));
        servers.push_back({url, std::move(host), tls});
    }
    if (servers.empty())
        return fail(ErrorKind::kSetting, "relay.servers names no server");
    return servers;
}

} // namespace picam
