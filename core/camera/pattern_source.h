// A camera that is none: a moving test card (pattern_card.h) at the asked size and rate. A thread of its own keeps the
// rate; when all its buffers are lent out the frame is left out, as a camera would.
#pragma once

#include "core/camera/source.h"

#include <memory>

namespace picam {

[[nodiscard]] std::unique_ptr<Source> createPatternSource();

} // namespace picam
