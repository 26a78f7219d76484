// The answer to /status: what streamd has counted, as one JSON object. Pure function.
#pragma once

#include "streamd/status/status.h"

#include <string>

namespace picam {

// Indented, with a newline at its end. Text that is not UTF-8 is replaced, not refused.
[[nodiscard]] std::string statusJson(const StatusValues &values);

} // namespace picam
