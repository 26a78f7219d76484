// The service manager's notification protocol (sd_notify(3)), without its library. Any thread.
#pragma once

#include <chrono>
#include <optional>

namespace picam {

// Sends `state` to the socket that NOTIFY_SOCKET names; does nothing where it names none.
void notifyService(const char *state);

// The interval in which the service manager expects "WATCHDOG=1" (half its timeout); empty: it expects none.
[[nodiscard]] std::optional<std::chrono::milliseconds> serviceWatchdogInterval();

} // namespace picam
