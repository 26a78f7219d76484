#include "core/image/jpeg_frame_encoder.h"

#include <utility>

namespace picam {

Expected<std::unique_ptr<Encoder>> JpegFrameEncoder::create(const EncodeOptions &options)
{
    auto encoder = JpegEncoder::create();
    if (!encoder)
        return tl::unexpected<Error>(std::move(encoder.error()));
    return std::unique_ptr<Encoder>(new JpegFrameEncoder(std::move(*encoder), options));
}

} // namespace picam
