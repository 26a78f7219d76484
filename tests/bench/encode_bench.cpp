// Encoding one frame, by picam and by a bare TurboJPEG loop over planes of the same picture; publishing and reading the
// frame store. Names are "who/format/size": tests/bench/encode.mjs makes the ratios.
#include "core/camera/pattern_card.h"
#include "core/image/jpeg_encoder.h"
#include "core/store/frame_store.h"

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <turbojpeg.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace picam;
using Bytes = std::vector<std::uint8_t>;

constexpr int kQuality = 80;

// The test card under a little noise, as a sensor gives: flat areas alone would make the entropy coder's share small.
struct Planes {
    explicit Planes(Size of) : size(of), card(PatternCard(of).still())
    {
        std::mt19937 random(7);
        for (Bytes *plane : {&card.y, &card.u, &card.v})
            for (std::uint8_t &value : *plane)
                value = static_cast<std::uint8_t>(std::min<unsigned long>(255, value + random() % 8));
    }
    Size size;
    CardPixels card;
};

struct Input {
    FrameFormat format;
    std::array<Bytes, 3> bytes;
    std::array<Plane, 3> planes{};

    [[nodiscard]] Frame frame() const
    {
        return {format, planes, {}, [] {}};
    }
};

Input inputOf(const Planes &from, PixelFormat pixels)
{
    const std::size_t width = from.size.width;
    const std::size_t height = from.size.height;
    const auto &[size, y, u, v] = from.card;
    Input input;
    input.format = {pixels, size, ColorRange::kFull, ColorMatrix::kBt601};
    const auto chroma = [&](std::size_t row, std::size_t column) { return row / 2 * (width / 2) + column / 2; };
    switch (pixels) {
    case PixelFormat::kNv12:
        input.bytes[0] = y;
        for (std::size_t i = 0; i < u.size(); ++i)
            input.bytes[1].insert(input.bytes[1].end(), {u[i], v[i]});
        break;
    case PixelFormat::kYuyv:
        for (std::size_t row = 0; row < height; ++row)
            for (std::size_t column = 0; column < width; column += 2)
                input.bytes[0].insert(input.bytes[0].end(), {y[row * width + column], u[chroma(row, column)],
                                                             y[row * width + column + 1], v[chroma(row, column)]});
        break;
    case PixelFormat::kRgb24:
        for (std::size_t i = 0; i < y.size(); ++i)
            input.bytes[0].insert(input.bytes[0].end(), {y[i], y[i], static_cast<std::uint8_t>(255 - y[i])});
        break;
    default:
        input.bytes = {y, u, v};
        break;
    }
    const std::size_t first = pixels == PixelFormat::kYuyv    ? width * 2
                              : pixels == PixelFormat::kRgb24 ? width * 3
                                                              : width;
    const std::size_t other = pixels == PixelFormat::kNv12 ? width : width / 2;
    for (std::size_t i = 0; i < 3; ++i)
        input.planes[i] = {input.bytes[i].data(), i == 0 ? first : other, input.bytes[i].size()};
    return input;
}

void bare(benchmark::State &state, Size size)
{
    const Planes from(size);
    tjhandle handle = tjInitCompress();
    const int width = static_cast<int>(size.width);
    const int height = static_cast<int>(size.height);
    const unsigned char *planes[3] = {from.card.y.data(), from.card.u.data(), from.card.v.data()};
    const int strides[3] = {width, width / 2, width / 2};
    const unsigned long capacity = tjBufSize(width, height, TJSAMP_420);
    Bytes out(capacity);
    unsigned long length = 0;
    for ([[maybe_unused]] auto _ : state) {
        unsigned char *buffer = out.data();
        length = capacity;
        if (tjCompressFromYUVPlanes(handle, planes, width, strides, height, TJSAMP_420, &buffer, &length, kQuality,
                                    TJFLAG_NOREALLOC) != 0)
            state.SkipWithError("TurboJPEG");
    }
    state.counters["bytes"] = static_cast<double>(length);
    tjDestroy(handle);
}

