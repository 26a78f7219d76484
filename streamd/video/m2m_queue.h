// M2mQueue is one of the two buffer queues of a V4L2 memory-to-memory device: frames go in through one (the kernel's
// OUTPUT), what is made of them comes out of the other (CAPTURE). Each buffer is one plane of memory. It allocates,
// maps, queues and gives back; when to do what, its owner knows. One thread at a time.
#pragma once

#include "core/base/error.h"
#include "streamd/video/m2m_device.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace picam {

// ioctl() again after a signal.
[[nodiscard]] int callDevice(M2mDevice &device, unsigned long request, void *argument);

class M2mQueue {
public:
    enum class Kind : std::uint8_t { kFrames, kEncoded };
    enum class Memory : std::uint8_t { kMapped, kImported };

    // A buffer that the driver has let go of.
    struct Taken {
        std::uint32_t index = 0;
        std::span<const std::uint8_t> bytes; // as long as it has not been queued again; not of imported memory
        bool damaged = false;                // the driver says so
        std::chrono::microseconds stamp{0};  // that the frame was queued with
    };

    // REQUIRES: the device outlives the queue.
    M2mQueue(M2mDevice &device, Kind kind);
    M2mQueue(const M2mQueue &) = delete;
    M2mQueue &operator=(const M2mQueue &) = delete;
    ~M2mQueue() { stop(); }

    // Takes `count` buffers, or as many as the driver makes of it; kEncoded's are all queued. Then streams.
    // After an error the queue is stopped. REQUIRES: it is stopped, the format is set.
    [[nodiscard]] Expected<void> start(Memory memory, std::uint32_t count);
    // Ends it and gives all memory back, whatever has failed before.
    void stop();

    // Hands a buffer to the driver: for kFrames `bytes` of a frame, from the dma-buf where memory is imported.
    // False, and errno: the driver refuses.
    [[nodiscard]] bool queue(std::uint32_t index, std::size_t bytes, std::chrono::microseconds stamp, int dma_buf = -1);

    // A buffer that the driver is through with, or nothing yet. Errors: kIo.
    [[nodiscard]] Expected<std::optional<Taken>> take();

    [[nodiscard]] std::uint32_t count() const { return count_; } // buffers; 0: it is stopped
    [[nodiscard]] Memory memory() const { return memory_; }
    [[nodiscard]] std::span<std::uint8_t> mapped(std::uint32_t index) const { return mapped_.at(index); }

private:
    [[nodiscard]] Expected<void> mapAll();

    M2mDevice &device_;
    const Kind kind_;
    const std::uint32_t type_; // the kernel's number of the queue
    Memory memory_ = Memory::kMapped;
    std::uint32_t count_ = 0;
    std::vector<std::span<std::uint8_t>> mapped_; // by the driver's index
};

} // namespace picam
