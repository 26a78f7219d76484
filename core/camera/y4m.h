// Y4mFile reads YUV4MPEG2 files: the header, and where the frames are. It reads with pread(), so that a file that
// shrinks is an error and not a signal. One thread.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"
#include "core/image/frame.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace picam {

struct Y4mHeader {
    FrameFormat format;    // kYuv420, of even sides: an odd last column or line is left out
    Size stored;           // as the file has it
    double fps = 0.0;      // 0: the file does not say
    std::size_t bytes = 0; // of the header line, its newline included
};

// The first line. Errors: kCorrupt (no Y4M), kUnsupported (chroma other than 8 bit 4:2:0, an absurd size).
[[nodiscard]] Expected<Y4mHeader> parseY4mHeader(const std::string &line);

class Y4mFile {
public:
    // Errors: kNoCamera (no such file), kIo, kCorrupt, kUnsupported; all with the path.
    [[nodiscard]] static Expected<Y4mFile> open(const std::string &path);

    [[nodiscard]] const Y4mHeader &header() const { return header_; }
    // The next frame's planes Y, U, V of format.size, one behind the other, without gaps; after the last whole one the
    // first again. Errors: kCorrupt (no whole frame at all), kIo.
    [[nodiscard]] Expected<void> readFrame(std::vector<std::uint8_t> &planes);

private:
    [[nodiscard]] Expected<std::uint64_t> readFrameAt(std::uint64_t offset, std::vector<std::uint8_t> &planes) const;

    Y4mFile(FileDescriptor fd, std::string path, Y4mHeader header)
        : fd_(std::move(fd)), path_(std::move(path)), header_(header)
    {
    }

    FileDescriptor fd_;
    std::string path_;
    Y4mHeader header_;
    std::uint64_t offset_ = 0; // of the next frame; 0: the first
};

} // namespace picam
