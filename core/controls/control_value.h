// Checks and texts of control values: what a control allows, values from text and to text, lists of them as settings
// have them. Pure functions; any thread.
#pragma once

#include "core/base/error.h"
#include "core/controls/control.h"

#include <optional>
#include <string>
#include <string_view>

namespace picam {

// The value as the control's type has it: whole numbers become integers or numbers, one number a list of one. Error
// kUnsupported, whose message is allowedValues(): another type, out of range, not finite.
[[nodiscard]] Expected<ControlValue> checkControl(const ControlInfo &info, const ControlValue &value);

// "-1 to 1", "Auto, Manual", "true or false", "2 numbers, 0 to 32".
[[nodiscard]] std::string allowedValues(const ControlInfo &info);

// "0.2", "Manual", "true", "1.5 1.2".
[[nodiscard]] std::string controlText(const ControlValue &value);

// By its looks: a bool, an integer, a number, several numbers, else a text; checkControl() fits it to a control. Empty:
// no value.
[[nodiscard]] std::optional<ControlValue> parseControlValue(std::string_view text);

// "Brightness=0.1, AwbMode=Daylight"; an empty text is an empty list. Empty: it is no such list, or a name comes twice.
[[nodiscard]] std::optional<ControlValues> parseControlList(std::string_view text);
[[nodiscard]] std::string controlListText(const ControlValues &values);

// Letters, digits, '.', '_', up to 64.
[[nodiscard]] bool isControlName(std::string_view name);

// The value's number; empty: it is none.
[[nodiscard]] std::optional<double> controlNumber(const ControlValue &value);

} // namespace picam
