#include "core/camera/pattern_card.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace picam {
namespace {

constexpr std::uint32_t kStripCells = 80;
constexpr std::uint8_t kStartMark = 0xa5;
constexpr std::uint8_t kChecksumMask = 0x5a;

struct Color {
    std::uint8_t y, u, v;
};

// JFIF's equations (ITU T.871, section 7) for 75 % and full colours.
constexpr Color fromRgb(int r, int g, int b)
{
    const auto byte = [](double value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); };
    return {byte(0.299 * r + 0.587 * g + 0.114 * b), byte(128 - 0.168736 * r - 0.331264 * g + 0.5 * b),
            byte(128 + 0.5 * r - 0.418688 * g - 0.081312 * b)};
}

constexpr std::array<Color, 8> kBars{fromRgb(191, 191, 191), fromRgb(191, 191, 0), fromRgb(0, 191, 191),
                                     fromRgb(0, 191, 0),     fromRgb(191, 0, 191), fromRgb(191, 0, 0),
                                     fromRgb(0, 0, 191),     fromRgb(16, 16, 16)};
constexpr Color kBlack = fromRgb(0, 0, 0);
constexpr Color kWhite = fromRgb(255, 255, 255);

struct Rect {
    std::uint32_t x, y, width, height; // pixels; clipped to the picture and to even numbers
};

void fill(CardPixels &pixels, Rect r, Color color)
{
    const Size size = pixels.size;
    r.x = std::min(r.x & ~1U, size.width);
    r.y = std::min(r.y & ~1U, size.height);
    r.width = std::min(r.width & ~1U, size.width - r.x);
    r.height = std::min(r.height & ~1U, size.height - r.y);
    for (std::size_t row = r.y; row < r.y + r.height; ++row)
        std::memset(&pixels.y[row * size.width + r.x], color.y, r.width);
    for (std::size_t row = r.y / 2; row < (r.y + r.height) / 2; ++row) {
        const std::size_t start = row * (size.width / 2) + r.x / 2;
        std::memset(&pixels.u[start], color.u, r.width / 2);
        std::memset(&pixels.v[start], color.v, r.width / 2);
    }
}

// From top to bottom, in eighths of the height: bars (4), ramp (1), sweep (1), clock (2, above the strip).
std::uint32_t eighth(Size size, std::uint32_t count)
{
    return (size.height * count / 8) & ~1U;
}

// Seven segments a digit: top, top right, bottom right, bottom, bottom left, top left, middle.
constexpr std::array<std::uint8_t, 10> kSegments{0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f};

void drawDigit(CardPixels &pixels, std::uint32_t x, std::uint32_t y, std::uint32_t unit, int digit)
{
    const std::uint32_t half = 3 * unit;
    const std::array<Rect, 7> segments{{{x, y, 4 * unit, unit},
                                        {x + 3 * unit, y, unit, half + unit},
                                        {x + 3 * unit, y + half, unit, half + unit},
                                        {x, y + 2 * half, 4 * unit, unit},
                                        {x, y + half, unit, half + unit},
                                        {x, y, unit, half + unit},
                                        {x, y + half, 4 * unit, unit}}};
    for (std::size_t i = 0; i < segments.size(); ++i)
        if ((kSegments.at(static_cast<std::size_t>(digit)) >> i & 1U) != 0)
            fill(pixels, segments.at(i), kWhite);
}

std::array<std::uint8_t, kStripCells / 8> stripBytes(std::uint64_t wall_us)
{
    std::array<std::uint8_t, kStripCells / 8> bytes{kStartMark};
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        bytes.at(1 + i) = static_cast<std::uint8_t>(wall_us >> (56 - 8 * i));
        sum = static_cast<std::uint8_t>(sum + bytes.at(1 + i));
    }
    bytes.back() = sum ^ kChecksumMask;
    return bytes;
}

} // namespace

StripLayout stripLayout(Size size)
{
    StripLayout layout;
    if (size.width >= kStripCells * layout.cell_width)
        layout.cell_width = (size.width / kStripCells) & ~1U;
    layout.cell_height = std::max(16U, layout.cell_width);
    layout.cells_per_row = std::clamp(size.width / layout.cell_width, 1U, kStripCells);
    layout.rows = (kStripCells + layout.cells_per_row - 1) / layout.cells_per_row;
    return layout;
}

