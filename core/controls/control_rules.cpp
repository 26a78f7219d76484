#include "core/controls/control_rules.h"

#include "core/controls/control_value.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace picam {
namespace {

using Name = std::string_view;

// `name` has no effect unless `mode` is `value`.
struct Rule {
    Name name;
    Name mode;
    ControlValue value;
};

const std::vector<Rule> &rules()
{
    static const std::vector<Rule> all{
        {"ExposureTime", "ExposureTimeMode", std::string("Manual")},
        {"AnalogueGain", "AnalogueGainMode", std::string("Manual")},
        // Flicker is avoided by the automatic exposure, which needs both.
        {"AeFlickerMode", "ExposureTimeMode", std::string("Auto")},
        {"AeFlickerMode", "AnalogueGainMode", std::string("Auto")},
        {"AeFlickerPeriod", "AeFlickerMode", std::string("Manual")},
        {"AeFlickerPeriod", "ExposureTimeMode", std::string("Auto")},
        {"AeFlickerPeriod", "AnalogueGainMode", std::string("Auto")},
        {"AwbMode", "AwbEnable", true},
        {"ColourGains", "AwbEnable", false},
        {"ColourTemperature", "AwbEnable", false},
        {"LensPosition", "AfMode", std::string("Manual")},
        {"AfWindows", "AfMetering", std::string("Windows")},
        {"v4l2.white_balance_temperature", "v4l2.white_balance_automatic", false},
        {"v4l2.focus_absolute", "v4l2.focus_automatic_continuous", false},
        {"v4l2.exposure_time_absolute", "v4l2.auto_exposure", std::string("Manual Mode")},
    };
    return all;
}

// Parts of an automatism, without effect when all of it is set by hand.
constexpr std::array<Name, 4> kAutoExposure{"ExposureValue", "AeMeteringMode", "AeConstraintMode", "AeExposureMode"};
constexpr std::array<Name, 4> kAutoFocus{"AfRange", "AfSpeed", "AfMetering", "AfWindows"};

std::string says(Name name, const ControlValue &value)
{
    return fmt::format("{} is {}", name, controlText(value));
}

} // namespace

std::optional<ControlValue> wantedValue(const ControlInfos &infos, const ControlValues &wanted, Name name)
{
    const ControlInfo *info = findControl(infos, name);
    if (info == nullptr)
        return std::nullopt;
    if (const auto found = wanted.find(name); found != wanted.end())
        if (auto good = checkControl(*info, found->second))
            return *std::move(good);
    return info->default_value;
}

bool isWanted(const ControlInfos &infos, const ControlValues &wanted, Name name, const ControlValue &value)
{
    return wantedValue(infos, wanted, name) == value;
}

bool isExposureManual(const ControlInfos &infos, const ControlValues &wanted)
{
    const bool gain = findControl(infos, "AnalogueGainMode") == nullptr ||
                      isWanted(infos, wanted, "AnalogueGainMode", std::string("Manual"));
    return gain && isWanted(infos, wanted, "ExposureTimeMode", std::string("Manual"));
}

bool isWhiteBalanceManual(const ControlInfos &infos, const ControlValues &wanted)
{
    return isWanted(infos, wanted, "AwbEnable", false);
}

bool isFocusManual(const ControlInfos &infos, const ControlValues &wanted)
{
    return isWanted(infos, wanted, "AfMode", std::string("Manual"));
}

LockedControls lockedControls(const ControlInfos &infos, const ControlValues &wanted)
{
    LockedControls locked;
    const auto lock = [&](Name name, std::string reason) {
        if (findControl(infos, name) != nullptr)
            locked.emplace(name, std::move(reason));
    };
    for (const Rule &rule : rules()) {
        const auto mode = wantedValue(infos, wanted, rule.mode);
        if (mode && *mode != rule.value)
            lock(rule.name, says(rule.mode, *mode));
    }
    if (isExposureManual(infos, wanted))
        for (const Name name : kAutoExposure)
            lock(name, "ExposureTimeMode is Manual");
    if (isFocusManual(infos, wanted))
        for (const Name name : kAutoFocus)
            lock(name, "AfMode is Manual");
    if (const auto mode = wantedValue(infos, wanted, "AfMode"); mode && *mode == ControlValue(std::string("Auto")))
        lock("AfSpeed", "AfMode is Auto");
    if (isWanted(infos, wanted, "Zoom", 1.0))
        lock("ZoomCentre", "Zoom is 1");
    return locked;
}

bool isModeControl(Name name)
{
    return std::any_of(rules().begin(), rules().end(), [name](const Rule &rule) { return rule.mode == name; });
}

Name modeOf(Name name)
{
    for (const Rule &rule : rules())
        if (rule.name == name)
            return rule.mode;
    return {};
}

Name alternativeTo(Name name)
{
    if (name == "ColourGains")
        return "ColourTemperature";
    if (name == "ColourTemperature")
        return "ColourGains";
    return {};
}

ControlValues withDefaults(const ControlValues &set, const ControlValues &defaults)
{
    ControlValues all = set;
    for (const auto &[name, value] : defaults)
        if (!set.contains(alternativeTo(name)))
            all.emplace(name, value);
    return all;
}

std::chrono::microseconds manualExposure(const ControlInfos &infos, const ControlValues &wanted)
{
    if (!isWanted(infos, wanted, "ExposureTimeMode", std::string("Manual")))
        return {};
    const auto value = wantedValue(infos, wanted, "ExposureTime");
    const auto number = value ? controlNumber(*value) : std::nullopt;
    return std::chrono::microseconds(static_cast<std::int64_t>(number.value_or(0.0)));
}

ControlValues misfitsOf(const ControlInfos &infos, const ControlValues &wanted)
{
    ControlValues misfits;
    for (const auto &[name, value] : wanted) {
        const ControlInfo *info = findControl(infos, name);
        if (info == nullptr || !checkControl(*info, value))
            misfits.emplace(name, value);
    }
    return misfits;
}

} // namespace picam
