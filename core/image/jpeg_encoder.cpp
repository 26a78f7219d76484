#include "core/image/jpeg_encoder.h"

#include "core/image/jpeg_markers.h"
#include "core/image/pixels.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <string>
#include <turbojpeg.h>
#include <utility>

namespace picam {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct DestroyHandle {
    void operator()(void *handle) const { tjDestroy(handle); }
};
struct FreeBuffer {
    void operator()(unsigned char *buffer) const { tjFree(buffer); }
};
using Handle = std::unique_ptr<void, DestroyHandle>; // a tjhandle

// Our transform flips before it turns: the flip and a quarter turn are the two diagonals.
int losslessOperation(const Transform &transform)
{
    const Transform t = transform.normalized();
    switch (t.rotation) {
    case Rotation::k0:
        return t.hflip ? TJXOP_HFLIP : TJXOP_NONE;
    case Rotation::k90:
        return t.hflip ? TJXOP_TRANSVERSE : TJXOP_ROT90;
    case Rotation::k180:
        return t.hflip ? TJXOP_VFLIP : TJXOP_ROT180;
    case Rotation::k270:
        return t.hflip ? TJXOP_TRANSPOSE : TJXOP_ROT270;
    }
    return TJXOP_NONE;
}

// Up to the end, with the tables where they lack.
Bytes whole(std::span<const std::uint8_t> jpeg, const JpegLayout &layout)
{
    const std::span<const std::uint8_t> tables =
        layout.has_huffman_tables ? std::span<const std::uint8_t>() : standardHuffmanTables();
    const auto before = jpeg.first(layout.first_scan);
    const auto scans = jpeg.subspan(layout.first_scan, layout.end - layout.first_scan);
    Bytes out;
    out.reserve(layout.end + tables.size());
    out.insert(out.end(), before.begin(), before.end());
    out.insert(out.end(), tables.begin(), tables.end());
    out.insert(out.end(), scans.begin(), scans.end());
    return out;
}

} // namespace

struct JpegEncoder::State {
    Handle compressor;
    Handle transformer; // made when a JPEG has to be turned
    PixelConverter pixels;
    std::unique_ptr<std::uint8_t[]> output; // TurboJPEG's worst case; reused, never cleared
    unsigned long output_capacity = 0;

    [[nodiscard]] Expected<void> makeRoom(Size size)
    {
        const unsigned long needed = tjBufSize(static_cast<int>(size.width), static_cast<int>(size.height), TJSAMP_420);
        if (needed == static_cast<unsigned long>(-1))
            return fail(ErrorKind::kUnsupported, "cannot encode a picture of " + size.toString() + " pixels");
        if (output_capacity < needed) {
            output.reset();
            output = std::make_unique_for_overwrite<std::uint8_t[]>(needed);
            output_capacity = needed;
        }
        return {};
    }

    // `compress` fills a buffer that is large enough, and sets the length.
    template <class Compress>
    [[nodiscard]] Expected<Bytes> compressed(Size size, Compress compress)
    {
        if (auto room = makeRoom(size); !room)
            return tl::unexpected(room.error());
        unsigned char *buffer = output.get();
        unsigned long length = output_capacity;
        if (compress(&buffer, &length) != 0)
            return fail(ErrorKind::kCameraFailed, std::string("TurboJPEG: ") + tjGetErrorStr2(compressor.get()));
        return Bytes(buffer, buffer + length);
    }

    [[nodiscard]] Expected<Bytes> encodePlanes(const PlanarView &view, int quality)
    {
        auto planes = view.data;
        const std::array<int, 3> strides{static_cast<int>(view.stride[0]), static_cast<int>(view.stride[1]),
                                         static_cast<int>(view.stride[2])};
        return compressed(view.size, [&](unsigned char **buffer, unsigned long *length) {
            return tjCompressFromYUVPlanes(compressor.get(), planes.data(), static_cast<int>(view.size.width),
                                           strides.data(), static_cast<int>(view.size.height), TJSAMP_420, buffer,
                                           length, quality, TJFLAG_NOREALLOC);
        });
    }

    [[nodiscard]] Expected<Bytes> encodeRgb(const Frame &frame, int quality)
    {
        if (auto checked = checkPlanes(frame); !checked)
            return tl::unexpected(checked.error());
        const FrameFormat &format = frame.format();
        const Plane &plane = frame.plane(0);
        return compressed(format.size, [&](unsigned char **buffer, unsigned long *length) {
            return tjCompress2(compressor.get(), plane.data, static_cast<int>(format.size.width),
                               static_cast<int>(plane.stride), static_cast<int>(format.size.height),
                               format.pixels == PixelFormat::kRgb24 ? TJPF_RGB : TJPF_BGR, buffer, length, TJSAMP_420,
                               quality, TJFLAG_NOREALLOC);
        });
    }

