// Access ends and refuses viewers when who may look has changed. picamctl tells it when nginx's new workers serve; the
// old ones still pass on what they let in before. Each viewer comes with the generation of nginx's configuration that
// let it in (X-Picam-Access). Loop thread only. Plain C++17 (see connection.h).
#pragma once

#include "streamd/viewers/tickets.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace picam {

class Access {
public:
    using Clock = Tickets::Clock;
    // So long an old worker may pass on a request that it had begun to read: nginx's client_header_timeout for the TLS
    // handshake and again for the headers, the login, and the rest of a busy machine. Afterwards every generation is
    // good, for whoever puts an older configuration back.
    static constexpr std::chrono::seconds kOldWorkers{30};
    static constexpr std::string_view kHeader = "X-Picam-Access";
    static constexpr std::string_view kReason = "who may look has changed; try again";

    // `end_viewers` closes all that there are.
    explicit Access(std::function<void()> end_viewers) : end_viewers_(std::move(end_viewers)) {}

    // From now on `generation` is in force: all viewers end, and all tickets are void.
    void change(std::string_view generation, Clock::time_point now);
    [[nodiscard]] bool admits(std::string_view generation, Clock::time_point now) const;
    [[nodiscard]] Tickets &tickets() { return tickets_; }

private:
    const std::function<void()> end_viewers_;
    Tickets tickets_;
    std::string generation_;
    Clock::time_point others_refused_until_{};
};

} // namespace picam
