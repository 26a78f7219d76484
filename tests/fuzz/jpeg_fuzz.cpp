// A picture that a camera or a recording gives: passed through as it is, and turned by 90 degrees.
#include "core/image/jpeg_encoder.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    using namespace picam;
    static JpegEncoder encoder = std::move(*JpegEncoder::create());
    const auto size = jpegSize(data, bytes);
    if (!size || std::uint64_t{size->width} * size->height > (1U << 20)) // a large size is right, and only slow here
        return 0;
    const std::array<Plane, 3> planes{{{data, 0, bytes}, {}, {}}};
    for (const Rotation rotation : {Rotation::k0, Rotation::k90}) {
        Frame frame({PixelFormat::kJpeg, *size, ColorRange::kFull, ColorMatrix::kBt601}, planes,
                    std::chrono::steady_clock::now(), [] {});
        const auto picture = encoder.encodePicture(frame, {80, Transform{rotation, false, false}});
        // What goes out has a head that says its size, whatever came in.
        if (picture && !jpegSize(picture->bytes.data(), picture->bytes.size()))
            __builtin_trap();
    }
    return 0;
}