    [[nodiscard]] Expected<Bytes> passThrough(const Plane &plane, Size expected, const Transform &transform)
    {
        if (plane.data == nullptr)
            return fail(ErrorKind::kCorrupt, "a JPEG frame has no bytes");
        const std::span<const std::uint8_t> jpeg(plane.data, plane.size);
        const auto layout = readJpegLayout(jpeg);
        if (!layout)
            return tl::unexpected(layout.error());
        if (isTooLarge(layout->size, expected))
            return fail(ErrorKind::kCorrupt,
                        fmt::format("a JPEG of {} in place of {}", layout->size.toString(), expected.toString()));
        if (transform.isIdentity())
            return whole(jpeg, *layout);
        if (layout->has_huffman_tables)
            return transformed(jpeg.first(layout->end), transform);
        return transformed(whole(jpeg, *layout), transform);
    }

    [[nodiscard]] Expected<Bytes> transformed(std::span<const std::uint8_t> jpeg, const Transform &transform)
    {
        if (!transformer) {
            transformer.reset(tjInitTransform());
            if (!transformer)
                return fail(ErrorKind::kCameraFailed, std::string("TurboJPEG: ") + tjGetErrorStr2(nullptr));
        }
        // Metadata is dropped: a thumbnail or an orientation would describe the picture before.
        tjtransform how{};
        how.op = losslessOperation(transform);
        how.options = TJXOPT_TRIM | TJXOPT_COPYNONE;
        unsigned char *buffer = nullptr;
        unsigned long length = 0;
        const int failed = tjTransform(transformer.get(), jpeg.data(), static_cast<unsigned long>(jpeg.size()), 1,
                                       &buffer, &length, &how, 0);
        const std::unique_ptr<unsigned char, FreeBuffer> owner(buffer);
        // Cheap cameras leave stray bytes in their pictures; TurboJPEG warns and goes on, and so do we.
        const bool only_warned = tjGetErrorCode(transformer.get()) == TJERR_WARNING && buffer != nullptr && length > 0;
        if (failed != 0 && !only_warned)
            return fail(ErrorKind::kCorrupt, std::string("TurboJPEG: ") + tjGetErrorStr2(transformer.get()));
        return Bytes(buffer, buffer + length);
    }
};

Expected<JpegEncoder> JpegEncoder::create()
{
    auto state = std::make_unique<State>();
    state->compressor.reset(tjInitCompress());
    if (!state->compressor)
        return fail(ErrorKind::kCameraFailed, std::string("TurboJPEG: ") + tjGetErrorStr2(nullptr));
    return JpegEncoder(std::move(state));
}

JpegEncoder::JpegEncoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
JpegEncoder::JpegEncoder(JpegEncoder &&) noexcept = default;
JpegEncoder &JpegEncoder::operator=(JpegEncoder &&) noexcept = default;
JpegEncoder::~JpegEncoder() = default;

Expected<Bytes> JpegEncoder::encode(const Frame &frame, const EncodeOptions &options)
{
    const PixelFormat pixels = frame.format().pixels;
    if (pixels == PixelFormat::kJpeg)
        return state_->passThrough(frame.plane(0), frame.format().size, options.transform);
    const int quality = std::clamp(options.quality, 1, 100);
    const bool rgb = pixels == PixelFormat::kRgb24 || pixels == PixelFormat::kBgr24;
    if (rgb && options.transform.isIdentity())
        return state_->encodeRgb(frame, quality); // TurboJPEG's own conversion saves a pass
    const auto view = state_->pixels.toJpegPlanes(frame, options.transform);
    if (!view)
        return tl::unexpected(view.error());
    return state_->encodePlanes(*view, quality);
}

Expected<Picture> JpegEncoder::encodePicture(const Frame &frame, const EncodeOptions &options)
{
    auto jpeg = encode(frame, options);
    if (!jpeg)
        return tl::unexpected<Error>(std::move(jpeg.error()));
    Picture picture;
    picture.bytes = std::move(*jpeg);
    // The JPEG knows best: a lossless turn of one that was passed through may have cut its edges.
    const auto size = jpegSize(picture.bytes.data(), picture.bytes.size());
    if (!size)
        return tl::unexpected<Error>(size.error());
    picture.size = *size;
    describeCapture(picture, frame);
    return picture;
}

Expected<Size> jpegSize(const std::uint8_t *data, std::size_t bytes)
{
    return readJpegSize(std::span<const std::uint8_t>(data, bytes));
}

} // namespace picam
