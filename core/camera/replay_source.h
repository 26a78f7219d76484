// A source that plays a recording, in a loop: a Y4M file at its own rate, or JPEGs (one, or a folder in the order of
// their names) at the requested rate. JPEGs pass unchanged. The size is the recording's. Files are read again each
// time, so that one that disappears is noticed.
#pragma once

#include "core/camera/source.h"

#include <memory>
#include <string>

namespace picam {

[[nodiscard]] std::unique_ptr<Source> createReplaySource(std::string path);

} // namespace picam
