// The network header of a frame: what is accepted serializes to the bytes that it came from.
#include "core/image/frame_header.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    const auto header = picam::parseFrameHeader({data, bytes});
    if (!header)
        return 0;
    const auto again = picam::serializeFrameHeader(*header);
    if (!std::equal(again.begin(), again.end(), data))
        __builtin_trap();
    return 0;
}
