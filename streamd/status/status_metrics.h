// The answer to /metrics: what streamd has counted, in Prometheus' text format 0.0.4. Pure function.
#pragma once

#include "streamd/status/status.h"

#include <string>

namespace picam {

[[nodiscard]] std::string statusMetrics(const StatusValues &values);

} // namespace picam
