#include "streamd/controls/controls_json.h"

#include "core/controls/control_json.h"
#include "core/controls/control_rules.h"
#include "core/controls/control_value.h"

#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace picam {

// Members in the order in which they are to be shown.
using Json = nlohmann::ordered_json;

namespace {

std::string_view typeName(ControlType type)
{
    switch (type) {
    case ControlType::kBool:
        return "bool";
    case ControlType::kInteger:
        return "integer";
    case ControlType::kNumber:
        return "number";
    case ControlType::kEnum:
        return "enum";
    case ControlType::kNumbers:
        return "numbers";
    }
    return {};
}

std::string_view groupName(ControlGroup group)
{
    switch (group) {
    case ControlGroup::kImage:
        return "Image";
    case ControlGroup::kExposure:
        return "Exposure";
    case ControlGroup::kColour:
        return "Colour";
    case ControlGroup::kFocus:
        return "Focus";
    case ControlGroup::kZoom:
        return "Zoom";
    }
    return {};
}

std::string_view focusName(FocusState state)
{
    switch (state) {
    case FocusState::kIdle:
        return "idle";
    case FocusState::kScanning:
        return "scanning";
    case FocusState::kFocused:
        return "focused";
    case FocusState::kFailed:
        return "failed";
    }
    return {};
}

// Floats of the camera, without digits that they do not have.
double rounded(float value)
{
    return std::stod(fmt::format("{:.4g}", value));
}

Json describe(const ControlInfo &info)
{
    Json node = {
        {"type", typeName(info.type)}, {"group", groupName(info.group)}, {"level", info.expert ? "expert" : "basic"}};
    if (info.type == ControlType::kEnum)
        node["values"] = info.values;
    if (info.type == ControlType::kNumbers)
        node["size"] = info.size;
    if (info.type == ControlType::kInteger || info.type == ControlType::kNumber || info.type == ControlType::kNumbers) {
        node["min"] = info.min;
        node["max"] = info.max;
        if (info.step > 0)
            node["step"] = info.step;
    }
    if (info.default_value)
        node["default"] = controlJson(*info.default_value);
    return node;
}

Json stateJson(const CaptureMetadata &metadata)
{
    Json state = Json::object();
    const auto word = [](bool converged) { return converged ? "converged" : "searching"; };
    if (metadata.exposure_converged)
        state["exposure"] = word(*metadata.exposure_converged);
    if (metadata.white_balance_converged)
        state["white_balance"] = word(*metadata.white_balance_converged);
    if (metadata.focus_state)
        state["focus"] = focusName(*metadata.focus_state);
    return state;
}

std::string dumped(const Json &node)
{
    return node.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace

ControlValues actualControls(const ControlInfos &infos, const ControlsInForce &in_force, const LockedControls &locked)
{
    const CaptureMetadata &metadata = in_force.metadata;
    ControlValues actual;
    const auto add = [&](const char *name, ControlValue value) {
        if (findControl(infos, name) != nullptr)
            actual.emplace(name, std::move(value));
    };
    if (metadata.exposure_time)
        add("ExposureTime", std::int64_t{metadata.exposure_time->count()});
    if (metadata.analogue_gain)
        add("AnalogueGain", rounded(*metadata.analogue_gain));
    if (metadata.color_temperature)
        add("ColourTemperature", std::int64_t{*metadata.color_temperature});
    if (metadata.color_gains[0] > 0)
        add("ColourGains", std::vector<double>{rounded(metadata.color_gains[0]), rounded(metadata.color_gains[1])});
    if (metadata.lens_position)
        add("LensPosition", rounded(*metadata.lens_position));
    for (const auto &[name, value] : in_force.read)
        if (in_force.read_lately || !locked.contains(name))
            actual.emplace(name, value);
    return actual;
}

ControlValues controlsInForce(const WantedControls::View &view)
{
    if (!view.camera || !view.camera->open)
        return {};
    const ControlInfos &infos = view.camera->infos;
    const LockedControls locked = lockedControls(infos, view.wanted);
    ControlValues values = actualControls(infos, view.camera->in_force, locked);
    if (view.camera->in_force.held_back)
        return values;
    for (const ControlInfo &info : infos)
        if (!locked.contains(info.name) && !view.camera->in_force.problems.contains(info.name))
            if (auto value = wantedValue(infos, view.wanted, info.name))
                values.emplace(info.name, *std::move(value));
    return values;
}

std::string controlsJson(const WantedControls::View &view, const ControlsAsker &asker)
{
    static const ControlInfos kNone;
    const auto &camera = view.camera;
    const ControlInfos &infos = camera ? camera->infos : kNone;
    const bool open = camera && camera->open;
    const LockedControls locked = lockedControls(infos, view.wanted);
    const ControlValues actual = open ? actualControls(infos, camera->in_force, locked) : ControlValues{};
    Json controls = Json::object();
    for (const ControlInfo &info : infos) {
        Json node = describe(info);
        if (const auto value = wantedValue(infos, view.wanted, info.name))
            node["wanted"] = controlJson(*value);
        node["set"] = view.set.values.contains(info.name);
        if (const auto value = actual.find(info.name); value != actual.end())
            node["actual"] = controlJson(value->second);
        if (const auto reason = locked.find(info.name); reason != locked.end())
            node["locked"] = reason->second;
        controls[info.name] = std::move(node);
    }
    Json presets = Json::object();
    for (const auto &[name, values] : view.set.presets)
        presets[name] = controlsJson(values);
    Json problems = Json::object();
    if (open)
        for (const auto &[name, why] : camera->in_force.problems)
            problems[name] = why;
    const Json document = {
        {"camera", camera ? Json{{"id", camera->id}, {"name", camera->name}} : Json()},
        {"open", open},
        {"generation", view.generation},
        {"in_force", open ? camera->in_force.generation : 0U},
        {"may_change", asker.may_change},
        {"user", asker.user},
        {"held_back", open && camera->in_force.held_back},
        {"kept", view.kept},
        {"controls", std::move(controls)},
        {"state", open ? stateJson(camera->in_force.metadata) : Json::object()},
        {"problems", std::move(problems)},
        {"misfits", controlsJson(camera ? misfitsOf(infos, view.wanted) : view.wanted)},
        {"presets", std::move(presets)},
    };
    return dumped(document);
}

std::string controlsText(const WantedControls::View &view)
{
    if (!view.camera)
        return {};
    const ControlInfos &infos = view.camera->infos;
    const LockedControls locked = lockedControls(infos, view.wanted);
    const ControlValues actual =
        view.camera->open ? actualControls(infos, view.camera->in_force, locked) : ControlValues{};
    std::string text;
    for (const ControlInfo &info : infos) {
        const auto wanted = wantedValue(infos, view.wanted, info.name);
        const auto now = actual.find(info.name);
        const auto reason = locked.find(info.name);
        std::string note = reason != locked.end() ? reason->second : std::string();
        // Of a camera that is closed now they are of the past.
        if (const auto &problems = view.camera->in_force.problems; view.camera->open && problems.contains(info.name))
            note = problems.find(info.name)->second;
        text += fmt::format("{}\t{}\t{}\t{}\t{}\n", info.name, wanted ? controlText(*wanted) : "", allowedValues(info),
                            now != actual.end() ? controlText(now->second) : "", note);
    }
    return text;
}

std::string refusalJson(const ControlsRefusal &refusal)
{
    Json node = {{"error", refusal.error}};
    if (!refusal.name.empty())
        node["name"] = refusal.name;
    if (refusal.value)
        node["value"] = controlJson(*refusal.value);
    if (!refusal.allowed.empty())
        node["allowed"] = refusal.allowed;
    return dumped(node);
}

} // namespace picam