PatternCard::PatternCard(Size size)
{
    still_.size = size;
    const std::size_t luma = std::size_t{size.width} * size.height;
    still_.y.assign(luma, kBlack.y);
    still_.u.assign(luma / 4, kBlack.u);
    still_.v.assign(luma / 4, kBlack.v);
    for (std::uint32_t i = 0; i < kBars.size(); ++i) {
        const std::uint32_t left = size.width * i / 8 & ~1U;
        const std::uint32_t right = size.width * (i + 1) / 8 & ~1U;
        fill(still_, {left, 0, right - left, eighth(size, 4)}, kBars.at(i));
    }
    for (std::uint32_t x = 0; x < size.width; x += 2) {
        const auto grey = static_cast<std::uint8_t>(x * 255U / size.width);
        fill(still_, {x, eighth(size, 4), 2, eighth(size, 5) - eighth(size, 4)}, {grey, 128, 128});
    }
}

std::uint32_t PatternCard::pictureRows() const
{
    return eighth(still_.size, 6);
}

void PatternCard::draw(CardPixels &pixels, std::uint64_t wall_us, std::uint64_t frame_number) const
{
    const Size size = pixels.size;
    const std::uint32_t top = eighth(size, 5);
    const std::uint32_t height = eighth(size, 6) - top;
    const std::uint32_t block = std::max(2U, size.width / 16 & ~1U);
    // Four seconds from one side to the other, by the clock: a lost frame shows as a jump.
    const auto position = static_cast<std::uint32_t>(wall_us % 4'000'000 * (size.width - block) / 4'000'000);
    fill(pixels, {0, top, size.width, size.height - top}, kBlack);
    fill(pixels, {position, top, block, height}, kBars.at(frame_number % 7));
    drawClock(pixels, wall_us);
    drawStrip(pixels, wall_us);
}

void PatternCard::drawClock(CardPixels &pixels, std::uint64_t wall_us) const
{
    const Size size = pixels.size;
    const StripLayout strip = stripLayout(size);
    const std::uint32_t top = eighth(size, 6);
    const std::uint32_t strip_height = std::min(strip.rows * strip.cell_height, size.height);
    // Twelve places of five units each, a digit seven units high.
    const std::uint32_t room = size.height - strip_height > top ? size.height - strip_height - top : 0;
    const std::uint32_t unit = std::min(size.width / 60, room / 8) & ~1U;
    if (unit < 2)
        return; // too small to be read
    const auto seconds = static_cast<std::time_t>(wall_us / 1'000'000);
    std::tm t{};
    ::localtime_r(&seconds, &t);
    const std::string text = fmt::format("{:%H:%M:%S}.{:03}", t, wall_us / 1000 % 1000);
    std::uint32_t x = (size.width - static_cast<std::uint32_t>(text.size()) * 5 * unit) / 2;
    const std::uint32_t y = top + (room - 7 * unit) / 2;
    for (const char c : text) {
        if (c >= '0' && c <= '9')
            drawDigit(pixels, x, y, unit, c - '0');
        if (c == ':')
            fill(pixels, {x + unit, y + 2 * unit, unit, unit}, kWhite);
        if (c == ':' || c == '.')
            fill(pixels, {x + unit, y + (c == ':' ? 4 : 6) * unit, unit, unit}, kWhite);
        x += 5 * unit;
    }
}

void PatternCard::drawStrip(CardPixels &pixels, std::uint64_t wall_us) const
{
    const Size size = pixels.size;
    const StripLayout layout = stripLayout(size);
    if (layout.rows * layout.cell_height > size.height)
        return;
    const std::uint32_t top = size.height - layout.rows * layout.cell_height;
    const auto bytes = stripBytes(wall_us);
    for (std::uint32_t cell = 0; cell < kStripCells; ++cell) {
        const bool white = (bytes.at(cell / 8) >> (7 - cell % 8) & 1U) != 0;
        fill(pixels,
             {cell % layout.cells_per_row * layout.cell_width, top + cell / layout.cells_per_row * layout.cell_height,
              layout.cell_width, layout.cell_height},
             white ? kWhite : kBlack);
    }
}

} // namespace picam
