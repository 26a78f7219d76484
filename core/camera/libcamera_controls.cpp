#include "core/camera/libcamera_controls.h"

#include "core/controls/control_rules.h"
#include "core/controls/control_value.h"
#include "core/controls/zoom.h"
#include "core/store/camera_requests.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <libcamera/version.h>
#include <string_view>

namespace picam {
namespace {

using libcamera::Span;
using Name = std::string_view;
using Type = libcamera::ControlType;

// A control of libcamera's that is offered, as far as libcamera's own description does not say it.
struct Known {
    Name name;
    ControlType type;
    ControlGroup group;
    bool expert;
    double step;
    std::optional<ControlValue> default_value; // where the camera gives none
    std::vector<Name> values;                  // of an enumeration, by their numbers
};

const std::vector<Known> &knownControls()
{
    using enum ControlType;
    using enum ControlGroup;
    const auto name = [](const char *text) { return ControlValue(std::string(text)); };
    static const std::vector<Known> all{
        {"Brightness", kNumber, kImage, false, 0.01, 0.0, {}},
        {"Contrast", kNumber, kImage, false, 0.01, 1.0, {}},
        {"Saturation", kNumber, kImage, false, 0.01, 1.0, {}},
        {"Sharpness", kNumber, kImage, false, 0.01, 1.0, {}},
        {"Gamma", kNumber, kImage, true, 0.01, {}, {}},
        {"NoiseReductionMode", kEnum, kImage, true, 0, {}, {"Off", "Fast", "HighQuality", "Minimal", "ZSL"}},
        {"HdrMode",
         kEnum,
         kImage,
         true,
         0,
         name("Off"),
         {"Off", "MultiExposureUnmerged", "MultiExposure", "SingleExposure", "Night"}},
        {"ExposureTime", kInteger, kExposure, false, 1, {}, {}},
        {"AnalogueGain", kNumber, kExposure, false, 0.01, {}, {}},
        {"ExposureValue", kNumber, kExposure, false, 0.1, 0.0, {}},
        {"AeMeteringMode", kEnum, kExposure, true, 0, {}, {"CentreWeighted", "Spot", "Matrix"}},
        {"AeConstraintMode", kEnum, kExposure, true, 0, {}, {"Normal", "Highlight", "Shadows"}},
        {"AeExposureMode", kEnum, kExposure, true, 0, {}, {"Normal", "Short", "Long"}},
        {"AeFlickerMode", kEnum, kExposure, true, 0, name("Off"), {"Off", "Manual", "Auto"}},
        {"AeFlickerPeriod", kInteger, kExposure, true, 1, std::int64_t{10000}, {}},
        {"AwbEnable", kBool, kColour, false, 0, true, {}},
        {"AwbMode",
         kEnum,
         kColour,
         false,
         0,
         {},
         {"Auto", "Incandescent", "Tungsten", "Fluorescent", "Indoor", "Daylight", "Cloudy"}},
        {"ColourTemperature", kInteger, kColour, true, 1, {}, {}},
        {"ColourGains", kNumbers, kColour, true, 0.01, {}, {}},
        {"AfMode", kEnum, kFocus, false, 0, name("Continuous"), {"Manual", "Auto", "Continuous"}},
        {"LensPosition", kNumber, kFocus, false, 0.01, {}, {}},
        {"AfRange", kEnum, kFocus, true, 0, {}, {"Normal", "Macro", "Full"}},
        {"AfSpeed", kEnum, kFocus, true, 0, {}, {"Normal", "Fast"}},
        {"AfMetering", kEnum, kFocus, true, 0, {}, {"Auto", "Windows"}},
    };
    return all;
}

// Until 0.0.5 a mode of exposure that the sensor's tuning does not have ends the process, and nothing tells which it
// has.
constexpr bool kModesMayAbort =
    LIBCAMERA_VERSION_MAJOR == 0 && LIBCAMERA_VERSION_MINOR == 0 && LIBCAMERA_VERSION_PATCH < 6;

bool mayAbort(Name name)
{
    return kModesMayAbort && (name == "AeMeteringMode" || name == "AeConstraintMode" || name == "AeExposureMode");
}

constexpr double kMaxZoom = 8.0;
constexpr double kLeastGain = 0.01;

std::optional<double> numberOf(const libcamera::ControlValue &value)
{
    if (value.isArray())
        return std::nullopt;
    switch (value.type()) {
    case Type::ControlTypeFloat:
        return static_cast<double>(value.get<float>());
    case Type::ControlTypeInteger32:
        return static_cast<double>(value.get<std::int32_t>());
    case Type::ControlTypeInteger64:
        return static_cast<double>(value.get<std::int64_t>());
    default:
        return std::nullopt;
    }
}

// A float's 0.1 is not quite a double's.
double plain(float value)
{
    constexpr double kDigits = 1e6;
    const auto number = static_cast<double>(value);
    return std::fabs(number) < kDigits ? std::round(number * kDigits) / kDigits : number;
}

std::optional<double> finiteNumberOf(const libcamera::ControlValue &value)
{
    if (!value.isArray() && value.type() == Type::ControlTypeFloat) {
        const auto number = value.get<float>();
        return std::isfinite(number) ? std::optional(plain(number)) : std::nullopt;
    }
    return numberOf(value);
}

// The type that libcamera has for a type of ours.
bool isOfType(const Known &known, Type type)
{
    switch (known.type) {
    case ControlType::kBool:
        return type == Type::ControlTypeBool;
    case ControlType::kInteger:
    case ControlType::kEnum:
        return type == Type::ControlTypeInteger32;
    case ControlType::kNumber:
    case ControlType::kNumbers:
        return type == Type::ControlTypeFloat;
    }
    return false;
}

std::vector<std::string> enumValues(const Known &known, const libcamera::ControlInfo &info)
{
    std::vector<std::int32_t> numbers;
    for (const libcamera::ControlValue &value : info.values())
        if (const auto number = numberOf(value))
            numbers.push_back(static_cast<std::int32_t>(*number));
    const auto min = numberOf(info.min());
    const auto max = numberOf(info.max());
    if (numbers.empty() && min && max)
        for (auto number = static_cast<std::int32_t>(*min);
             number <= static_cast<std::int32_t>(*max) && numbers.size() < known.values.size(); ++number)
            numbers.push_back(number);
    std::vector<std::string> names;
    for (const std::int32_t number : numbers) {
        if (number < 0 || static_cast<std::size_t>(number) >= known.values.size())
            continue; // Custom, which needs a tuning of its own, and what later versions add
        const Name name = known.values[static_cast<std::size_t>(number)];
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.emplace_back(name);
    }
    return names;
}

std::optional<ControlValue> defaultOf(const Known &known, const ControlInfo &info, const libcamera::ControlValue &value)
{
    if (known.name == "AfMode") // continuous, where the camera has it: picam's, not the camera's
        return checkControl(info, *known.default_value) ? known.default_value : std::nullopt;
    std::optional<ControlValue> found;
    if (known.type == ControlType::kBool && value.type() == Type::ControlTypeBool && !value.isArray())
        found = value.get<bool>();
    else if (const auto number = finiteNumberOf(value)) {
        if (known.type == ControlType::kEnum && *number >= 0 && *number < static_cast<double>(known.values.size()))
            found = std::string(known.values[static_cast<std::size_t>(*number)]);
        else if (known.type == ControlType::kInteger)
            found = static_cast<std::int64_t>(*number);
        else if (known.type == ControlType::kNumber)
            found = *number;
    }
    for (const auto &candidate : {found, known.default_value})
        if (candidate && checkControl(info, *candidate))
            return candidate;
    return std::nullopt;
}

// Empty: what the camera says of it makes no sense, or leaves nothing to choose.
std::optional<ControlInfo> infoOf(const Known &known, const libcamera::ControlInfo &described)
{
    ControlInfo info{std::string(known.name), known.type, known.group, known.expert, 0, 0, known.step, {}, {}, 0};
    if (known.type == ControlType::kEnum) {
        info.values = enumValues(known, described);
        if (info.values.size() < 2 || mayAbort(known.name))
            return std::nullopt;
    } else if (known.type != ControlType::kBool) {
        const auto min = finiteNumberOf(described.min());
        const auto max = finiteNumberOf(described.max());
        if (!min || !max || *min >= *max)
            return std::nullopt;
        info.min = *min;
        info.max = *max;
        if (known.type == ControlType::kNumbers)
            info.size = 2; // ColourGains
    }
    if (known.name == "ExposureTime") {
        info.max = std::min(info.max, static_cast<double>(LibcameraControls::kMaxExposure.count()));
        info.min = std::max(info.min, 1.0); // 0 gives it back to the automatism
    }
    if (known.name == "AnalogueGain" || known.name == "ColourGains")
        info.min = std::max(info.min, kLeastGain); // 0 does so, too
    if (known.type != ControlType::kBool && known.type != ControlType::kEnum && info.min >= info.max)
        return std::nullopt;
    info.default_value = defaultOf(known, info, described.def());
    return info;
}

std::int32_t enumNumber(const Known &known, const std::string &name)
{
    const auto found = std::find(known.values.begin(), known.values.end(), name);
    return static_cast<std::int32_t>(found - known.values.begin());
}

const Known *findKnown(Name name)
{
    for (const Known &known : knownControls())
        if (known.name == name)
            return &known;
    return nullptr;
}

libcamera::Rectangle rectangle(const SensorRect &rect)
{
    return {static_cast<int>(rect.x), static_cast<int>(rect.y),
            static_cast<unsigned int>(std::max<std::int64_t>(rect.width, 1)),
            static_cast<unsigned int>(std::max<std::int64_t>(rect.height, 1))};
}

bool isManual(const ControlValue &value)
{
    return value == ControlValue(std::string("Manual"));
}

} // namespace

LibcameraControls::LibcameraControls(const libcamera::ControlInfoMap &controls, std::vector<Size> outputs,
                                     const Transform &remaining)
    : outputs_(std::move(outputs)), remaining_(remaining)
{
    for (const auto &[id, info] : controls)
        ids_.emplace(id->name(), id->id());
    addInfos(controls);
    addModes();
    addZoom(controls);
    // As a page shows them.
    std::stable_sort(infos_.begin(), infos_.end(),
                     [](const ControlInfo &one, const ControlInfo &other) { return one.group < other.group; });
}

std::optional<unsigned int> LibcameraControls::idOf(Name name) const
{
    const auto found = ids_.find(name);
    return found != ids_.end() ? std::optional(found->second) : std::nullopt;
}

void LibcameraControls::addInfos(const libcamera::ControlInfoMap &controls)
{
    for (const Known &known : knownControls())
        for (const auto &[id, described] : controls) {
            if (id->name() != known.name || !isOfType(known, id->type()))
                continue;
            if (auto info = infoOf(known, described))
                infos_.push_back(*std::move(info));
        }
}

// The modes of exposure and gain, whatever the version calls them.
void LibcameraControls::addModes()
{
    if (ids_.contains("ExposureTimeMode"))
        style_ = ExposureStyle::kModes;
    else if (ids_.contains("ExposureValue")) // which, until there were modes, only Raspberry Pi's cameras had
        style_ = ExposureStyle::kZeroFrees;
    const auto add = [this](Name mode, Name value) {
        const auto before =
            std::find_if(infos_.begin(), infos_.end(), [value](const ControlInfo &info) { return info.name == value; });
        if (before != infos_.end())
            infos_.insert(before, {std::string(mode),
                                   ControlType::kEnum,
                                   ControlGroup::kExposure,
                                   false,
                                   0,
                                   0,
                                   0,
                                   std::string("Auto"),
                                   {"Auto", "Manual"},
                                   0});
    };
    if (style_ != ExposureStyle::kAeEnable || ids_.contains("AeEnable"))
        add("ExposureTimeMode", "ExposureTime");
    if (style_ == ExposureStyle::kZeroFrees || ids_.contains("AnalogueGainMode"))
        add("AnalogueGainMode", "AnalogueGain");
}

void LibcameraControls::addZoom(const libcamera::ControlInfoMap &controls)
{
    for (const auto &[id, described] : controls) {
        if (id->name() != "ScalerCrop" || described.max().type() != Type::ControlTypeRectangle ||
            described.max().isArray())
            continue;
        const auto full = described.max().get<libcamera::Rectangle>();
        if (full.width == 0 || full.height == 0)
            continue;
        full_ = full;
        double most = kMaxZoom;
        if (described.min().type() == Type::ControlTypeRectangle && !described.min().isArray()) {
            const auto least = described.min().get<libcamera::Rectangle>();
            if (least.width > 0 && least.height > 0)
                most = std::min({most, static_cast<double>(full.width) / least.width,
                                 static_cast<double>(full.height) / least.height});
        }
        if (most <= 1.0)
            continue;
        infos_.push_back({"Zoom",
                          ControlType::kNumber,
                          ControlGroup::kZoom,
                          false,
                          1,
                          std::floor(most * 100) / 100,
                          0.01,
                          1.0,
                          {},
                          0});
        infos_.push_back({"ZoomCentre",
                          ControlType::kNumbers,
                          ControlGroup::kZoom,
                          true,
                          0,
                          1,
                          0.001,
                          std::vector<double>{0.5, 0.5},
                          {},
                          2});
    }
    if (full_ && ids_.contains("AfWindows") && findControl(infos_, "AfMetering") != nullptr)
        infos_.push_back({"AfWindows", ControlType::kNumbers, ControlGroup::kFocus, true, 0, 1, 0.001, {}, {}, 4});
}

void LibcameraControls::translateMode(const ControlChange &change, Values &values) const
{
    const bool exposure = change.name == "ExposureTimeMode";
    const bool manual = isManual(change.value);
    if (style_ == ExposureStyle::kModes) {
        if (const auto id = idOf(change.name))
            values.emplace_back(*id, static_cast<std::int32_t>(manual ? 1 : 0));
        return;
    }
    if (style_ == ExposureStyle::kAeEnable) {
        if (const auto id = idOf("AeEnable"); id && exposure)
            values.emplace_back(*id, !manual);
        return;
    }
    // What is fixed without a value keeps what the automatism found.
    const auto id = idOf(exposure ? "ExposureTime" : "AnalogueGain");
    if (!id)
        return;
    if (exposure) {
        const auto found = last_.exposure_time.value_or(std::chrono::microseconds(0)).count();
        values.emplace_back(*id, manual ? static_cast<std::int32_t>(found) : 0);
    } else {
        values.emplace_back(*id, manual ? last_.analogue_gain.value_or(0.0F) : 0.0F);
    }
}

void LibcameraControls::translateZoom(Values &values) const
{
    const Crop crop = wantedCrop(infos_, wanted_, remaining_);
    const SensorRect full{full_->x, full_->y, full_->width, full_->height};
    if (const auto each = idOf("ScalerCrops")) {
        std::vector<libcamera::Rectangle> rectangles;
        rectangles.reserve(outputs_.size());
        for (const Size output : outputs_)
            rectangles.push_back(rectangle(sensorCrop(full, output, crop)));
        values.emplace_back(*each, libcamera::ControlValue(Span<const libcamera::Rectangle>(rectangles)));
    } else if (const auto one = idOf("ScalerCrop")) {
        values.emplace_back(*one, rectangle(sensorCrop(full, outputs_.front(), crop)));
    }
}

// The camera's windows are places on the sensor, whatever of it is shown.
void LibcameraControls::translateWindows(const std::vector<double> &window, Values &values) const
{
    const auto id = idOf("AfWindows");
    if (!id || window.size() != 4 || !full_)
        return;
    const Place one = beforeTransform(remaining_, {window[0], window[1]});
    const Place other =
        beforeTransform(remaining_, {std::min(1.0, window[0] + window[2]), std::min(1.0, window[1] + window[3])});
    const SensorRect shown = sensorCrop({full_->x, full_->y, full_->width, full_->height}, outputs_.front(),
                                        wantedCrop(infos_, wanted_, remaining_));
    const auto at = [](std::int64_t start, std::int64_t side, double place) {
        return start + static_cast<std::int64_t>(static_cast<double>(side) * place);
    };
    const std::int64_t left = at(shown.x, shown.width, std::min(one.x, other.x));
    const std::int64_t top = at(shown.y, shown.height, std::min(one.y, other.y));
    const std::array<libcamera::Rectangle, 1> rectangles{
        rectangle({left, top, at(shown.x, shown.width, std::max(one.x, other.x)) - left,
                   at(shown.y, shown.height, std::max(one.y, other.y)) - top})};
    values.emplace_back(*id, libcamera::ControlValue(Span<const libcamera::Rectangle>(rectangles)));
}

void LibcameraControls::translate(const ControlChange &change, Values &values) const
{
    const Name name = change.name;
    if (name == "ExposureTimeMode" || name == "AnalogueGainMode")
        return translateMode(change, values);
    if (name == "Zoom" || name == "ZoomCentre")
        return translateZoom(values);
    if (name == "AfWindows")
        return translateWindows(std::get<std::vector<double>>(change.value), values);
    const Known *known = findKnown(name);
    const auto id = idOf(name);
    if (known == nullptr || !id)
        return;
    // From 0.5 on a value without its mode is ignored, and forgotten.
    if (style_ == ExposureStyle::kModes && (name == "ExposureTime" || name == "AnalogueGain"))
        if (const auto mode = idOf(modeOf(name)))
            values.emplace_back(*mode, std::int32_t{1});
    // Without a period, the lamps' at 50 Hz until another one is wanted, there is nothing to avoid.
    if (name == "AeFlickerMode" && change.value == ControlValue(std::string("Manual")))
        if (const auto period = wantedValue(infos_, wanted_, "AeFlickerPeriod"))
            translate({"AeFlickerPeriod", *period}, values);
    switch (known->type) {
    case ControlType::kBool:
        values.emplace_back(*id, std::get<bool>(change.value));
        break;
    case ControlType::kInteger:
        values.emplace_back(*id, static_cast<std::int32_t>(std::get<std::int64_t>(change.value)));
        break;
    case ControlType::kNumber:
        values.emplace_back(*id, static_cast<float>(std::get<double>(change.value)));
        break;
    case ControlType::kEnum:
        values.emplace_back(*id, enumNumber(*known, std::get<std::string>(change.value)));
        break;
    case ControlType::kNumbers: {
        const auto &numbers = std::get<std::vector<double>>(change.value);
        const std::array<float, 2> pair{static_cast<float>(numbers.at(0)), static_cast<float>(numbers.at(1))};
        values.emplace_back(*id, libcamera::ControlValue(Span<const float>(pair)));
        break;
    }
    }
}

void LibcameraControls::pushStep(const std::vector<ControlChange> &changes, std::optional<std::uint32_t> generation)
{
    Step step;
    step.generation = generation;
    for (const ControlChange &change : changes) {
        translate(change, step.values);
        step.names.push_back(change.name);
        step.changes.push_back(change);
    }
    steps_.push_back(std::move(step));
}

void LibcameraControls::want(std::uint32_t generation, const ControlValues &wanted, const CameraControls &camera)
{
    wanted_ = wanted;
    // A window is a place in what is shown: its place on the sensor goes with the zoom.
    const Crop crop = wantedCrop(infos_, wanted_, remaining_);
    if (crop != std::exchange(crop_, crop))
        told_.erase("AfWindows");
    const bool first = !std::exchange(wanted_once_, true);
    auto restored = camera.restored;
    if (first)
        restored.insert("AfMode"); // continuous: picam's default, of which the camera knows nothing
    bool trigger = dropSteps(restored);
    const ControlPlan plan = planControls(infos_, wanted_, restored, told_);
    // What is not told any more is no problem either.
    std::erase_if(refused_, [this](const std::string &name) { return !told_.contains(name); });
    if (!plan.modes.empty())
        pushStep(plan.modes, std::nullopt);
    pushStep(plan.values, generation);
    // A camera that was just opened does not know how it was focused before.
    trigger = std::exchange(focus_told_, camera.focus) != camera.focus || first || trigger;
    const auto id = idOf("AfTrigger");
    if (trigger && id && isWanted(infos_, wanted_, "AfMode", std::string("Auto"))) {
        steps_.back().generation.reset();
        steps_.push_back({{{*id, libcamera::ControlValue(std::int32_t{0})}}, {}, {}, generation});
    }
}

// What they would have said is said anew, as it is wanted now. True where one was the command to focus.
bool LibcameraControls::dropSteps(std::set<std::string, std::less<>> &untold)
{
    bool trigger = false;
    for (const Step &step : steps_) {
        trigger = trigger || (step.changes.empty() && !step.values.empty());
        for (const std::string &name : step.names) {
            told_.erase(name);
            untold.insert(name);
        }
    }
    steps_.clear();
    return trigger;
}

bool LibcameraControls::fillStart(libcamera::ControlList &controls) const
{
    // Values whose mode is told with them wait for their request: in one list the order is not defined.
    if (steps_.empty())
        return false;
    fill(steps_.front(), controls);
    return !steps_.front().values.empty();
}

std::optional<LibcameraControls::Step> LibcameraControls::takeStep()
{
    if (steps_.empty())
        return std::nullopt;
    Step step = std::move(steps_.front());
    steps_.pop_front();
    return step;
}

void LibcameraControls::fill(const Step &step, libcamera::ControlList &controls)
{
    for (const auto &[id, value] : step.values)
        controls.set(id, value);
}

bool LibcameraControls::completed(const Step &step)
{
    const auto is_in_step = [&step](const std::string &name) {
        return std::find(step.names.begin(), step.names.end(), name) != step.names.end();
    };
    const bool changed = std::erase_if(refused_, is_in_step) > 0;
    value_said_ = value_said_ || !step.values.empty();
    reach(step);
    return changed;
}

bool LibcameraControls::putBack(Step step)
{
    if (++step.tries >= kMaxTries) {
        refused(step);
        return false;
    }
    steps_.push_front(std::move(step));
    return true;
}

void LibcameraControls::refused(const Step &step)
{
    if (step.changes.size() > 1) {
        sayAlone(step);
        return;
    }
    for (const std::string &name : step.names)
        if (std::find(refused_.begin(), refused_.end(), name) == refused_.end())
            refused_.push_back(name);
    reach(step);
}

// But for what has been told anew since then.
void LibcameraControls::sayAlone(const Step &step)
{
    std::deque<Step> alone;
    for (const ControlChange &change : step.changes) {
        if (const auto told = told_.find(change.name); told == told_.end() || told->second != change.value)
            continue;
        alone.push_back({{}, {change.name}, {change}, std::nullopt});
        translate(change, alone.back().values);
    }
    if (alone.empty())
        reach(step);
    else
        alone.back().generation = step.generation;
    steps_.insert(steps_.begin(), std::make_move_iterator(alone.begin()), std::make_move_iterator(alone.end()));
}

void LibcameraControls::reach(const Step &step)
{
    if (step.generation)
        settling_.push_back({*step.generation, std::exchange(value_said_, false) ? kSensorDelay : 0});
}

void LibcameraControls::complete(CaptureMetadata &metadata)
{
    // Each takes its time, whatever is said meanwhile.
    while (!settling_.empty() && settling_.front().frames_left == 0) {
        // One whose values were refused and said again may come behind a later one.
        if (in_force_ == 0 || !isBeforeControls(settling_.front().generation, in_force_))
            in_force_ = settling_.front().generation;
        settling_.pop_front();
    }
    for (Settling &each : settling_)
        each.frames_left -= each.frames_left > 0 ? 1 : 0;
    metadata.controls_generation = in_force_;
    // Nothing has to be found that is set by hand; some cameras never say so.
    if (isExposureManual(infos_, wanted_))
        metadata.exposure_converged = true;
    if (isWhiteBalanceManual(infos_, wanted_))
        metadata.white_balance_converged = true;
    if (isFocusManual(infos_, wanted_) && metadata.focus_converged)
        metadata.focus_converged = true;
    last_ = metadata;
}

std::chrono::microseconds LibcameraControls::manualExposure() const
{
    return picam::manualExposure(infos_, wanted_);
}

} // namespace picam
