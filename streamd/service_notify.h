// What systemd wants to hear ("READY=1"), without its library. Any thread.
#pragma once

namespace picam {

// Sends `state` to the socket that NOTIFY_SOCKET names; does nothing where it names none.
void notifyService(const char *state);

} // namespace picam
