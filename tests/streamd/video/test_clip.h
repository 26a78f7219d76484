// A clip that looks like a camera's: a hand-held pan over a textured scene with an object that moves and noise that
// changes with each frame; and what ffmpeg makes of an H.264 stream.
#pragma once

#include "core/image/frame.h"
#include "tests/fakes/temp_dir.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace picam::testing {

class TestClip {
public:
    explicit TestClip(Size size, double noise = 1.5, double pan = 2.0)
        : size_(size), pan_(pan), noise_(std::size_t{1} << 16U), planes_(std::size_t{size.width} * size.height * 3 / 2)
    {
        std::minstd_rand random;
        std::normal_distribution<float> level(0.0F, static_cast<float>(noise));
        for (float &value : noise_)
            value = level(random);
        for (std::uint32_t y = 0; y < size.height + kSway; ++y)
            for (std::uint32_t x = 0; x < 2 * size.width; ++x)
                scene_.push_back(sceneAt(x, y));
    }

    // Planar 4:2:0, full range, BT.601; valid until the next call. Captured index * 1/30 s after the first.
    Frame frame(std::uint32_t index)
    {
        // Another row of noise for each row of each frame.
        std::minstd_rand random(index + 1);
        const auto left = static_cast<std::uint32_t>(pan_ * index) % size_.width;
        const auto above = static_cast<std::uint32_t>(8 + 8 * std::sin(index / 9.0));
        for (std::uint32_t y = 0; y < size_.height; ++y) {
            const float *noise = noise_.data() + random() % (noise_.size() - size_.width);
            const float *scene = scene_.data() + std::size_t{y + above} * 2 * size_.width + left;
            std::uint8_t *row = planes_.data() + std::size_t{y} * size_.width;
            for (std::uint32_t x = 0; x < size_.width; ++x)
                row[x] = level(scene[x] + noise[x]);
            if (y % 120 < 40) // what moves
                std::fill_n(row + 3 * index % (size_.width - 30), 30, std::uint8_t{235});
        }
        const std::size_t luma = std::size_t{size_.width} * size_.height;
        const std::uint32_t width = size_.width / 2;
        for (std::uint32_t y = 0; y < size_.height / 2; ++y)
            for (std::uint32_t x = 0; x < width; ++x) {
                const std::size_t at = luma + std::size_t{y} * width + x;
                planes_[at] = chroma(2 * x + left);
                planes_[at + luma / 4] = chroma(2 * y + above);
            }
        const std::uint8_t *data = planes_.data();
        return {{PixelFormat::kYuv420, size_, ColorRange::kFull, ColorMatrix::kBt601},
                {{{.data = data, .stride = size_.width, .size = luma},
                  {.data = data + luma, .stride = width, .size = luma / 4},
                  {.data = data + luma / 4 * 5, .stride = width, .size = luma / 4}}},
                MonotonicTime(std::chrono::hours(1) + std::chrono::microseconds(std::int64_t{index} * 1000000 / 30)),
                nullptr};
    }
    // The planes of the last frame, one behind the other.
    [[nodiscard]] const std::vector<std::uint8_t> &planes() const { return planes_; }

private:
    static constexpr std::uint32_t kSway = 16;
    static std::uint8_t level(float value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F)); }
    static std::uint8_t chroma(std::uint32_t at)
    {
        return static_cast<std::uint8_t>(68 + (at / 2 % 240 < 120 ? at / 2 % 240 : 240 - at / 2 % 240));
    }
    static float sceneAt(std::uint32_t column, std::uint32_t row)
    {
        const double x = column;
        const double y = row;
        return static_cast<float>(120 + 40 * std::sin(x / 37) * std::cos(y / 23) + 25 * std::sin(x / 5 + y / 11) +
                                  20 * std::sin(x * y / 900));
    }

    const Size size_;
    const double pan_;
    std::vector<float> noise_;
    std::vector<float> scene_; // twice as wide as a picture
    std::vector<std::uint8_t> planes_;
};

struct Decoded {
    std::string errors;               // what ffmpeg complained of
    std::vector<std::uint8_t> planes; // all pictures' Y, U, V, one behind the other, as they are coded
    std::string info;                 // of the first picture: size, profile, level, range, matrix
};

// What a decoder that is not ours makes of a stream in Annex B format.
inline Decoded decodeH264(const std::vector<std::uint8_t> &stream)
{
    const TempDir folder;
    const std::string base = folder.path() + "/stream";
    {
        std::ofstream file(base + ".h264", std::ios::binary);
        file.write(reinterpret_cast<const char *>(stream.data()), static_cast<std::streamsize>(stream.size()));
    }
    const std::string command =
        "ffmpeg -nostdin -v warning -f h264 -i " + base + ".h264 -fps_mode passthrough -pix_fmt yuvj420p -f rawvideo " +
        base + ".yuv >" + base +
        ".errors 2>&1; ffprobe -v error -f h264 -show_entries "
        "stream=width,height,profile,level,color_range,color_space,has_b_frames -of default=nk=1:nw=1 " +
        base + ".h264 >" + base + ".info 2>&1";
    if (std::system(command.c_str()) != 0) // NOLINT(cert-env33-c,concurrency-mt-unsafe)
        return {.errors = "ffmpeg did not run", .planes = {}, .info = {}};
    const auto read = [&base](const char *suffix) {
        std::ifstream file(base + suffix, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string planes = read(".yuv");
    std::string info = read(".info");
    std::replace(info.begin(), info.end(), '\n', ' ');
    return {read(".errors"), {planes.begin(), planes.end()}, info};
}

// In decibels, of two pictures of the same size.
inline double psnr(const std::uint8_t *one, const std::uint8_t *other, std::size_t count)
{
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
        sum += std::pow(int{one[i]} - int{other[i]}, 2);
    return sum == 0 ? 99.0 : 10 * std::log10(255.0 * 255.0 * static_cast<double>(count) / sum);
}

} // namespace picam::testing
