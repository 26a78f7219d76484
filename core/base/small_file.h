// Reading small files whole, and replacing them in one step: a reader sees the old text or the new one, whenever the
// writer is killed. Any thread; one writer a file at a time.
#pragma once

#include "core/base/error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace picam {

// Empty: there is no such file. Errors: kIo; kCorrupt, when it has more than `max` bytes.
[[nodiscard]] Expected<std::optional<std::string>> readSmallFile(const std::string &path, std::size_t max);

// kLasting: on the disk when this returns, so that a power cut leaves one or the other; takes as long as the disk does.
enum class Durability { kUntilReboot, kLasting };
// Errors: kIo, with the path; the file is as it was.
[[nodiscard]] Expected<void> replaceSmallFile(const std::string &path, std::string_view text, Durability durability);

} // namespace picam
