// A source without a camera: a moving test card (pattern_card.h) of the requested size and rate. A thread of its own
// keeps the rate; while frames use all its buffers it skips frames, as a camera would.
#pragma once

#include "core/camera/source.h"

#include <memory>

namespace picam {

[[nodiscard]] std::unique_ptr<Source> createPatternSource();

} // namespace picam
