// What systemd wants to hear ("READY=1"), without its library. Any thread.
#pragma once

#include <chrono>
#include <optional>

namespace picam {

// Sends `state` to the socket that NOTIFY_SOCKET names; does nothing where it names none.
void notifyService(const char *state);

// How often the service manager wants to hear "WATCHDOG=1" (half its limit); empty: it does not.
[[nodiscard]] std::optional<std::chrono::milliseconds> serviceWatchdogInterval();

} // namespace picam
