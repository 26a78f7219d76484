// The document of GET /controls, as JSON and as text, and the answer to a change that is refused. Pure functions.
#pragma once

#include "streamd/controls/wanted_controls.h"

#include <string>

namespace picam {

// Who asks, as nginx says.
struct ControlsAsker {
    std::string user; // empty: nobody that is known
    bool may_change = false;
};

[[nodiscard]] std::string controlsJson(const WantedControls::View &view, const ControlsAsker &asker);

// A line for each control: name, what is wanted, what is allowed, what the camera has, why it has no effect; with tabs
// between them.
[[nodiscard]] std::string controlsText(const WantedControls::View &view);

// {"error": …, "name": …, "value": …, "allowed": …}
[[nodiscard]] std::string refusalJson(const ControlsRefusal &refusal);

// What the camera reports of its controls now, as far as it has them. `locked`: those that an automatism may move, of
// which only what was read lately is known.
[[nodiscard]] ControlValues actualControls(const ControlInfos &infos, const ControlsInForce &in_force,
                                           const LockedControls &locked);

// What is in force: wanted, allowed, not locked; and what the camera reports.
[[nodiscard]] ControlValues controlsInForce(const WantedControls::View &view);

} // namespace picam
