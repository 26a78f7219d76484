#include "core/camera/libcamera_buffers.h"

#include "core/camera/libcamera_config.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace picam {
namespace {

// A plane that says nothing of its offset begins its file.
std::size_t offsetOf(const libcamera::FrameBuffer::Plane &plane)
{
    return plane.offset == libcamera::FrameBuffer::Plane::kInvalidOffset ? 0 : plane.offset;
}

// Heap memory is cached, the camera's own is not: reading it is many times faster on a Pi. Only where the frame is one
// contiguous image, and only for cameras behind an ISP: a UVC driver keeps its own memory.
bool heapHelps(const libcamera::Camera &camera, const FrameFormat &format)
{
    // "/base/" begins a device tree's paths, those of USB devices too.
    return camera.id().find("/base/") != std::string::npos && libcamera_config::promisesRate(camera) &&
           format.pixels != PixelFormat::kJpeg;
}

} // namespace

LibcameraBuffers::LibcameraBuffers(std::shared_ptr<libcamera::Camera> camera, std::string name)
    : camera_(std::move(camera)), name_(std::move(name))
{
}

Expected<std::vector<LibcameraBuffers::Buffer>> LibcameraBuffers::allocate(const libcamera::StreamConfiguration &stream,
                                                                           const FrameFormat &format)
{
    std::vector<Buffer> buffers;
    if (!heapHelps(*camera_, format) || !allocateFromHeap(stream, format, buffers)) {
        buffers.clear();
        if (auto done = allocateFromCamera(stream, buffers); !done)
            return tl::unexpected<Error>(std::move(done.error()));
    }
    for (Buffer &buffer : buffers)
        if (auto done = map(buffer, stream, format); !done)
            return tl::unexpected<Error>(std::move(done.error()));
    return buffers;
}

Expected<void> LibcameraBuffers::allocateFromHeap(const libcamera::StreamConfiguration &stream,
                                                  const FrameFormat &format, std::vector<Buffer> &buffers)
{
    for (unsigned int i = 0; i < stream.bufferCount; ++i) {
        auto allocated = allocateDmaBuffer(stream.frameSize, fmt::format("picam-{}", i));
        if (!allocated)
            return tl::unexpected<Error>(std::move(allocated.error()));
        int raw = *allocated;
        const libcamera::SharedFD fd(std::move(raw)); // takes the descriptor over
        std::vector<libcamera::FrameBuffer::Plane> planes;
        unsigned int offset = 0;
        for (const unsigned int length : libcamera_config::planeLengths(stream, format.pixels)) {
            libcamera::FrameBuffer::Plane plane;
            plane.fd = fd;
            plane.offset = offset;
            plane.length = length;
            planes.push_back(plane);
            offset += length;
        }
        from_heap_.push_back(std::make_unique<libcamera::FrameBuffer>(planes));
        buffers.push_back({from_heap_.back().get(), {}, {}});
    }
    return {};
}

Expected<void> LibcameraBuffers::allocateFromCamera(const libcamera::StreamConfiguration &stream,
                                                    std::vector<Buffer> &buffers)
{
    if (!allocator_)
        allocator_ = std::make_unique<libcamera::FrameBufferAllocator>(camera_);
    if (const int result = allocator_->allocate(stream.stream()); result <= 0)
        return failErrno(libcamera_config::openingError(-result), fmt::format("no buffers for the camera {}", name_),
                         -result);
    for (const auto &buffer : allocator_->buffers(stream.stream()))
        buffers.push_back({buffer.get(), {}, {}});
    return {};
}

Expected<void> LibcameraBuffers::map(Buffer &buffer, const libcamera::StreamConfiguration &stream,
                                     const FrameFormat &format)
{
    const auto &planes = buffer.buffer->planes();
    // Offsets need not be page-aligned: map from 0 to the last plane's end.
    std::map<int, std::size_t> ends;
    for (const auto &plane : planes) {
        auto &end = ends[plane.fd.get()];
        end = std::max(end, offsetOf(plane) + plane.length);
    }
    std::vector<Plane> mapped;
    for (const auto &plane : planes) {
        auto base = maps_.map(plane.fd.get(), ends[plane.fd.get()]);
        if (!base)
            return tl::unexpected<Error>(std::move(base.error()));
        mapped.push_back({*base + offsetOf(plane), 0, plane.length, plane.fd.get(), offsetOf(plane)});
    }
    for (const auto &[fd, end] : ends)
        buffer.fds.push_back(fd);
    buffer.planes = libcamera_config::layOut(stream, format, mapped);
    return {};
}

void LibcameraBuffers::release()
{
    allocator_.reset();
    from_heap_.clear();
    camera_.reset();
}

} // namespace picam
