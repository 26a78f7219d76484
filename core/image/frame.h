// A raw frame: pixels that belong to the camera, lent to us. Destroying the Frame gives the buffer back to its
// source, so a Frame is moved, never copied, and held no longer than the encoder needs it.
#pragma once

#include "core/image/geometry.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace picam {

enum class PixelFormat : std::uint8_t {
    kYuv420, // three planes Y, U, V; chroma halved both ways
    kNv12,   // two planes: Y, then U and V interleaved
    kYuyv,   // one plane: Y U Y V, chroma halved across
    kRgb24,  // one plane, bytes in memory R G B
    kBgr24,  // one plane, bytes in memory B G R
    kJpeg,   // one plane: a whole JPEG, `size` bytes long; perhaps without Huffman tables
};

// How numbers map to colours. JPEG wants {kFull, kBt601}; what differs is converted on the way to the encoder.
enum class ColorRange : std::uint8_t { kFull, kLimited };
enum class ColorMatrix : std::uint8_t { kBt601, kBt709 };

struct FrameFormat {
    PixelFormat pixels = PixelFormat::kYuv420;
    Size size;
    ColorRange range = ColorRange::kFull;
    ColorMatrix matrix = ColorMatrix::kBt601;

    friend bool operator==(const FrameFormat &, const FrameFormat &) = default;
};

struct Plane {
    const std::uint8_t *data = nullptr;
    std::size_t stride = 0; // bytes from one row to the next; 0 for kJpeg
    std::size_t size = 0;   // bytes that may be read from data
};

using MonotonicTime = std::chrono::steady_clock::time_point; // CLOCK_MONOTONIC
using WallTime = std::chrono::system_clock::time_point;      // CLOCK_REALTIME

// What the camera says about how it took the frame; empty where it says nothing.
struct CaptureMetadata {
    std::optional<bool> exposure_settled;      // AE has converged
    std::optional<bool> white_balance_settled; // AWB has converged
    std::optional<std::chrono::microseconds> exposure_time;
    std::optional<float> analogue_gain; // 1.0 is the sensor's base sensitivity
    std::optional<float> digital_gain;
    std::optional<std::uint32_t> color_temperature; // kelvin
    std::array<float, 2> color_gains{};             // red, blue; 0 when unknown
};

class Frame {
public:
    // `give_back` runs once, in whichever thread destroys the frame; it must not block.
    Frame() = default;
    Frame(FrameFormat format, std::array<Plane, 3> planes, MonotonicTime captured, std::function<void()> give_back)
        : format_(format), planes_(planes), captured_(captured), give_back_(std::move(give_back))
    {
    }
    Frame(const Frame &) = delete;
    Frame &operator=(const Frame &) = delete;
    Frame(Frame &&other) noexcept { swap(other); }
    Frame &operator=(Frame &&other) noexcept
    {
        Frame(std::move(other)).swap(*this);
        return *this;
    }
    ~Frame()
    {
        if (give_back_)
            give_back_();
    }

    [[nodiscard]] const FrameFormat &format() const { return format_; }
    [[nodiscard]] const Plane &plane(std::size_t index) const { return planes_.at(index); }
    [[nodiscard]] MonotonicTime captured() const { return captured_; } // when the exposure was done
    [[nodiscard]] const CaptureMetadata &metadata() const { return metadata_; }
    [[nodiscard]] CaptureMetadata &metadata() { return metadata_; }

private:
    void swap(Frame &other) noexcept
    {
        std::swap(format_, other.format_);
        std::swap(planes_, other.planes_);
        std::swap(captured_, other.captured_);
        std::swap(metadata_, other.metadata_);
        give_back_.swap(other.give_back_);
    }

    FrameFormat format_;
    std::array<Plane, 3> planes_{};
    MonotonicTime captured_{};
    CaptureMetadata metadata_;
    std::function<void()> give_back_;
};

} // namespace picam
