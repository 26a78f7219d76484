// Tickets issues and redeems short-lived tokens, each of which opens one WebSocket without a password. They are for
// browsers that send no password with a WebSocket (Safari): the page fetches one from a location that nginx guards, and
// offers it in its handshake. Loop thread only. Plain C++17 (see connection.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace picam {

class Tickets {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kLifetime{30};
    // One more makes the oldest void, so memory stays bounded.
    static constexpr std::size_t kMaxTickets = 256;

    // 32 hexadecimal digits, from the kernel's generator; empty: it gave nothing.
    [[nodiscard]] std::string issue(Clock::time_point now);
    // Was it issued, not used and not too old? It is void from here on.
    [[nodiscard]] bool redeem(std::string_view ticket, Clock::time_point now);
    void clear() { tickets_.clear(); }

private:
    struct Ticket {
        std::string text;
        Clock::time_point expires;
    };
    void dropExpired(Clock::time_point now);

    std::deque<Ticket> tickets_; // oldest first
};

} // namespace picam
