#include "streamd/controls/wanted_controls.h"

#include "core/base/log.h"
#include "core/controls/control_rules.h"
#include "core/controls/control_value.h"
#include "core/controls/controls_description.h"
#include "streamd/controls/controls_json.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace picam {
namespace {

using Refusal = std::optional<ControlsRefusal>;

constexpr double kWindow = 0.2; // of the picture's sides, around the place to focus on

Refusal refuse(std::string error, std::string name, std::optional<ControlValue> value = {}, std::string allowed = {})
{
    return ControlsRefusal{std::move(error), std::move(name), std::move(value), std::move(allowed)};
}

bool isPresetName(const std::string &name)
{
    return !name.empty() && name.size() <= WantedControls::kMaxPresetName &&
           std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string noControl(const std::string &name)
{
    return fmt::format("the camera has no control {}", name);
}

std::string outside(const std::string &name, const std::string &allowed)
{
    return fmt::format("{} is {}", name, allowed);
}

// The value as the control has it. `infos`: null where the camera is not known yet, which checks it when it is opened.
Refusal fit(const ControlInfos *infos, const std::string &name, ControlValue &value)
{
    if (infos == nullptr)
        return std::nullopt;
    const ControlInfo *info = findControl(*infos, name);
    if (info == nullptr)
        return refuse(noControl(name), name, value);
    auto good = checkControl(*info, value);
    if (!good)
        return refuse(outside(name, good.error().message), name, value, good.error().message);
    value = *std::move(good);
    return std::nullopt;
}

// No camera has so many controls: they are of when it was not known yet, and any name might have been one's.
void makeRoom(const ControlInfos *infos, CameraControls &set)
{
    if (infos != nullptr && set.restored.size() >= WantedControls::kMaxControls)
        std::erase_if(set.restored, [infos](const std::string &name) { return findControl(*infos, name) == nullptr; });
}

void restore(CameraControls &set, const std::string &name)
{
    if (set.values.erase(name) > 0 && set.restored.size() < WantedControls::kMaxControls)
        set.restored.insert(name);
}

void setValue(CameraControls &set, const std::string &name, ControlValue value)
{
    if (const auto other = alternativeTo(name); !other.empty())
        restore(set, std::string(other));
    set.values.insert_or_assign(name, std::move(value));
    set.restored.erase(name);
}

} // namespace

namespace {

// What people call a preset may have any letter, and what a log says shall not look like something else.
std::string inLog(const std::string &text)
{
    const bool plain = text.find_first_of(",=\"()") == std::string::npos;
    std::string shown = plain ? "" : "\"";
    for (const char c : text)
        shown += static_cast<unsigned char>(c) < 0x80 && c != '"' ? c : '?';
    return plain ? shown : shown + "\"";
}

} // namespace

std::string ControlsChange::text() const
{
    std::string text;
    const auto add = [&text](const std::string &name, const std::string &value) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
    };
    if (preset)
        add("preset", inLog(*preset));
    for (const auto &[name, value] : controls)
        add(name, value ? inLog(controlText(*value)) : "default");
    for (const auto &[name, values] : presets)
        add("preset " + inLog(name), values ? "(" + controlListText(*values) + ")" : "deleted");
    return text;
}

WantedControls::WantedControls(const Settings &settings, const ControlsFiles &files, const CameraRequests &requests,
                               ControlsCamera &camera)
    : defaults_(settings.camera.controls), description_path_(settings.descriptionPath()), files_(files),
      requests_(requests), camera_(camera), keeper_(files), document_(files.load())
{
    // Pictures of before a restart may still be there, whatever became of the file.
    if (isBeforeControls(document_.generation, requests_.controlsGeneration()))
        document_.generation = requests_.controlsGeneration();
    else if (document_.generation != requests_.controlsGeneration())
        requests_.setControlsGeneration(document_.generation);
    if (files_.hasUnkept())
        keeper_.keep(document_);
}

// The one that is open; else the one that was open last, in whichever program.
std::optional<ControlsCamera::Opened> WantedControls::camera() const
{
    auto opened = camera_.openedCamera();
    if (opened && opened->open)
        return opened;
    if (auto described = readControlsDescription(description_path_))
        return ControlsCamera::Opened{
            std::move(described->id), std::move(described->name), std::move(described->controls), false, {}};
    return opened;
}

