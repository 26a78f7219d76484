// The EXIF of a still (CIPA DC-008): when and how it was taken, as far as the camera reports it. The pixels are
// upright, and so is the orientation. Pure functions, any thread.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/image/encoded_frame.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace picam {

// A whole APP1 segment, its marker included. Local time, with its offset from UTC. `title`: camera.title; empty: none.
[[nodiscard]] std::vector<std::uint8_t> exifSegment(const Picture &picture, const std::string &title = {});

// Where the segment belongs in a JPEG: behind SOI and a JFIF header. 0: nowhere, since the camera has put one in.
[[nodiscard]] std::size_t exifOffset(const std::vector<std::uint8_t> &jpeg);

struct Exif {
    std::vector<std::uint8_t> segment;
    std::size_t offset = 0; // of the JPEG's byte that it goes in front of
};

// Many ask for the same picture: its EXIF is made once.
class ExifCache {
public:
    explicit ExifCache(std::string title = {}) : title_(std::move(title)) {}
    // Empty when the picture brings its own.
    [[nodiscard]] std::shared_ptr<const Exif> of(const PicturePtr &picture);

private:
    const std::string title_;
    Mutex mutex_;
    std::weak_ptr<const Picture> picture_ PICAM_GUARDED_BY(mutex_);
    std::shared_ptr<const Exif> exif_ PICAM_GUARDED_BY(mutex_);
};

} // namespace picam
