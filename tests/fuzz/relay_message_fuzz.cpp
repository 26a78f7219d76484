// What comes to picam-relay from the message bus: an edge's wishes, a camera's answers and states, and the parts of a
// still. The bytes are taken as a text, then as parts with their length, two bytes, before each.
#include "relay/messages.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace picam::relay;

void require(bool holds)
{
    if (!holds)
        __builtin_trap();
}

// It becomes a line for the service manager.
bool isOneLine(const std::string &text)
{
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void checkState(const State &state)
{
    require(isOneLine(state.state) && isOneLine(state.reason) && isOneLine(state.source) && isOneLine(state.still));
    require(std::isfinite(state.fps) && state.fps >= 0.0 && state.width <= UINT16_MAX && state.height <= UINT16_MAX);
}

void readText(std::string_view text)
{
    if (const auto want = parseWant(text)) {
        require(!want->edge.empty() && want->edge.size() <= 64 && isOneLine(want->edge));
        require(want->fps >= 0.0 && want->fps <= 240.0);
        require(want->lease.count() >= 0 && want->lease <= kMaxLease);
        const auto again = parseWant(toJson(*want));
        require(again && again->fps == want->fps && again->lease == want->lease && again->t == want->t);
    }
    if (const auto answer = parseAnswer(text)) {
        checkState(answer->state);
        const auto again = parseAnswer(toJson(*answer));
        require(again && again->t == answer->t && again->time_us == answer->time_us &&
                again->state.width == answer->state.width && again->state.fps == answer->state.fps);
    }
    if (const auto state = stateOfStream(text))
        checkState(*state);
}

void readParts(std::span<const std::uint8_t> bytes)
{
    StillParts parts;
    std::vector<std::uint8_t> come; // of the JPEGs, in their order
    while (bytes.size() > 2) {
        const std::size_t length = std::min(std::size_t{bytes[0]} << 8U | bytes[1], bytes.size() - 2);
        const auto part = bytes.subspan(2, length);
        bytes = bytes.subspan(2 + length);
        const auto piece = part.subspan(std::min(part.size(), kPartHeadBytes));
        come.insert(come.end(), piece.begin(), piece.end());
        if (const auto still = parts.add(part)) {
            require(still->jpeg.size() == still->header.payload_bytes && still->jpeg.size() <= come.size());
            require(std::equal(still->jpeg.rbegin(), still->jpeg.rend(), come.rbegin()));
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    readText({reinterpret_cast<const char *>(data), bytes});
    readParts({data, bytes});
    return 0;
}
