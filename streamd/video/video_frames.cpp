#include "streamd/video/video_frames.h"

#include <array>
#include <utility>

namespace picam {

Expected<const Frame *> VideoFrames::prepare(const Frame &frame)
{
    if (frame.format().pixels == PixelFormat::kJpeg) {
        if (!jpegs_)
            jpegs_.emplace();
        auto decoded = jpegs_->decode(frame);
        if (!decoded)
            return tl::unexpected<Error>(std::move(decoded.error()));
        decoded_ = std::move(*decoded);
        return prepareRaw(decoded_);
    }
    return prepareRaw(frame);
}

Expected<const Frame *> VideoFrames::prepareRaw(const Frame &frame)
{
    const FrameFormat &format = frame.format();
    const bool taken = format.pixels == PixelFormat::kYuv420 || (takes_nv12_ && format.pixels == PixelFormat::kNv12);
    if (taken && transform_.isIdentity() && format.size == size_ && format.range == ColorRange::kFull &&
        format.matrix == ColorMatrix::kBt601) {
        if (auto checked = checkPlanes(frame); !checked)
            return tl::unexpected<Error>(std::move(checked.error()));
        return &frame;
    }
    auto view = pixels_.toJpegPlanes(frame, transform_);
    if (!view)
        return tl::unexpected<Error>(std::move(view.error()));
    if (view->size != size_)
        view = pixels_.resized(*view, size_);
    std::array<Plane, 3> planes{};
    for (std::size_t i = 0; i < planes.size(); ++i)
        planes.at(i) = {.data = view->data.at(i),
                        .stride = view->stride.at(i),
                        .size = view->stride.at(i) * (size_.height / (i == 0 ? 1 : 2))};
    prepared_ =
        Frame({PixelFormat::kYuv420, size_, ColorRange::kFull, ColorMatrix::kBt601}, planes, frame.captured(), nullptr);
    prepared_.metadata() = frame.metadata();
    prepared_.setConverged(frame.converged());
    return &prepared_;
}

} // namespace picam
