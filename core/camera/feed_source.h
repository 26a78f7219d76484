// A source that reads JPEGs from a program which listens on a unix socket (feed_protocol.h). Connected from start() to
// stop(), and after a start() that failed because the program has no picture: then it tells of the first that comes.
// start() waits for the first picture, which has the size. Pictures pass unchanged; what came too quickly, or is too
// old, is left out.
#pragma once

#include "core/camera/source.h"

#include <chrono>
#include <memory>
#include <string>

namespace picam {

// For a camera far away that has to be opened first. Much less than a driver may take (CameraController).
constexpr std::chrono::milliseconds kFirstFrameTimeout{5000};

// `max_age`: a picture that is older when it arrives is none, as one that is sent again because there is no other.
[[nodiscard]] std::unique_ptr<Source> createFeedSource(std::string path, std::chrono::milliseconds max_age,
                                                       std::chrono::milliseconds first_frame = kFirstFrameTimeout);

} // namespace picam
