// Buffers shared with the kernel's drivers: allocated from a dma_heap whose memory the processor reads at full speed,
// mapped once, and bracketed with the cache maintenance that reading requires. Any thread; a mapping is constant.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace picam {

// A new dma-buf of at least `bytes` bytes from the first heap that has them: vidbuf_cached, then linux,cma.
// The caller closes it. Errors: kUnsupported where there is no such heap (use the camera's own allocator), kIo.
[[nodiscard]] Expected<int> allocateDmaBuffer(std::size_t bytes, const std::string &name);

// Cache maintenance around the CPU's reading. What is no dma-buf answers with an error that means nothing: ignored.
void beginCpuRead(int fd) noexcept;
void endCpuRead(int fd) noexcept;

// Read-only mappings of files, one for each descriptor, gone with the object.
class MappedFiles {
public:
    MappedFiles() = default;
    MappedFiles(const MappedFiles &) = delete;
    MappedFiles &operator=(const MappedFiles &) = delete;
    ~MappedFiles();

    // The first `bytes` bytes of fd; call with the largest end of all planes in it. Errors: kIo.
    [[nodiscard]] Expected<const std::uint8_t *> map(int fd, std::size_t bytes);

private:
    struct Mapping {
        void *address;
        std::size_t bytes;
    };
    std::map<int, Mapping> mappings_; // by descriptor
};

} // namespace picam
