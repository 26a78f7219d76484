// LibcameraBuffers allocates and maps the frame buffers of one configured camera: from a DMA heap where that makes them
// faster to read, else the camera's own. Part of the module. One thread at a time.
#pragma once

#include "core/base/error.h"
#include "core/camera/dma_buffer.h"
#include "core/image/frame.h"

#include <array>
#include <libcamera/libcamera.h>
#include <memory>
#include <string>
#include <vector>

namespace picam {

class LibcameraBuffers {
public:
    // A mapped buffer, and where its planes lie.
    struct Buffer {
        libcamera::FrameBuffer *buffer = nullptr; // owned by LibcameraBuffers
        std::vector<int> fds;                     // unique, for cache maintenance
        std::array<Plane, 3> planes{};
    };

    // `name`: the camera's, for messages.
    LibcameraBuffers(std::shared_ptr<libcamera::Camera> camera, std::string name);

    // The buffers of one stream of a configured camera, as many as its configuration says or the driver gives.
    // Errors: kCameraFailed, kIo.
    [[nodiscard]] Expected<std::vector<Buffer>> allocate(const libcamera::StreamConfiguration &stream,
                                                         const FrameFormat &format);

    // Frees libcamera's side of all buffers; what is mapped stays readable until the destructor, for frames that are
    // still held. REQUIRES: no request has them.
    void release();

private:
    [[nodiscard]] Expected<void> allocateFromHeap(const libcamera::StreamConfiguration &stream,
                                                  const FrameFormat &format, std::vector<Buffer> &buffers);
    [[nodiscard]] Expected<void> allocateFromCamera(const libcamera::StreamConfiguration &stream,
                                                    std::vector<Buffer> &buffers);
    [[nodiscard]] Expected<void> map(Buffer &buffer, const libcamera::StreamConfiguration &stream,
                                     const FrameFormat &format);

    std::shared_ptr<libcamera::Camera> camera_;
    const std::string name_;
    std::unique_ptr<libcamera::FrameBufferAllocator> allocator_; // of the camera's own
    std::vector<std::unique_ptr<libcamera::FrameBuffer>> from_heap_;
    MappedFiles maps_;
};

} // namespace picam
