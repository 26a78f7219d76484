#include "streamd/viewers/stream_frame.h"

#include "core/image/frame_header.h"

namespace picam {

FramePtr makeStreamFrame(const EncodedFramePtr &encoded, std::uint8_t rung, std::uint64_t sequence)
{
    auto frame = std::make_shared<StreamFrame>();
    frame->owner = encoded;
    frame->payload = encoded->bytes.data();
    frame->bytes = encoded->bytes.size();
    frame->codec = encoded->codec;
    frame->key = encoded->key;
    frame->rung = rung;
    frame->sequence = sequence;
    frame->captured = encoded->captured;
    frame->captured_wall =
        std::chrono::duration_cast<std::chrono::microseconds>(encoded->captured_wall.time_since_epoch());
    FrameHeader header;
    header.codec = encoded->codec;
    header.rung = rung;
    header.key = encoded->key;
    header.converged = encoded->converged;
    header.payload_bytes = static_cast<std::uint32_t>(encoded->bytes.size());
    header.sequence = sequence;
    header.captured_wall_us = static_cast<std::uint64_t>(frame->captured_wall.count());
    header.width = static_cast<std::uint16_t>(encoded->size.width);
    header.height = static_cast<std::uint16_t>(encoded->size.height);
    header.exposure_us = encoded->exposure.time_us;
    header.iso = encoded->exposure.sensitivity;
    header.controls_generation = encoded->controls_generation;
    frame->header = serializeFrameHeader(header);
    return frame;
}

} // namespace picam
