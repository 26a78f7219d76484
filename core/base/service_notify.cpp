#include "core/base/service_notify.h"

#include "core/base/file_descriptor.h"
#include "core/base/log.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace picam {

// The protocol of sd_notify(3): a datagram; a name that begins with @ is in the abstract namespace.
void notifyService(const char *state)
{
    const char *name = std::getenv("NOTIFY_SOCKET");
    if (name == nullptr || (name[0] != '/' && name[0] != '@'))
        return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(name);
    if (length >= sizeof(address.sun_path))
        return;
    std::memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    const FileDescriptor fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (::sendto(fd.get(), state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<const sockaddr *>(&address),
                 size) < 0)
        log::warning("the service manager does not hear that: {}", state);
}

std::optional<std::chrono::milliseconds> serviceWatchdogInterval()
{
    const auto number = [](const char *name) -> std::optional<std::int64_t> {
        const char *text = std::getenv(name);
        if (text == nullptr)
            return std::nullopt;
        std::int64_t value = 0;
        const char *end = text + std::strlen(text);
        const auto [rest, error] = std::from_chars(text, end, value);
        return error == std::errc() && rest == end && value > 0 ? std::optional(value) : std::nullopt;
    };
    const auto limit = number("WATCHDOG_USEC");
    // Set and another's: inherited by chance.
    if (!limit || (std::getenv("WATCHDOG_PID") != nullptr && number("WATCHDOG_PID") != ::getpid()))
        return std::nullopt;
    return std::max(std::chrono::milliseconds(1), std::chrono::milliseconds(*limit / 2000));
}

} // namespace picam
