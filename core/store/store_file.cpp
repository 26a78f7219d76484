#include "core/store/store_file.h"

#include "core/base/file_descriptor.h"
#include "core/store/frame_store_format.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr mode_t kMode = 0600;

class RealStoreFile : public StoreFile {
public:
    explicit RealStoreFile(FileDescriptor fd) : fd_(std::move(fd)) {}
    long read(void *to, std::size_t bytes, std::uint64_t offset) override
    {
        return static_cast<long>(::pread(fd_.get(), to, bytes, static_cast<off_t>(offset)));
    }
    long write(const void *from, std::size_t bytes, std::uint64_t offset) override
    {
        return static_cast<long>(::pwrite(fd_.get(), from, bytes, static_cast<off_t>(offset)));
    }

private:
    const FileDescriptor fd_;
};

} // namespace

Expected<std::unique_ptr<StoreFile>> openStoreFile(const std::string &path, int *fd)
{
    const int opened = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kMode);
    if (opened < 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot open the frame store {}", path), errno);
    auto file = std::make_unique<RealStoreFile>(FileDescriptor(opened));
    struct stat status {};
    if (::fstat(opened, &status) != 0 || !S_ISREG(status.st_mode))
        return fail(ErrorKind::kIo, fmt::format("{} is in the way: it is no regular file", path));
    // One that an earlier version made was open to the group.
    if (status.st_uid == ::geteuid() && (status.st_mode & 07777U) != kMode)
        static_cast<void>(::fchmod(opened, kMode));
    // The futex words need a page behind them from the start. Written rather than truncated to: another process may
    // have made the file longer meanwhile.
    constexpr char kZero = 0;
    if (status.st_size < static_cast<off_t>(store::kFirstSlotOffset) &&
        file->write(&kZero, sizeof(kZero), store::kFirstSlotOffset - 1) != static_cast<long>(sizeof(kZero)))
        return failErrno(ErrorKind::kIo, fmt::format("cannot enlarge the frame store {}", path), errno);
    if (fd != nullptr)
        *fd = opened;
    return file;
}

} // namespace picam
