#include "core/image/mean_color.h"

#include "core/image/jpeg_markers.h"

#include <algorithm>
#include <cstddef>
#include <turbojpeg.h>

namespace picam {
namespace {

constexpr std::uint32_t kEvery = 8; // row and column
constexpr float kBlack = 20;        // above limited range's black

// Every kEvery-th byte of a channel that lies `step` bytes apart in rows of `width` of them. False: the plane is too
// short.
bool average(const Plane &plane, std::size_t first, std::size_t step, std::uint32_t width, std::uint32_t height,
             float &mean)
{
    if (plane.data == nullptr || width == 0 || height == 0 ||
        plane.size < (height - 1) * plane.stride + first + (width - 1) * step + 1)
        return false;
    std::uint64_t sum = 0;
    std::uint64_t count = 0;
    for (std::uint32_t y = 0; y < height; y += kEvery) {
        const std::uint8_t *row = plane.data + y * plane.stride + first;
        for (std::uint32_t x = 0; x < width; x += kEvery, ++count)
            sum += row[x * step];
    }
    mean = static_cast<float>(sum) / static_cast<float>(count);
    return true;
}

} // namespace

void MeanColor::Destroy::operator()(void *handle) const
{
    tjDestroy(handle);
}

std::optional<MeanColor::Color> MeanColor::of(const Frame &frame)
{
    const auto [width, height] = frame.format().size;
    const Plane &plane = frame.plane(0);
    Color color{};
    bool read = false;
    switch (frame.format().pixels) {
    case PixelFormat::kJpeg:
        return ofJpeg(plane, frame.format().size);
    case PixelFormat::kYuv420:
        read = average(plane, 0, 1, width, height, color[0]) &&
               average(frame.plane(1), 0, 1, width / 2, height / 2, color[1]) &&
               average(frame.plane(2), 0, 1, width / 2, height / 2, color[2]);
        break;
    case PixelFormat::kNv12:
        read = average(plane, 0, 1, width, height, color[0]) &&
               average(frame.plane(1), 0, 2, width / 2, height / 2, color[1]) &&
               average(frame.plane(1), 1, 2, width / 2, height / 2, color[2]);
        break;
    case PixelFormat::kYuyv:
        read = average(plane, 0, 2, width, height, color[0]) && average(plane, 1, 4, width / 2, height, color[1]) &&
               average(plane, 3, 4, width / 2, height, color[2]);
        break;
    case PixelFormat::kRgb24:
    case PixelFormat::kBgr24:
        read = average(plane, 0, 3, width, height, color[0]) && average(plane, 1, 3, width, height, color[1]) &&
               average(plane, 2, 3, width, height, color[2]);
        break;
    }
    // Nearly black is no measure: many webcams begin so, before they expose.
    const bool rgb = frame.format().pixels == PixelFormat::kRgb24 || frame.format().pixels == PixelFormat::kBgr24;
    const float brightest = rgb ? *std::max_element(color.begin(), color.end()) : color[0];
    return read && brightest > kBlack ? std::optional(color) : std::nullopt;
}

std::optional<MeanColor::Color> MeanColor::ofJpeg(const Plane &plane, Size expected)
{
    if (!decompressor_)
        decompressor_.reset(tjInitDecompress());
    if (!decompressor_ || plane.data == nullptr)
        return std::nullopt;
    // A cut one is no measure: what it lacks is grey.
    const auto layout = readJpegLayout({plane.data, plane.size});
    if (!layout || isTooLarge(layout->size, expected))
        return std::nullopt;
    constexpr tjscalingfactor kEighth{1, 8};
    const int small_width = TJSCALED(static_cast<int>(layout->size.width), kEighth);
    const int small_height = TJSCALED(static_cast<int>(layout->size.height), kEighth);
    constexpr std::size_t kChannels = 3;
    const std::size_t count = static_cast<std::size_t>(small_width) * static_cast<std::size_t>(small_height);
    pixels_.resize(count * kChannels);
    if (tjDecompress2(decompressor_.get(), plane.data, static_cast<unsigned long>(plane.size), pixels_.data(),
                      small_width, 0, small_height, TJPF_RGB, TJFLAG_FASTDCT | TJFLAG_FASTUPSAMPLE) != 0 &&
        tjGetErrorCode(decompressor_.get()) != TJERR_WARNING) // of stray bytes between segments
        return std::nullopt;
    std::array<std::uint64_t, kChannels> sums{};
    for (std::size_t i = 0; i < pixels_.size(); ++i)
        sums.at(i % kChannels) += pixels_[i];
    Color color{};
    for (std::size_t i = 0; i < kChannels; ++i)
        color.at(i) = static_cast<float>(sums.at(i)) / static_cast<float>(count);
    return *std::max_element(color.begin(), color.end()) > kBlack ? std::optional(color) : std::nullopt;
}

} // namespace picam
