// Control values as JSON. The only pair of the controls that includes nlohmann's JSON in its header: for the state file
// and for /controls.
#pragma once

#include "core/controls/control.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace picam {

[[nodiscard]] nlohmann::json controlJson(const ControlValue &value);
[[nodiscard]] nlohmann::json controlsJson(const ControlValues &values);

// A bool, a number, a short text or an array of a few numbers. Empty: something else.
[[nodiscard]] std::optional<ControlValue> controlFromJson(const nlohmann::json &json);
// An object of them, each under a control's name. Empty: something else.
[[nodiscard]] std::optional<ControlValues> controlsFromJson(const nlohmann::json &json);

} // namespace picam
