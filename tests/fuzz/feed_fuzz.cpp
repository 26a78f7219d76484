// What a program feeds: the messages in it, in pieces, the reasons in its states, and the age of each by its clock.
#include "core/camera/feed_protocol.h"
#include "core/camera/sender_clock.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    using namespace picam;
    FeedReader reader;
    SenderClock clock;
    MonotonicTime now{};
    while (bytes > 0) {
        const auto room = reader.room();
        if (room.empty())
            __builtin_trap();
        const std::size_t count = std::min({bytes, room.size(), std::size_t{1} + *data});
        std::copy_n(data, count, room.begin());
        data += count;
        bytes -= count;
        const auto filled = reader.filled(count);
        if (!filled)
            return 0;
        if (!*filled)
            continue;
        const FeedMessage &message = **filled;
        if (message.payload.size() != message.header.payload_bytes)
            __builtin_trap();
        now += std::chrono::seconds(1);
        if (message.header.codec != Codec::kNone) {
            const auto age = clock.age(message.header.captured_wall_us, WallTime(std::chrono::hours(500'000)), now);
            if (age.count() < 0 || age > SenderClock::kOldest)
                __builtin_trap();
            continue;
        }
        clock.tell(message.header.captured_wall_us, now);
        const auto reason =
            feedReason({reinterpret_cast<const char *>(message.payload.data()), message.payload.size()});
        if (reason && *reason && ((*reason)->empty() || (*reason)->size() > kMaxFeedReason))
            __builtin_trap();
    }
    return 0;
}
