// Reads the test card's strip as core/camera/pattern_card.h describes it: what a viewer's program does.
#pragma once

#include "core/image/geometry.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace picam::testing {

// Microseconds since the epoch out of a luma plane; empty when the strip is not there or damaged.
inline std::optional<std::uint64_t> readStrip(const std::uint8_t *luma, std::size_t stride, Size size)
{
    constexpr std::uint32_t kCells = 80;
    constexpr std::uint8_t kStart = 0xa5;
    const std::uint32_t width = size.width >= 640 ? size.width / kCells / 2 * 2 : 8;
    const std::uint32_t height = std::max(16U, width);
    const std::uint32_t in_row = std::clamp(size.width / width, 1U, kCells);
    const std::uint32_t rows = (kCells + in_row - 1) / in_row;
    if (rows * height > size.height)
        return std::nullopt;
    const std::uint32_t top = size.height - rows * height;
    std::array<std::uint8_t, kCells / 8> bytes{};
    for (std::uint32_t cell = 0; cell < kCells; ++cell) {
        const std::size_t x = cell % in_row * width + width / 2;
        const std::size_t y = top + cell / in_row * height + height / 2;
        const unsigned bit = luma[y * stride + x] >= 128 ? 1 : 0;
        bytes.at(cell / 8) = static_cast<std::uint8_t>(unsigned{bytes.at(cell / 8)} << 1U | bit);
    }
    std::uint64_t time = 0;
    std::uint8_t sum = 0;
    for (std::size_t i = 1; i <= 8; ++i) {
        time = time << 8U | bytes.at(i);
        sum = static_cast<std::uint8_t>(sum + bytes.at(i));
    }
    if (bytes.front() != kStart || bytes.back() != (sum ^ 0x5aU))
        return std::nullopt;
    return time;
}

} // namespace picam::testing
