// The log: one line an event, to standard error, with journald's priority in front when the journal reads it, else
// with the time. Any thread. The level is set once, from the settings. It neither buffers nor rotates.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace picam::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };

// Call once, at the start of main(), before other threads. `program` stands in each line that a person reads.
void init(std::string_view program);
void setLevel(Level level);
[[nodiscard]] bool enabled(Level level) noexcept;

// Newlines and control characters in `text` come out as '?': what a client sent cannot forge a line.
void write(Level level, std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args &&...args)
{
    if (enabled(Level::kDebug))
        write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void info(fmt::format_string<Args...> format, Args &&...args)
{
    if (enabled(Level::kInfo))
        write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void warning(fmt::format_string<Args...> format, Args &&...args)
{
    if (enabled(Level::kWarning))
        write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void error(fmt::format_string<Args...> format, Args &&...args)
{
    write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace picam::log
