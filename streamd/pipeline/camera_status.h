// CameraStatus is the state of the stream's camera: reported by the pipeline, kept by the hub, shown by /status.
#pragma once

#include "core/image/geometry.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace picam {

enum class CameraState : std::uint8_t {
    kIdle,        // closed: nobody wants it
    kStarting,    // wanted, and nothing has gone wrong yet
    kStreaming,   // frames flow
    kUnavailable, // wanted, and `reason` stands in the way; it is being tried again
};

struct CameraStatus {
    CameraState state = CameraState::kIdle;
    std::string reason; // kUnavailable: one sentence
    std::string source; // while kStreaming: the camera's name
    Size size;          // while kStreaming: of the pictures
    double fps = 0.0;   // while kStreaming: frames per second to expect
};

[[nodiscard]] constexpr std::string_view cameraStateName(CameraState state)
{
    switch (state) {
    case CameraState::kIdle:
        return "idle";
    case CameraState::kStarting:
        return "starting";
    case CameraState::kStreaming:
        return "streaming";
    case CameraState::kUnavailable:
        return "unavailable";
    }
    return "unknown";
}

} // namespace picam
