// ControlsCamera is the stream's camera as those see it who set its controls. Loop thread.
#pragma once

#include "core/camera/camera_controller.h"

#include <optional>
#include <string>

namespace picam {

class ControlsCamera {
public:
    struct Opened {
        std::string id;
        std::string name;
        ControlInfos infos;
        bool open = false; // now; else it was
        ControlsInForce in_force;
    };

    virtual ~ControlsCamera() = default;
    // Empty: the stream has not opened a camera yet.
    [[nodiscard]] virtual std::optional<Opened> openedCamera() const = 0;
    // Somebody looks at what the camera has: openedCamera() says it anew soon. Returns at once.
    virtual void refreshControls() = 0;
};

} // namespace picam
