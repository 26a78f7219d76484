// Encoder is the interface of everything that makes encoded frames from raw ones. An encoder is configured when it is
// made and belongs to one thread at a time. It neither scales nor publishes.
#pragma once

#include "core/base/error.h"
#include "core/image/encoded_frame.h"
#include "core/image/frame.h"

namespace picam {

class Encoder {
public:
    Encoder() = default;
    Encoder(const Encoder &) = delete;
    Encoder &operator=(const Encoder &) = delete;
    virtual ~Encoder() = default;

    // The frame's picture, upright, with all that the frame says about its capture; `sequence` is 0. Errors: as
    // JpegEncoder::encode(): a frame that cannot be encoded is the caller's to drop.
    [[nodiscard]] virtual Expected<EncodedFrame> encode(const Frame &frame) = 0;
};

} // namespace picam