std::pair<std::string, std::string> WantedControls::allowed(const std::string &name) const
{
    const auto known = camera();
    if (!known)
        return {fmt::format("no control {} takes this", name), ""};
    const ControlInfo *info = findControl(known->infos, name);
    if (info == nullptr)
        return {noControl(name), ""};
    return {outside(name, allowedValues(*info)), allowedValues(*info)};
}

CameraControls &WantedControls::current(const std::optional<ControlsCamera::Opened> &camera)
{
    if (!camera)
        return document_.cameras[document_.camera];
    document_.camera = camera->id;
    // What was wanted before any camera was known is this one's.
    if (!document_.cameras.contains(camera->id))
        if (auto any = document_.cameras.extract(std::string(ControlsDocument::kAnyCamera)); !any.empty()) {
            any.key() = camera->id;
            const bool is_empty = any.mapped() == CameraControls{};
            document_.cameras.insert(std::move(any));
            // Or the others would give it to the next camera as well. Where it cannot be written the next change does.
            if (!is_empty) {
                static_cast<void>(files_.publish(document_));
                keeper_.keep(document_);
            }
        }
    return document_.cameras[camera->id];
}

WantedControls::View WantedControls::view()
{
    View view;
    view.camera = camera();
    view.set = current(view.camera);
    view.wanted = withDefaults(view.set.values, defaults_);
    view.generation = document_.generation;
    view.kept = keeper_.kept();
    return view;
}

std::string WantedControls::etag()
{
    const CameraControls &set = current(camera());
    std::string text = document_.camera + controlListText(set.values);
    for (const auto &[name, values] : set.presets)
        text += "\n" + name + "\n" + controlListText(values);
    // The generation alone would come again where the file is lost.
    return fmt::format("\"{}-{:x}\"", document_.generation, std::hash<std::string>{}(text)&0xffffffffU);
}

Refusal WantedControls::apply(const ControlsChange &change, const ControlInfos *infos, CameraControls &set) const
{
    makeRoom(infos, set);
    if (change.preset) {
        const auto found = set.presets.find(*change.preset);
        if (found == set.presets.end())
            return refuse(fmt::format("there is no preset {}", *change.preset), "preset", *change.preset);
        const ControlValues former = set.values;
        for (const auto &[name, value] : former)
            restore(set, name);
        for (const auto &[name, value] : found->second)
            setValue(set, name, value);
    }
    for (const auto &[name, value] : change.controls) {
        const auto other = change.controls.find(alternativeTo(name));
        if (value && other != change.controls.end() && other->second)
            return refuse(fmt::format("{} and {} exclude each other", name, other->first), name, *value);
        if (value) {
            ControlValue good = *value;
            if (auto refusal = fit(infos, name, good))
                return refusal;
            setValue(set, name, std::move(good));
        } else if (infos != nullptr && findControl(*infos, name) == nullptr && !set.values.contains(name)) {
            return refuse(noControl(name), name);
        } else {
            restore(set, name);
        }
    }
    for (const auto &[name, values] : change.presets) {
        if (!isPresetName(name))
            return refuse(fmt::format("a preset's name has 1 to {} bytes", kMaxPresetName), "presets", name);
        if (!values) {
            set.presets.erase(name);
            continue;
        }
        ControlValues good = *values;
        for (auto &[control, value] : good)
            if (auto refusal = fit(infos, control, value))
                return refusal;
        set.presets.insert_or_assign(name, std::move(good));
    }
    if (set.presets.size() > kMaxPresets)
        return refuse(fmt::format("there are at most {} presets", kMaxPresets), "presets");
    if (set.values.size() > kMaxControls)
        return refuse(fmt::format("there are at most {} controls", kMaxControls), "");
    return std::nullopt;
}

