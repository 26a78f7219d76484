// ControlsDescription is which camera an instance had open last, and which controls it has: a file in the runtime
// directory, RUNTIME_DIR/INSTANCE.described, written by whichever program opens the camera, so that the other knows
// what can be set while it is closed. Any thread.
#pragma once

#include "core/base/error.h"
#include "core/controls/control.h"

#include <optional>
#include <string>

namespace picam {

struct ControlsDescription {
    std::string id;   // SourceInfo::id
    std::string name; // SourceInfo::name
    ControlInfos controls;

    friend bool operator==(const ControlsDescription &, const ControlsDescription &) = default;
};

// Errors: kIo.
[[nodiscard]] Expected<void> writeControlsDescription(const std::string &path, const ControlsDescription &description);
// Empty: there is none, or it is damaged.
[[nodiscard]] std::optional<ControlsDescription> readControlsDescription(const std::string &path);

} // namespace picam
