// What a viewer says, of picam.v1 or picam.v2: parsed, and answered where it is a ping. The short way for picam.v1's
// acknowledgements has to agree with the long one.
#include "streamd/viewers/viewer_protocol.h"

#include <string_view>
#include <variant>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    const std::string_view text(reinterpret_cast<const char *>(data), bytes);
    (void)picam::protocol::parse(text, picam::protocol::Version::k2);
    (void)picam::protocol::parseFrameAck(text);
    const auto message = picam::protocol::parse(text, picam::protocol::Version::k1);
    if (const auto plain = picam::protocol::parsePlainAck(text)) {
        const auto *ack = message ? std::get_if<picam::protocol::Ack>(&*message) : nullptr;
        if (ack == nullptr || ack->sequence != plain->sequence || ack->batch != plain->batch)
            __builtin_trap();
    }
    if (!message)
        return 0;
    if (const auto *ping = std::get_if<picam::protocol::Ping>(&*message))
        if (picam::protocol::pong(*ping, std::chrono::microseconds(1)).find(ping->t) == std::string::npos)
            __builtin_trap();
    if (const auto *ack = std::get_if<picam::protocol::Ack>(&*message))
        if (ack->sequence == 0 || ack->batch == 0)
            __builtin_trap();
    return 0;
}
