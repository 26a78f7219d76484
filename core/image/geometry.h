// Sizes in pixels, and the eight orientations of a picture.
#pragma once

#include <cstdint>
#include <string>

namespace picam {

struct Size {
    std::uint32_t width = 0;  // pixels
    std::uint32_t height = 0; // pixels

    friend bool operator==(const Size &, const Size &) = default;
    [[nodiscard]] std::string toString() const { return std::to_string(width) + "x" + std::to_string(height); }
};

enum class Rotation : std::uint16_t { k0 = 0, k90 = 90, k180 = 180, k270 = 270 }; // degrees clockwise

// How the picture a person sees is made from the picture a sensor gives: flip first, then rotate.
// Every combination is one of the eight symmetries of a rectangle; normalized() gives each one name
// (no vflip: vflip = hflip and a turn by 180).
struct Transform {
    Rotation rotation = Rotation::k0;
    bool hflip = false; // left and right change places
    bool vflip = false; // top and bottom change places

    [[nodiscard]] constexpr Transform normalized() const
    {
        if (!vflip)
            return *this;
        return {static_cast<Rotation>((static_cast<unsigned>(rotation) + 180U) % 360U), !hflip, false};
    }
    [[nodiscard]] constexpr bool isIdentity() const
    {
        const Transform n = normalized();
        return n.rotation == Rotation::k0 && !n.hflip;
    }
    [[nodiscard]] constexpr bool swapsSides() const { return rotation == Rotation::k90 || rotation == Rotation::k270; }
    // The size of a `size` picture after the transform.
    [[nodiscard]] constexpr Size apply(Size size) const { return swapsSides() ? Size{size.height, size.width} : size; }
    friend constexpr bool operator==(const Transform &, const Transform &) = default;
};

} // namespace picam
