#include "streamd/web/text_frames.h"

#include <algorithm>

namespace picam {

namespace {

// RFC 6455, 5.2.
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kControl = 0x08;
constexpr std::uint8_t kFinalText = 0x81;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kMaxShortLength = 125;
constexpr std::uint8_t kAsciiBits = 0x7f;

} // namespace

std::size_t TextFrames::shortText(const std::uint8_t *data, std::size_t bytes)
{
    if (bytes < kHeadBytes || data[0] != kFinalText || data[1] < kMasked || data[1] > (kMasked | kMaxShortLength))
        return 0;
    const std::size_t length = kHeadBytes + data[1] - kMasked;
    return length <= bytes ? length : 0;
}

bool TextFrames::unmask(std::uint8_t *frame, std::size_t length)
{
    const std::uint8_t *mask = frame + 2;
    std::uint8_t *payload = frame + kHeadBytes;
    const std::size_t bytes = length - kHeadBytes;
    for (std::size_t i = 0; i < bytes; ++i)
        if ((payload[i] ^ mask[i % 4]) > kAsciiBits)
            return false;
    for (std::size_t i = 0; i < bytes; ++i)
        payload[i] = static_cast<std::uint8_t>(payload[i] ^ mask[i % 4]);
    return true;
}

void TextFrames::follow(const std::uint8_t *data, std::size_t bytes)
{
    while (synchronized_ && bytes > 0) {
        if (owed_ == 0) {
            // Whole short messages only: what is longer, in parts, or wrong, is too rare to be followed.
            const bool simple = bytes >= 2 &&
                                (data[0] == kFinalText || (data[0] & (kFinal | kControl)) == (kFinal | kControl)) &&
                                data[1] >= kMasked && data[1] <= (kMasked | kMaxShortLength);
            if (!simple) {
                synchronized_ = false;
                return;
            }
            owed_ = kHeadBytes + data[1] - kMasked;
        }
        const std::size_t part = std::min(owed_, bytes);
        owed_ -= part;
        data += part;
        bytes -= part;
    }
}

} // namespace picam
