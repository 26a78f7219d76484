// How a camera's controls depend on each other: which have no effect while another has its value, whichever camera.
// Pure functions over the values that are wanted, or else the controls' defaults; any thread.
#pragma once

#include "core/controls/control.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace picam {

// Why a control has no effect at the moment: "ExposureTimeMode is Auto".
using LockedControls = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] LockedControls lockedControls(const ControlInfos &infos, const ControlValues &wanted);

// Whether the control decides whether others have an effect: it is set before them.
[[nodiscard]] bool isModeControl(std::string_view name);
// The control that has to be set together with this one, or empty.
[[nodiscard]] std::string_view modeOf(std::string_view name);

// Those that cannot be wanted at the same time as this one: the last wins.
[[nodiscard]] std::string_view alternativeTo(std::string_view name);
// What is set, and the defaults of the settings beside it; without those to which something set is the alternative.
[[nodiscard]] ControlValues withDefaults(const ControlValues &set, const ControlValues &defaults);

// The value that is wanted, else the default; empty: the camera decides.
[[nodiscard]] std::optional<ControlValue> wantedValue(const ControlInfos &infos, const ControlValues &wanted,
                                                      std::string_view name);
[[nodiscard]] bool isWanted(const ControlInfos &infos, const ControlValues &wanted, std::string_view name,
                            const ControlValue &value);

// Those of a camera of which somebody wants a value that it does not have or does not allow.
[[nodiscard]] ControlValues misfitsOf(const ControlInfos &infos, const ControlValues &wanted);

// The exposure time that is wanted and in force; 0: the camera decides.
[[nodiscard]] std::chrono::microseconds manualExposure(const ControlInfos &infos, const ControlValues &wanted);
// By hand, so that nothing has to converge.
[[nodiscard]] bool isExposureManual(const ControlInfos &infos, const ControlValues &wanted);
[[nodiscard]] bool isWhiteBalanceManual(const ControlInfos &infos, const ControlValues &wanted);
[[nodiscard]] bool isFocusManual(const ControlInfos &infos, const ControlValues &wanted);

} // namespace picam
