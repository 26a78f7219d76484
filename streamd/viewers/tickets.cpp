#include "streamd/viewers/tickets.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <sys/random.h>

namespace picam {

std::string Tickets::issue(Clock::time_point now)
{
    std::array<std::uint8_t, 16> random{};
    // So few bytes come whole or, before the kernel has seeded its generator, not at all.
    if (::getrandom(random.data(), random.size(), GRND_NONBLOCK) != static_cast<ssize_t>(random.size()))
        return {};
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const unsigned byte : random) {
        text += kDigits[byte >> 4U];
        text += kDigits[byte & 15U];
    }
    dropExpired(now);
    if (tickets_.size() == kMaxTickets)
        tickets_.pop_front();
    tickets_.push_back({text, now + kLifetime});
    return text;
}

bool Tickets::redeem(std::string_view ticket, Clock::time_point now)
{
    dropExpired(now);
    const auto found =
        std::find_if(tickets_.begin(), tickets_.end(), [ticket](const Ticket &known) { return known.text == ticket; });
    if (found == tickets_.end())
        return false;
    tickets_.erase(found);
    return true;
}

void Tickets::dropExpired(Clock::time_point now)
{
    while (!tickets_.empty() && tickets_.front().expires <= now)
        tickets_.pop_front();
}

} // namespace picam
