#include "core/base/log.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace picam::log {
namespace {

std::atomic<Level> current_level{Level::kInfo};

std::atomic<bool> journal_reads{false};

// Whether standard error is the stream that JOURNAL_STREAM names, "device:inode" in decimals (systemd.exec(5)): the
// variable is inherited by programs whose output goes elsewhere. journald takes the priority from "<N>" at the start of
// a line and adds time and program itself.
bool journalReadsStderr()
{
    const char *stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    return stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0 &&
           fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

spdlog::logger &logger()
{
    static const auto instance = [] {
        auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        auto made = std::make_shared<spdlog::logger>("picam", sink);
        made->set_level(spdlog::level::debug);
        made->flush_on(spdlog::level::debug);
        made->set_pattern("%v");
        return made;
    }();
    return *instance;
}

constexpr int journalPriority(Level level)
{
    switch (level) {
    case Level::kDebug:
        return 7;
    case Level::kInfo:
        return 6;
    case Level::kWarning:
        return 4;
    case Level::kError:
        return 3;
    }
    return 6;
}

constexpr spdlog::level::level_enum spdlogLevel(Level level)
{
    switch (level) {
    case Level::kDebug:
        return spdlog::level::debug;
    case Level::kInfo:
        return spdlog::level::info;
    case Level::kWarning:
        return spdlog::level::warn;
    case Level::kError:
        return spdlog::level::err;
    }
    return spdlog::level::info;
}

} // namespace

void init(std::string_view program)
{
    journal_reads = journalReadsStderr();
    if (!journal_reads)
        logger().set_pattern("%Y-%m-%dT%H:%M:%S.%e " + std::string(program) + "[%P] %l: %v");
}

void setLevel(Level level)
{
    current_level = level;
}

bool enabled(Level level) noexcept
{
    return level >= current_level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view text)
{
    std::string line;
    if (journal_reads.load(std::memory_order_relaxed))
        line = fmt::format("<{}>", journalPriority(level));
    for (const char c : text)
        line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    logger().log(spdlogLevel(level), spdlog::string_view_t(line));
}

} // namespace picam::log
