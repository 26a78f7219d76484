// A recording in a camera's place: a Y4M file at its own rate, or JPEGs (one, or a folder in the order of their names)
// at the asked rate, looped. JPEGs pass as they are. The size is the recording's. Read again from the disk each time,
// so that a file which goes away is noticed.
#pragma once

#include "core/camera/source.h"

#include <memory>
#include <string>

namespace picam {

[[nodiscard]] std::unique_ptr<Source> createReplaySource(std::string path);

} // namespace picam