void bareRgb(benchmark::State &state, Size size)
{
    const Planes from(size);
    const Input input = inputOf(from, PixelFormat::kRgb24);
    tjhandle handle = tjInitCompress();
    const int width = static_cast<int>(size.width);
    const int height = static_cast<int>(size.height);
    const unsigned long capacity = tjBufSize(width, height, TJSAMP_420);
    Bytes out(capacity);
    for ([[maybe_unused]] auto _ : state) {
        unsigned char *buffer = out.data();
        unsigned long length = capacity;
        if (tjCompress2(handle, input.bytes[0].data(), width, width * 3, height, TJPF_RGB, &buffer, &length, TJSAMP_420,
                        kQuality, TJFLAG_NOREALLOC) != 0)
            state.SkipWithError("TurboJPEG");
    }
    tjDestroy(handle);
}

void encode(benchmark::State &state, Size size, PixelFormat pixels, Rotation rotation, ColorRange range)
{
    const Planes from(size);
    Input input = inputOf(from, pixels);
    input.format.range = range;
    auto encoder = *JpegEncoder::create();
    Transform transform;
    transform.rotation = rotation;
    for ([[maybe_unused]] auto _ : state) {
        auto jpeg = encoder.encode(input.frame(), {kQuality, transform});
        if (!jpeg)
            state.SkipWithError(jpeg.error().message.c_str());
        benchmark::DoNotOptimize(jpeg->data());
    }
}

std::string storeFile()
{
    return "/dev/shm/picam-bench-store." + std::to_string(::getpid());
}

Picture pictureOf(std::size_t bytes)
{
    Picture picture;
    picture.bytes.assign(bytes, 0x55);
    picture.size = {640, 480};
    picture.captured = std::chrono::steady_clock::now();
    return picture;
}

void publish(benchmark::State &state)
{
    const auto requests = *CameraRequests::open(storeFile());
    auto store = *FrameStore::open(storeFile(), requests);
    const Picture picture = pictureOf(static_cast<std::size_t>(state.range(0)));
    for ([[maybe_unused]] auto _ : state)
        benchmark::DoNotOptimize(store.publish(picture, {}));
    std::filesystem::remove(storeFile());
}

void newest(benchmark::State &state)
{
    const auto requests = *CameraRequests::open(storeFile());
    auto store = *FrameStore::open(storeFile(), requests);
    static_cast<void>(store.publish(pictureOf(static_cast<std::size_t>(state.range(0))), {}));
    for ([[maybe_unused]] auto _ : state)
        benchmark::DoNotOptimize(store.newest());
    std::filesystem::remove(storeFile());
}

void copyOf(benchmark::State &state)
{
    const Bytes from(static_cast<std::size_t>(state.range(0)), 0x55);
    for ([[maybe_unused]] auto _ : state) {
        Bytes copy(from);
        benchmark::DoNotOptimize(copy.data());
    }
}

} // namespace

int main(int argc, char **argv)
{
    for (const Size size : {Size{640, 480}, Size{1280, 720}, Size{1920, 1080}}) {
        const std::string name = size.toString();
        benchmark::RegisterBenchmark(("bare/planar/" + name).c_str(), bare, size);
        benchmark::RegisterBenchmark(("bare/rgb/" + name).c_str(), bareRgb, size);
        const auto add = [&](const char *what, PixelFormat pixels, Rotation rotation, ColorRange range) {
            benchmark::RegisterBenchmark(("picam/" + std::string(what) + "/" + name).c_str(), encode, size, pixels,
                                         rotation, range);
        };
        add("planar", PixelFormat::kYuv420, Rotation::k0, ColorRange::kFull);
        add("planar-limited", PixelFormat::kYuv420, Rotation::k0, ColorRange::kLimited);
        add("planar-90", PixelFormat::kYuv420, Rotation::k90, ColorRange::kFull);
        add("nv12", PixelFormat::kNv12, Rotation::k0, ColorRange::kFull);
        add("nv12-90", PixelFormat::kNv12, Rotation::k90, ColorRange::kFull);
        add("yuyv", PixelFormat::kYuyv, Rotation::k0, ColorRange::kFull);
        add("rgb", PixelFormat::kRgb24, Rotation::k0, ColorRange::kFull);
    }
    benchmark::RegisterBenchmark("store/publish", publish)->Arg(60000);
    benchmark::RegisterBenchmark("store/newest", newest)->Arg(60000);
    benchmark::RegisterBenchmark("store/copy", copyOf)->Arg(60000);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
