// StoreFile is the seam between the frame store and the operating system: positioned reads and writes of one file, so
// that a test can fail or stop at the Nth.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace picam {

// Any thread. Both calls behave as their namesakes: they may do less than asked, and return -1 with errno on failure.
class StoreFile {
public:
    StoreFile() = default;
    StoreFile(const StoreFile &) = delete;
    StoreFile &operator=(const StoreFile &) = delete;
    virtual ~StoreFile() = default;
    virtual long read(void *to, std::size_t bytes, std::uint64_t offset) = 0;          // as pread
    virtual long write(const void *from, std::size_t bytes, std::uint64_t offset) = 0; // as pwrite
};

// Opens the frame store's file, or makes it: mode 0600, since both programs run as one user and nobody else reads it;
// long enough for the words that CameraRequests maps. Does not follow a symbolic link. `fd`, if given, receives the
// descriptor, which stays the file's. Errors: kIo with path and reason (not a regular file, not permitted).
[[nodiscard]] Expected<std::unique_ptr<StoreFile>> openStoreFile(const std::string &path, int *fd = nullptr);

} // namespace picam
