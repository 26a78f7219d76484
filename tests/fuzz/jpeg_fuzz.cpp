// A picture that a camera or a recording gives where 640x480 were agreed on: its colour, passed through as it is, and
// turned by 90 degrees.
#include "core/image/jpeg_encoder.h"
#include "core/image/jpeg_markers.h"
#include "core/image/mean_color.h"

#include <turbojpeg.h>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    using namespace picam;
    static JpegEncoder encoder = std::move(*JpegEncoder::create());
    // Whatever is taken is taken by libjpeg, too, as far as the first scan.
    if (readJpegLayout({data, bytes})) {
        static const tjhandle decompressor = tjInitDecompress();
        int width = 0; // set when libjpeg has read the header, whatever TurboJPEG has to say about it then
        int ignored = 0;
        tjDecompressHeader3(decompressor, data, static_cast<unsigned long>(bytes), &width, &ignored, &ignored,
                            &ignored);
        if (width == 0)
            __builtin_trap();
    }
    static MeanColor mean;
    const std::array<Plane, 3> planes{{{data, 0, bytes}, {}, {}}};
    for (const Rotation rotation : {Rotation::k0, Rotation::k90}) {
        Frame frame({PixelFormat::kJpeg, {640, 480}, ColorRange::kFull, ColorMatrix::kBt601}, planes,
                    std::chrono::steady_clock::now(), [] {});
        static_cast<void>(mean.of(frame));
        const auto picture = encoder.encodePicture(frame, {80, Transform{rotation, false, false}});
        // What goes out has a head that says its size, whatever came in.
        if (picture && !jpegSize(picture->bytes.data(), picture->bytes.size()))
            __builtin_trap();
    }
    return 0;
}
