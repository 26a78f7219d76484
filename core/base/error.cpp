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

std::string_view kindName(ErrorKind kind) noexcept
{
    switch (kind) {
    case ErrorKind::kSetting:
        return "setting";
    case ErrorKind::kIo:
        return "io";
    case ErrorKind::kCorrupt:
        return "corrupt";
    case ErrorKind::kNoCamera:
        return "no_camera";
    case ErrorKind::kCameraBusy:
        return "camera_busy";
    case ErrorKind::kCameraFailed:
        return "camera_failed";
    case ErrorKind::kStalled:
        return "stalled";
    case ErrorKind::kUnsupported:
        return "unsupported";
    case ErrorKind::kTimeout:
        return "timeout";
    case ErrorKind::kInterrupted:
        return "interrupted";
    }
    return "unknown";
}

} // namespace picam
