#include "streamd/video/m2m_queue.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <linux/videodev2.h>
#include <string_view>
#include <utility>

namespace picam {
namespace {

std::uint32_t typeOf(M2mQueue::Kind kind)
{
    return kind == M2mQueue::Kind::kFrames ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
}

std::uint32_t kernelMemory(M2mQueue::Memory memory)
{
    return memory == M2mQueue::Memory::kImported ? V4L2_MEMORY_DMABUF : V4L2_MEMORY_MMAP;
}

// A buffer's description with its one plane, which has to stay beside it.
struct Description {
    v4l2_plane plane{};
    v4l2_buffer buffer{};

    Description(std::uint32_t type, M2mQueue::Memory memory, std::uint32_t index = 0)
    {
        buffer.type = type;
        buffer.memory = kernelMemory(memory);
        buffer.index = index;
        buffer.length = 1;
        buffer.m.planes = &plane;
    }
    Description(const Description &) = delete;
    Description &operator=(const Description &) = delete;
};

} // namespace

int callDevice(M2mDevice &device, unsigned long request, void *argument)
{
    int result = 0;
    do
        result = device.ioctl(request, argument);
    while (result != 0 && errno == EINTR);
    return result;
}

M2mQueue::M2mQueue(M2mDevice &device, Kind kind) : device_(device), kind_(kind), type_(typeOf(kind)) {}

Expected<void> M2mQueue::start(Memory memory, std::uint32_t count)
{
    memory_ = memory;
    v4l2_requestbuffers request{};
    request.count = count;
    request.type = type_;
    request.memory = kernelMemory(memory);
    if (callDevice(device_, VIDIOC_REQBUFS, &request) != 0)
        return failErrno(ErrorKind::kIo, "the video encoder has no memory", errno);
    count_ = request.count;
    if (count_ == 0)
        return fail(ErrorKind::kIo, "the video encoder has no memory");
    if (memory == Memory::kMapped) {
        if (auto mapped = mapAll(); !mapped) {
            stop();
            return mapped;
        }
    }
    for (std::uint32_t index = 0; kind_ == Kind::kEncoded && index < count_; ++index) {
        if (!queue(index, 0, {})) {
            const int error = errno;
            stop();
            return failErrno(ErrorKind::kIo, "the video encoder refuses a buffer", error);
        }
    }
    auto type = static_cast<int>(type_);
    if (callDevice(device_, VIDIOC_STREAMON, &type) != 0) {
        const int error = errno;
        stop();
        return failErrno(ErrorKind::kIo, "the video encoder does not start", error);
    }
    return {};
}

Expected<void> M2mQueue::mapAll()
{
    for (std::uint32_t index = 0; index < count_; ++index) {
        Description one(type_, memory_, index);
        if (callDevice(device_, VIDIOC_QUERYBUF, &one.buffer) != 0)
            return failErrno(ErrorKind::kIo, "the video encoder does not show a buffer", errno);
        const std::span<std::uint8_t> mapping = device_.map(one.plane.length, one.plane.m.mem_offset);
        if (mapping.empty())
            return failErrno(ErrorKind::kIo, "cannot map a buffer of the video encoder", errno);
        mapped_.push_back(mapping);
    }
    return {};
}

void M2mQueue::stop()
{
    if (count_ == 0)
        return;
    // What fails here has nobody who could do better; closing the device frees the rest.
    auto type = static_cast<int>(type_);
    static_cast<void>(callDevice(device_, VIDIOC_STREAMOFF, &type));
    for (const std::span<std::uint8_t> mapping : mapped_)
        device_.unmap(mapping);
    mapped_.clear(); // before REQBUFS: it is refused while a buffer is mapped, by older kernels
    v4l2_requestbuffers none{};
    none.type = type_;
    none.memory = kernelMemory(memory_);
    static_cast<void>(callDevice(device_, VIDIOC_REQBUFS, &none));
    count_ = 0;
}

bool M2mQueue::queue(std::uint32_t index, std::size_t bytes, std::chrono::microseconds stamp, int dma_buf)
{
    using Seconds = decltype(v4l2_buffer::timestamp.tv_sec); // 32 bits on some
    using Microseconds = decltype(v4l2_buffer::timestamp.tv_usec);
    Description one(type_, memory_, index);
    one.buffer.field = V4L2_FIELD_NONE;
    one.buffer.timestamp.tv_sec = static_cast<Seconds>(stamp.count() / 1'000'000);
    one.buffer.timestamp.tv_usec = static_cast<Microseconds>(stamp.count() % 1'000'000);
    one.plane.bytesused = static_cast<std::uint32_t>(bytes);
    if (memory_ == Memory::kImported)
        one.plane.m.fd = dma_buf; // its length the kernel asks itself
    return callDevice(device_, VIDIOC_QBUF, &one.buffer) == 0;
}

Expected<std::optional<M2mQueue::Taken>> M2mQueue::take()
{
    Description one(type_, memory_);
    if (callDevice(device_, VIDIOC_DQBUF, &one.buffer) != 0) {
        if (errno == EAGAIN)
            return std::nullopt;
        return failErrno(ErrorKind::kIo, "the video encoder gives no buffer back", errno);
    }
    if (one.buffer.index >= count_)
        return fail(ErrorKind::kIo, "the video encoder gives a buffer back that it never had");
    Taken taken;
    taken.index = one.buffer.index;
    taken.damaged = (one.buffer.flags & V4L2_BUF_FLAG_ERROR) != 0;
    taken.stamp =
        std::chrono::seconds(one.buffer.timestamp.tv_sec) + std::chrono::microseconds(one.buffer.timestamp.tv_usec);
    if (memory_ == Memory::kMapped) {
        const std::span<const std::uint8_t> all = mapped_[taken.index];
        const std::size_t begin = std::min<std::size_t>(one.plane.data_offset, all.size());
        const std::size_t end = std::clamp<std::size_t>(one.plane.bytesused, begin, all.size());
        taken.bytes = all.subspan(begin, end - begin);
    }
    return taken;
}

} // namespace picam
