// What a peer of the worker's socket sends, in parts: the first byte says how large they are.
#include "fcgi/request_records.h"

#include <algorithm>
#include <cstring>

using picam::RequestRecords;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    if (bytes == 0)
        return 0;
    const std::size_t part = std::size_t{data[0]} + 1;
    RequestRecords records;
    for (std::size_t at = 1; at < bytes;) {
        const std::size_t take = std::min({part, bytes - at, records.roomBytes()});
        if (take == 0)
            __builtin_trap(); // incomplete, and no room
        std::memcpy(records.room(), data + at, take);
        at += take;
        if (records.received(take) != RequestRecords::State::kIncomplete)
            break;
    }
    return 0;
}
