// JpegFrameEncoder is an Encoder that makes JPEGs of one quality and orientation (JpegEncoder does the work).
#pragma once

#include "core/image/encoder.h"
#include "core/image/jpeg_encoder.h"

#include <memory>

namespace picam {

class JpegFrameEncoder : public Encoder {
public:
    // Errors: kCameraFailed, TurboJPEG's own message.
    [[nodiscard]] static Expected<std::unique_ptr<Encoder>> create(const EncodeOptions &options);

    [[nodiscard]] Expected<EncodedFrame> encode(const Frame &frame) override
    {
        return encoder_.encodePicture(frame, options_);
    }

private:
    JpegFrameEncoder(JpegEncoder encoder, const EncodeOptions &options)
        : encoder_(std::move(encoder)), options_(options)
    {
    }

    JpegEncoder encoder_;
    const EncodeOptions options_;
};

} // namespace picam
