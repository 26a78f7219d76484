// EngineServer is a server of the message bus, as the setting relay.servers names it.
#pragma once

#include "core/base/error.h"

#include <string>
#include <vector>

namespace picam {

struct EngineServer {
    std::string url;  // tls://engine.example.org:4222, nats:// without TLS
    std::string host; // what its certificate has to name
    bool tls = true;
};
// The setting's servers. Error kSetting: one of them is no such URL, or there is none.
[[nodiscard]] Expected<std::vector<EngineServer>> engineServers(const std::vector<std::string> &urls);

} // namespace picam
