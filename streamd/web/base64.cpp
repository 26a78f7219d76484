#include "streamd/web/base64.h"

#include <array>

namespace picam {

namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two characters for each 12 bits: half the look-ups, 8 KB that stay in the cache.
struct Pairs {
    std::array<char, 2 * 4096> characters{};
    constexpr Pairs()
    {
        for (std::size_t i = 0; i < 4096; ++i) {
            characters[2 * i] = kAlphabet[i >> 6U];
            characters[2 * i + 1] = kAlphabet[i & 63U];
        }
    }
};
constexpr Pairs kPairs;

} // namespace

std::string base64(const std::uint8_t *data, std::size_t bytes)
{
    std::string text((bytes + 2) / 3 * 4, '=');
    char *out = text.data();
    const std::uint8_t *const whole_end = data + bytes / 3 * 3;
    for (; data != whole_end; data += 3, out += 4) {
        const unsigned bits = static_cast<unsigned>(data[0]) << 16U | static_cast<unsigned>(data[1]) << 8U | data[2];
        const char *high = &kPairs.characters[2 * std::size_t{bits >> 12U}];
        const char *low = &kPairs.characters[2 * std::size_t{bits & 4095U}];
        out[0] = high[0];
        out[1] = high[1];
        out[2] = low[0];
        out[3] = low[1];
    }
    if (bytes % 3 == 1) {
        out[0] = kAlphabet[data[0] >> 2U];
        out[1] = kAlphabet[(data[0] & 3U) << 4U];
    } else if (bytes % 3 == 2) {
        out[0] = kAlphabet[data[0] >> 2U];
        out[1] = kAlphabet[(data[0] & 3U) << 4U | data[1] >> 4U];
        out[2] = kAlphabet[(data[1] & 15U) << 2U];
    }
    return text;
}

} // namespace picam
