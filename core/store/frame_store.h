// FrameStore keeps the newest pictures in shared memory for every process of an instance (layout:
// frame_store_format.h). Whoever holds the camera lock publishes; every process reads; neither blocks the other. It
// carries no requests (CameraRequests). All functions: any thread; no member changes after open().
#pragma once

#include "core/base/error.h"
#include "core/image/encoded_frame.h"
#include "core/store/camera_requests.h"
#include "core/store/store_file.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace picam {

struct StoreTag {
    bool stream = false;                   // by the streaming daemon
    bool still_size = false;               // made on request at the still's size, beside the stream
    bool still_offered = false;            // kStillRequest brings one of the still's size
    std::chrono::microseconds interval{0}; // until the next picture is due; 0: none is promised
};

struct StoredPicture {
    PicturePtr picture;
    StoreTag tag;
};

class FrameStore {
public:
    // Opens the file or makes it. A file that is no store of this layout stays as it is until the first publish()
    // rebuilds it. `requests`, of the same file, must outlive the store. Errors: as openStoreFile().
    [[nodiscard]] static Expected<FrameStore> open(const std::string &path, const CameraRequests &requests);
    // Over an open file; `path` names it in messages.
    FrameStore(std::unique_ptr<StoreFile> file, std::string path, const CameraRequests &requests);

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
    // The entry alone, without the bytes (its bytes are empty): cheap, to decide whether newest() is worth it.
    [[nodiscard]] Expected<std::optional<StoredPicture>> newestEntry(Kind kind = Kind::kSequence) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace picam
