// A frame store and the requests of its file, opened together as both programs do.
#pragma once

#include "core/store/camera_requests.h"
#include "core/store/frame_store.h"

#include <string>

namespace picam::testing {

class OpenStore {
public:
    // Throws when the file cannot be opened.
    explicit OpenStore(const std::string &path)
        : requests_(CameraRequests::open(path).value()), store_(FrameStore::open(path, requests_).value())
    {
    }
    OpenStore(const OpenStore &) = delete;
    OpenStore &operator=(const OpenStore &) = delete;

    FrameStore &operator*() { return store_; }
    FrameStore *operator->() { return &store_; }
    [[nodiscard]] const CameraRequests &requests() const { return requests_; }

private:
    CameraRequests requests_;
    FrameStore store_;
};

} // namespace picam::testing
