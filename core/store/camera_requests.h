// CameraRequests carries requests and notifications between the processes of one instance: futex words in the header
// of the frame store's file (layout: frame_store_format.h). It transports no pictures (FrameStore) and grants nothing
// (CameraLock). All functions: any thread; no member changes after open().
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"
#include "core/store/store_file.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace picam {

// Whether what was made with controls of one generation is from before those of another. Generations may wrap.
[[nodiscard]] constexpr bool isBeforeControls(std::uint32_t generation, std::uint32_t wanted)
{
    return static_cast<std::int32_t>(generation - wanted) < 0;
}

class CameraRequests {
public:
    // Errors: as openStoreFile(), and kIo when the file cannot be mapped.
    [[nodiscard]] static Expected<CameraRequests> open(const std::string &path);

    CameraRequests(CameraRequests &&other) noexcept;
    CameraRequests &operator=(CameraRequests &&other) noexcept;
    CameraRequests(const CameraRequests &) = delete;
    CameraRequests &operator=(const CameraRequests &) = delete;
    ~CameraRequests();

    enum class Word : std::uint8_t {
        kEvent,         // a picture was published, or the camera was released
        kCameraRequest, // a process waits for the camera lock
        kStillRequest,  // a process requests a picture, or the camera: whoever holds the camera waits on this one
    };
    // Remember value(), look at the world, then waitChanged(): no wake-up is lost. waitChanged() also returns at the
    // deadline and may return for no reason.
    [[nodiscard]] std::uint32_t value(Word word) const;
    void waitChanged(Word word, std::uint32_t seen, std::optional<MonotonicTime> deadline) const;
    void signal(Word word) const; // changes the word and wakes whoever waits on it

    // Requests the camera from whichever process holds it. A holder waits on kStillRequest alone, and looks at
    // kCameraRequest then.
    void requestCamera() const;
    // To be called by whoever requested it, with the camera lock in hand.
    void cameraGranted() const;
    // Whether somebody requested it within the last `time` and has not got it yet.
    [[nodiscard]] bool isCameraRequested(std::chrono::milliseconds time) const;

    // The generation of the controls that are wanted (ControlsDocument): only picam-streamd raises it, with the
    // document published before. Whoever has the camera open hears of it by kStillRequest, whoever waits for a picture
    // by kEvent.
    [[nodiscard]] std::uint32_t controlsGeneration() const;
    void setControlsGeneration(std::uint32_t generation) const;

private:
    CameraRequests(std::unique_ptr<StoreFile> file, void *words) : file_(std::move(file)), words_(words) {}
    [[nodiscard]] void *address(Word word) const;

    std::unique_ptr<StoreFile> file_;
    void *words_ = nullptr; // the first page, for the kernel's futex calls only: never dereferenced
};

} // namespace picam
