// What the main() of both programs shares: settings, log, the flags that only print, and one sentence and exit status
// 1 for an error.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"

#include <functional>
#include <string>

namespace picam {

// Returns main()'s exit status. `serve` runs the program until it is asked to stop. Call in the first thread, before
// others; SIGPIPE is ignored from here on.
[[nodiscard]] int runProgram(int argc, const char *const *argv, const std::string &name, const std::string &help,
                             const std::function<Expected<void>(const Settings &)> &serve);

// Ends the process at once, with `why` in the log, for the service manager to start another. Any thread.
[[noreturn]] void giveUp(const std::string &why);

} // namespace picam
