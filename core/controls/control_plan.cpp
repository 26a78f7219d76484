#include "core/controls/control_plan.h"

#include "core/controls/control_rules.h"
#include "core/controls/control_value.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace picam {
namespace {

// What the camera shall have, as far as it has to be told.
std::optional<ControlValue> valueToTell(const ControlInfo &info, const ControlValues &wanted, bool was_told)
{
    if (const auto found = wanted.find(info.name); found != wanted.end())
        if (auto good = checkControl(info, found->second))
            return *std::move(good);
    return was_told ? info.default_value : std::nullopt;
}

} // namespace

ControlPlan planControls(const ControlInfos &infos, const ControlValues &wanted,
                         const std::set<std::string, std::less<>> &restored, ControlValues &told)
{
    const LockedControls locked = lockedControls(infos, wanted);
    ControlPlan plan;
    const auto tell = [&](const ControlInfo &info, bool anew, std::vector<ControlChange> &changes) {
        const auto before = told.find(info.name);
        // What is locked is told again when it has an effect.
        if (locked.contains(info.name)) {
            if (before != told.end() && !isModeControl(info.name))
                told.erase(before);
            return;
        }
        // Its default would undo what is wanted in its place.
        if (!wanted.contains(info.name) && wanted.contains(alternativeTo(info.name))) {
            told.erase(info.name);
            return;
        }
        const bool was_told = before != told.end() || restored.contains(info.name);
        const auto value = valueToTell(info, wanted, was_told);
        if (!value || (!anew && before != told.end() && before->second == *value))
            return;
        told.insert_or_assign(info.name, *value);
        changes.push_back({info.name, *value});
    };
    for (const ControlInfo &info : infos)
        if (isModeControl(info.name))
            tell(info, false, plan.modes);
    const auto mode_changes = [&plan](std::string_view mode) {
        return std::any_of(plan.modes.begin(), plan.modes.end(),
                           [mode](const ControlChange &change) { return change.name == mode; });
    };
    for (const ControlInfo &info : infos)
        if (!isModeControl(info.name))
            tell(info, mode_changes(modeOf(info.name)), plan.values);
    return plan;
}

} // namespace picam
