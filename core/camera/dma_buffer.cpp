#include "core/camera/dma_buffer.h"

#include "core/base/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace picam {
namespace {

void sync(int fd, std::uint64_t flags) noexcept
{
    dma_buf_sync request{};
    request.flags = flags;
    while (::ioctl(fd, DMA_BUF_IOCTL_SYNC, &request) != 0 && (errno == EINTR || errno == EAGAIN)) {
    }
}

} // namespace

Expected<int> allocateDmaBuffer(std::size_t bytes, const std::string &name)
{
    for (const char *heap : {"/dev/dma_heap/vidbuf_cached", "/dev/dma_heap/linux,cma"}) {
        const FileDescriptor heap_fd(::open(heap, O_RDWR | O_CLOEXEC));
        if (!heap_fd)
            continue;
        dma_heap_allocation_data request{};
        request.len = bytes;
        request.fd_flags = O_RDWR | O_CLOEXEC;
        if (::ioctl(heap_fd.get(), DMA_HEAP_IOCTL_ALLOC, &request) != 0)
            return failErrno(ErrorKind::kIo, fmt::format("cannot allocate {} bytes from {}", bytes, heap), errno);
        const int fd = static_cast<int>(request.fd);
        static_cast<void>(::ioctl(fd, DMA_BUF_SET_NAME, name.c_str()));
        return fd;
    }
    return fail(ErrorKind::kUnsupported, "there is no dma_heap for cameras");
}

void beginCpuRead(int fd) noexcept
{
    sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
}

void endCpuRead(int fd) noexcept
{
    sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}

MappedFiles::~MappedFiles()
{
    for (const auto &[fd, mapping] : mappings_)
        ::munmap(mapping.address, mapping.bytes);
}

Expected<const std::uint8_t *> MappedFiles::map(int fd, std::size_t bytes)
{
    const auto found = mappings_.find(fd);
    if (found != mappings_.end() && found->second.bytes >= bytes)
        return static_cast<const std::uint8_t *>(found->second.address);
    void *address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        return failErrno(ErrorKind::kIo, "cannot map a camera buffer", errno);
    if (found != mappings_.end())
        ::munmap(found->second.address, found->second.bytes);
    mappings_[fd] = {address, bytes};
    return static_cast<const std::uint8_t *>(address);
}

} // namespace picam
