// Error is what went wrong, as a value: a kind, which decides the HTTP status, and one sentence for a person.
// Constructors cannot fail; create() and everything that uses the operating system return Expected. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace picam {

enum class ErrorKind : std::uint8_t {
    kSetting,      // a setting is unknown or out of range
    kIo,           // a file, a socket or a folder cannot be used
    kCorrupt,      // data that is not what it claims to be
    kNoCamera,     // there is no camera (or no replay file) to open
    kCameraBusy,   // somebody else holds the camera
    kCameraFailed, // the camera was there and failed
    kStalled,      // the camera gives no frames
    kUnsupported,  // the camera or the program cannot do what was asked
    kTimeout,      // the deadline passed
    kInterrupted,  // somebody asked us to stop waiting
};

struct Error {
    ErrorKind kind = ErrorKind::kIo;
    std::string message; // one sentence, no full stop, no newline
};

template <class T>
using Expected = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message)
{
    return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// The sentence with errno's text behind it: "cannot open x: No such file or directory".
[[nodiscard]] tl::unexpected<Error> failErrno(ErrorKind kind, std::string_view what, int error_number);

// The one table from an error to an HTTP status (503 for all that a camera may recover from).
[[nodiscard]] int httpStatus(ErrorKind kind) noexcept;

} // namespace picam
