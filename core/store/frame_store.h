// The newest picture, in shared memory, for every process of an instance (layout: frame_store_format.h).
// Whoever holds the camera lock publishes; anybody reads. Neither blocks the other. All functions: any thread; no
// member changes after open().
#pragma once

#include "core/base/error.h"
#include "core/image/picture.h"
#include "core/store/frame_store_format.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace picam {

struct StoreTag {
    bool stream = false;                   // by the streaming daemon
    bool still_size = false;               // made on request at the still's size, beside the stream
    bool still_offered = false;            // kStillWish brings one of the still's size
    std::chrono::microseconds interval{0}; // until the next picture is due; 0: none is promised
};

struct StoredPicture {
    PicturePtr picture;
    StoreTag tag;
};

// The system calls of the store, so that a test can fail or stop at the Nth.
class StoreFile {
public:
    virtual ~StoreFile() = default;
    virtual long read(void *to, std::size_t bytes, std::uint64_t offset) = 0;          // as pread
    virtual long write(const void *from, std::size_t bytes, std::uint64_t offset) = 0; // as pwrite
};

class FrameStore {
public:
    // Opens the file or makes it (mode 0660). A file that is no store of this layout stays as it is until the first
    // publish() rebuilds it. Errors: kIo with path and reason (not a regular file, not permitted).
    [[nodiscard]] static Expected<FrameStore> open(const std::string &path);
    // For tests: over a file of the test's making; the futex words are then private.
    [[nodiscard]] static FrameStore overFile(std::unique_ptr<StoreFile> file);

    FrameStore(FrameStore &&) noexcept;
    FrameStore &operator=(FrameStore &&) noexcept;
    FrameStore(const FrameStore &) = delete;
    FrameStore &operator=(const FrameStore &) = delete;
    ~FrameStore();

    // Only with the camera lock held. Gives the picture the next sequence (across writers) and returns it; wakes
    // whoever waits. One of tag.still_size shares the sequence of the newest frame beside it, and leaves all others.
    // Errors: kUnsupported (larger than a slot), kIo.
    [[nodiscard]] Expected<std::uint64_t> publish(const Picture &picture, const StoreTag &tag);
    // Those that follow each other, or those made at the still's size beside them.
    enum class Kind : std::uint8_t { kSequence, kStillSize };
    // The newest whole picture, copied. Empty: there is none. Errors: kCorrupt, kIo.
    [[nodiscard]] Expected<std::optional<StoredPicture>> newest(Kind kind = Kind::kSequence) const;
    // The entry alone, without the bytes (jpeg is empty): cheap, to decide whether newest() is worth it.
    [[nodiscard]] Expected<std::optional<StoredPicture>> newestEntry(Kind kind = Kind::kSequence) const;

    enum class Word : std::uint8_t { kEvent, kCameraWish, kStillWish };
    // Remember value(), look at the world, then waitChanged(): no wake-up is lost. Spurious returns happen.
    [[nodiscard]] std::uint32_t value(Word word) const;
    void waitChanged(Word word, std::uint32_t seen, std::optional<MonotonicTime> deadline) const;
    void signal(Word word) const;
    // Asks whoever holds the camera to give it up. A holder waits on kStillWish alone and looks at kCameraWish then.
    void wishForCamera() const;
    void wishIsGranted() const; // by whoever wished, with the lock in hand
    // Whether somebody wished for it within the last `time`, and has it not yet.
    [[nodiscard]] bool isCameraWished(std::chrono::milliseconds time) const;

private:
    struct State;
    explicit FrameStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace picam
