#include "core/base/small_file.h"

#include "core/base/file_descriptor.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace picam {
namespace {

constexpr mode_t kMode = 0640;

bool writeAll(int fd, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t put = ::write(fd, text.data(), text.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            errno = put < 0 ? errno : ENOSPC;
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

// A new name is on the disk when its folder is.
void syncFolderOf(const std::string &path)
{
    const FileDescriptor folder(
        ::open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder)
        static_cast<void>(::fsync(folder.get()));
}

} // namespace

Expected<std::optional<std::string>> readSmallFile(const std::string &path, std::size_t max)
{
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno == ENOENT)
        return std::optional<std::string>();
    if (!file)
        return failErrno(ErrorKind::kIo, fmt::format("cannot read {}", path), errno);
    std::string text(max + 1, '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failErrno(ErrorKind::kIo, fmt::format("cannot read {}", path), errno);
        if (got == 0)
            break;
        done += static_cast<std::size_t>(got);
    }
    if (done > max)
        return fail(ErrorKind::kCorrupt, fmt::format("{} is larger than {} bytes", path, max));
    text.resize(done);
    return std::optional<std::string>(std::move(text));
}

Expected<void> replaceSmallFile(const std::string &path, std::string_view text, Durability durability)
{
    const std::string fresh = path + ".new";
    const auto failed = [&](int error) {
        ::unlink(fresh.c_str());
        return failErrno(ErrorKind::kIo, fmt::format("cannot write {}", path), error);
    };
    FileDescriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file)
        return failErrno(ErrorKind::kIo, fmt::format("cannot write {}", path), errno);
    if (!writeAll(file.get(), text))
        return failed(errno);
    if (durability == Durability::kLasting && ::fsync(file.get()) != 0)
        return failed(errno);
    file.reset();
    if (std::rename(fresh.c_str(), path.c_str()) != 0)
        return failed(errno);
    if (durability == Durability::kLasting)
        syncFolderOf(path);
    return {};
}

} // namespace picam
