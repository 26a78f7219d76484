#include "core/base/runtime_dir.h"

#include <cerrno>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace picam {

Expected<void> prepareRuntimeDir(const std::string &path)
{
    struct stat status {};
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST)
        return failErrno(ErrorKind::kIo, fmt::format("cannot make the runtime directory {}", path), errno);
    if (::stat(path.c_str(), &status) != 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot use the runtime directory {}", path), errno);
    if (!S_ISDIR(status.st_mode))
        return fail(ErrorKind::kIo, fmt::format("the runtime directory {} is no directory", path));
    if (::access(path.c_str(), W_OK | X_OK) != 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot write to the runtime directory {}", path), errno);
    return {};
}

} // namespace picam
