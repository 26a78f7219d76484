// Frame is a raw picture in a buffer of its source's. It is shared by its readers (SharedFrame); the last holder's
// release recycles the buffer, so it is held no longer than an encoder needs it.
#pragma once

#include "core/image/geometry.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
    int dma_buf = -1;       // descriptor of the dma-buf that holds the plane, the source's; -1: there is none
    std::size_t offset = 0; // bytes from the dma-buf's start to the plane
};

using MonotonicTime = std::chrono::steady_clock::time_point; // CLOCK_MONOTONIC
using WallTime = std::chrono::system_clock::time_point;      // CLOCK_REALTIME

enum class FocusState : std::uint8_t { kIdle, kScanning, kFocused, kFailed };

// What the camera reports about the capture of the frame; empty where it reports nothing.
struct CaptureMetadata {
    std::optional<bool> exposure_converged;      // AE
    std::optional<bool> white_balance_converged; // AWB
    std::optional<bool> focus_converged;         // AF
    bool convergence_judged = false;             // somebody else has waited for it: one frame that says so is enough
    std::optional<std::chrono::microseconds> exposure_time;
    std::optional<float> analogue_gain; // 1.0 is the sensor's base sensitivity
    std::optional<float> digital_gain;
    std::optional<std::uint32_t> color_temperature; // kelvin
    std::array<float, 2> color_gains{};             // red, blue; 0 when unknown
    std::optional<FocusState> focus_state;
    std::optional<float> lens_position;    // dioptres: the reciprocal of the distance in metres
    std::uint32_t controls_generation = 0; // of the controls in force (ControlsRequest); 0: none were wanted yet
};

class Frame {
public:
    // `recycle` runs once, in whichever thread destroys the frame; it must not block.
    Frame() = default;
    Frame(FrameFormat format, std::array<Plane, 3> planes, MonotonicTime captured, std::function<void()> recycle)
        : format_(format), planes_(planes), captured_(captured), recycle_(std::move(recycle))
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
        if (recycle_)
            recycle_();
    }

    [[nodiscard]] const FrameFormat &format() const { return format_; }
    [[nodiscard]] const Plane &plane(std::size_t index) const { return planes_.at(index); }
    [[nodiscard]] MonotonicTime captured() const { return captured_; } // when the exposure was done
    [[nodiscard]] const CaptureMetadata &metadata() const { return metadata_; }
    [[nodiscard]] CaptureMetadata &metadata() { return metadata_; } // before the frame is shared
    // Whether exposure and white balance had converged, as far as anybody can tell. Set before the frame is shared.
    [[nodiscard]] bool converged() const { return converged_; }
    void setConverged(bool converged) { converged_ = converged; }

private:
    void swap(Frame &other) noexcept
    {
        std::swap(format_, other.format_);
        std::swap(planes_, other.planes_);
        std::swap(captured_, other.captured_);
        std::swap(metadata_, other.metadata_);
        std::swap(converged_, other.converged_);
        recycle_.swap(other.recycle_);
    }

    FrameFormat format_;
    std::array<Plane, 3> planes_{};
    MonotonicTime captured_{};
    CaptureMetadata metadata_;
    bool converged_ = true;
    std::function<void()> recycle_;
};

using SharedFrame = std::shared_ptr<const Frame>;

} // namespace picam
