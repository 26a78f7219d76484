#include "core/image/jpeg_decoder.h"

#include "core/image/jpeg_markers.h"

#include <array>
#include <cstddef>
#include <string>
#include <turbojpeg.h>
#include <utility>

namespace picam {
namespace {

// Two rows become one, in place.
void halveRows(std::uint8_t *plane, std::size_t width, std::size_t height)
{
    for (std::size_t row = 0; row < height / 2; ++row) {
        std::uint8_t *to = plane + row * width;
        const std::uint8_t *upper = plane + 2 * row * width;
        const std::uint8_t *lower = upper + width;
        for (std::size_t i = 0; i < width; ++i)
            to[i] = static_cast<std::uint8_t>((upper[i] + lower[i] + 1) / 2);
    }
}

} // namespace

void JpegDecoder::Destroy::operator()(void *handle) const
{
    tjDestroy(handle);
}

JpegDecoder::JpegDecoder() : decompressor_(tjInitDecompress()) {}
JpegDecoder::~JpegDecoder() = default;

Expected<Frame> JpegDecoder::decode(const Frame &frame)
{
    const Plane &jpeg = frame.plane(0);
    if (!decompressor_ || jpeg.data == nullptr)
        return fail(ErrorKind::kCorrupt, "a JPEG frame has no bytes");
    const auto layout = readJpegLayout({jpeg.data, jpeg.size});
    if (!layout)
        return tl::unexpected<Error>(layout.error());
    const Size size = layout->size;
    if (isTooLarge(size, frame.format().size))
        return fail(ErrorKind::kCorrupt,
                    "a JPEG of " + size.toString() + " in place of " + frame.format().size.toString());
    if (size.width % 2 != 0 || size.height % 2 != 0)
        return fail(ErrorKind::kUnsupported, "a JPEG of " + size.toString() + " has odd sides");
    int width = 0;
    int height = 0;
    int subsampling = 0;
    int colors = 0;
    if (tjDecompressHeader3(decompressor_.get(), jpeg.data, static_cast<unsigned long>(jpeg.size), &width, &height,
                            &subsampling, &colors) != 0)
        return fail(ErrorKind::kCorrupt, std::string("TurboJPEG: ") + tjGetErrorStr2(decompressor_.get()));

    const std::size_t luma = std::size_t{size.width} * size.height;
    const bool planar = colors == TJCS_YCbCr && (subsampling == TJSAMP_420 || subsampling == TJSAMP_422);
    std::array<Plane, 3> planes{};
    int failed = 0;
    if (planar) {
        const std::size_t chroma_height = subsampling == TJSAMP_420 ? size.height / 2 : size.height;
        const std::size_t chroma = std::size_t{size.width / 2} * chroma_height;
        pixels_.resize(luma + 2 * chroma);
        std::array<unsigned char *, 3> to{pixels_.data(), pixels_.data() + luma, pixels_.data() + luma + chroma};
        std::array<int, 3> strides{width, width / 2, width / 2};
        failed = tjDecompressToYUVPlanes(decompressor_.get(), jpeg.data, static_cast<unsigned long>(jpeg.size),
                                         to.data(), width, strides.data(), height, TJFLAG_FASTDCT);
        for (std::size_t i = 0; i < 3; ++i) {
            if (i > 0 && subsampling == TJSAMP_422)
                halveRows(to.at(i), size.width / 2, size.height);
            const auto stride = static_cast<std::size_t>(strides.at(i));
            planes.at(i) = {.data = to.at(i), .stride = stride, .size = stride * (size.height / (i == 0 ? 1 : 2))};
        }
    } else {
        pixels_.resize(3 * luma);
        failed = tjDecompress2(decompressor_.get(), jpeg.data, static_cast<unsigned long>(jpeg.size), pixels_.data(),
                               width, 0, height, TJPF_RGB, TJFLAG_FASTDCT);
        planes[0] = {.data = pixels_.data(), .stride = 3 * std::size_t{size.width}, .size = pixels_.size()};
    }
    // Cheap cameras leave stray bytes in their pictures; TurboJPEG warns and goes on, and so do we.
    if (failed != 0 && tjGetErrorCode(decompressor_.get()) != TJERR_WARNING)
        return fail(ErrorKind::kCorrupt, std::string("TurboJPEG: ") + tjGetErrorStr2(decompressor_.get()));
    Frame decoded({planar ? PixelFormat::kYuv420 : PixelFormat::kRgb24, size, ColorRange::kFull, ColorMatrix::kBt601},
                  planes, frame.captured(), nullptr);
    decoded.metadata() = frame.metadata();
    decoded.setConverged(frame.converged());
    return decoded;
}

} // namespace picam
