#include "core/base/error.h"

#include <system_error>

namespace picam {

tl::unexpected<Error> failErrno(ErrorKind kind, std::string_view what, int error_number)
{
    std::string message(what);
    message += ": ";
    message += std::generic_category().message(error_number);
    return fail(kind, std::move(message));
}

int httpStatus(ErrorKind kind) noexcept
{
    switch (kind) {
    case ErrorKind::kNoCamera:
    case ErrorKind::kCameraBusy:
    case ErrorKind::kCameraFailed:
    case ErrorKind::kStalled:
    case ErrorKind::kUnsupported:
    case ErrorKind::kTimeout:
    case ErrorKind::kInterrupted:
    case ErrorKind::kIo:
    case ErrorKind::kCorrupt:
        return 503;
    case ErrorKind::kSetting:
        return 500;
    }
    return 500;
}

} // namespace picam
