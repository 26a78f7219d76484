// What a camera has to be told, and in which order, so that what is wanted of its controls comes into force: only what
// has changed, modes before the values that depend on them, nothing that is locked. Pure; any thread.
#pragma once

#include "core/controls/controls_document.h"

#include <string>
#include <vector>

namespace picam {

struct ControlChange {
    std::string name;
    ControlValue value;

    friend bool operator==(const ControlChange &, const ControlChange &) = default;
};

struct ControlPlan {
    // A camera takes the modes in a request of their own: in one with the values the order is not defined, and a driver
    // may refuse a value whose automatism still runs.
    std::vector<ControlChange> modes;
    std::vector<ControlChange> values;
};

// `wanted`: of the camera, with the settings' defaults. `restored`: controls whose default it has to be told, since the
// device may still have another value. `told`: what it was told before in this opening; what the plan tells is added.
[[nodiscard]] ControlPlan planControls(const ControlInfos &infos, const ControlValues &wanted,
                                       const std::set<std::string, std::less<>> &restored, ControlValues &told);

} // namespace picam