// What is set by hand without a value keeps the one that was found: also at the next opening, when nothing is known of
// it. `locked`: before the change.
void WantedControls::keepFound(const ControlsChange &change, const ControlsCamera::Opened &camera,
                               const LockedControls &locked, CameraControls &set) const
{
    struct ByHand {
        const char *mode;
        ControlValue manual;
        const char *value;
    };
    static const std::vector<ByHand> all{
        {"ExposureTimeMode", std::string("Manual"), "ExposureTime"},
        {"AnalogueGainMode", std::string("Manual"), "AnalogueGain"},
        {"AwbEnable", false, "ColourGains"},
        {"AfMode", std::string("Manual"), "LensPosition"},
        {"v4l2.auto_exposure", std::string("Manual Mode"), "v4l2.exposure_time_absolute"},
        {"v4l2.white_balance_automatic", false, "v4l2.white_balance_temperature"},
        {"v4l2.focus_automatic_continuous", false, "v4l2.focus_absolute"}};
    const auto is_set = [this, &set](std::string_view name) {
        return set.values.contains(name) || defaults_.contains(name);
    };
    const ControlValues actual = actualControls(camera.infos, camera.in_force, locked);
    for (const ByHand &each : all) {
        const auto wanted = change.controls.find(each.mode);
        const auto found = actual.find(each.value);
        if (wanted == change.controls.end() || wanted->second != each.manual || found == actual.end() ||
            is_set(each.value) || is_set(alternativeTo(each.value)))
            continue;
        ControlValue value = found->second;
        if (!fit(&camera.infos, each.value, value))
            setValue(set, each.value, std::move(value));
    }
}

Refusal WantedControls::change(const ControlsChange &change, const std::string &who)
{
    const auto opened = camera();
    CameraControls set = current(opened);
    const LockedControls locked =
        opened ? lockedControls(opened->infos, withDefaults(set.values, defaults_)) : LockedControls{};
    if (auto refusal = apply(change, opened ? &opened->infos : nullptr, set))
        return refusal;
    if (opened && opened->open)
        keepFound(change, *opened, locked, set);
    return commit(opened, std::move(set), who, change.text());
}

Refusal WantedControls::reset(const std::string &who)
{
    const auto opened = camera();
    CameraControls set = current(opened);
    makeRoom(opened ? &opened->infos : nullptr, set);
    const ControlValues former = set.values;
    for (const auto &[name, value] : former)
        restore(set, name);
    return commit(opened, std::move(set), who, "all to their defaults");
}

Refusal WantedControls::focus(std::optional<std::pair<double, double>> place, const std::string &who)
{
    const auto opened = camera();
    const ControlInfos none;
    const ControlInfos &infos = opened ? opened->infos : none;
    const ControlInfo *mode = findControl(infos, "AfMode");
    const ControlValue automatic = std::string("Auto");
    if (mode == nullptr || !checkControl(*mode, automatic))
        return refuse("the camera does not focus on demand", "AfMode");
    ControlsChange change;
    change.controls["AfMode"] = automatic;
    if (place && findControl(infos, "AfWindows") != nullptr) {
        const auto start = [](double middle) { return std::clamp(middle - kWindow / 2, 0.0, 1.0 - kWindow); };
        change.controls["AfMetering"] = std::string("Windows");
        change.controls["AfWindows"] = std::vector<double>{start(place->first), start(place->second), kWindow, kWindow};
    }
    CameraControls set = current(opened);
    if (auto refusal = apply(change, &infos, set))
        return refusal;
    ++set.focus;
    return commit(opened, std::move(set), who,
                  place ? fmt::format("focus at {:.2f} {:.2f}", place->first, place->second) : "focus");
}

Refusal WantedControls::commit(const std::optional<ControlsCamera::Opened> &camera, CameraControls set,
                               const std::string &who, const std::string &what)
{
    CameraControls &now = current(camera);
    if (now == set)
        return std::nullopt;
    // Presets change nothing in the camera, so that pictures of before are none.
    const bool changes_camera = now.values != set.values || now.restored != set.restored || now.focus != set.focus;
    ControlsDocument fresh = document_;
    fresh.cameras[document_.camera] = std::move(set);
    if (changes_camera && ++fresh.generation == 0) // which says that nothing was wanted yet
        ++fresh.generation;
    if (serializeControlsDocument(fresh).size() > ControlsDocument::kMaxBytes)
        return refuse("there is no room for more; presets that are not needed can go", "");
    if (auto done = files_.publish(fresh); !done) {
        log::warning("the controls stay as they are: {}", done.error().message);
        return ControlsRefusal{done.error().message, {}, {}, {}, true};
    }
    document_ = std::move(fresh);
    if (changes_camera)
        requests_.setControlsGeneration(document_.generation);
    keeper_.keep(document_);
    log::info("controls set by {}: {}", who, what);
    return std::nullopt;
}

} // namespace picam
