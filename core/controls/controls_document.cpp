#include "core/controls/controls_document.h"

#include "core/controls/control_json.h"
#include "core/controls/control_value.h"

#include <utility>

namespace picam {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;

std::optional<CameraControls> cameraFrom(const json &object)
{
    if (!object.is_object())
        return std::nullopt;
    CameraControls camera;
    auto values = controlsFromJson(object.value("values", json::object()));
    const json restored = object.value("restored", json::array());
    const json focus = object.value("focus", json(0U));
    const json presets = object.value("presets", json::object());
    if (!values || !restored.is_array() || !focus.is_number_unsigned() || !presets.is_object())
        return std::nullopt;
    camera.values = *std::move(values);
    for (const json &name : restored) {
        if (!name.is_string() || !isControlName(name.get_ref<const std::string &>()))
            return std::nullopt;
        camera.restored.insert(name.get<std::string>());
    }
    camera.focus = focus.get<std::uint32_t>();
    for (const auto &[name, each] : presets.items()) {
        auto preset = controlsFromJson(each);
        if (!preset)
            return std::nullopt;
        camera.presets.emplace(name, *std::move(preset));
    }
    return camera;
}

json toJson(const CameraControls &camera)
{
    json presets = json::object();
    for (const auto &[name, values] : camera.presets)
        presets[name] = controlsJson(values);
    return {{"values", controlsJson(camera.values)},
            {"restored", camera.restored},
            {"focus", camera.focus},
            {"presets", std::move(presets)}};
}

} // namespace

Expected<ControlsDocument> parseControlsDocument(std::string_view text)
{
    const auto corrupt = [] { return fail(ErrorKind::kCorrupt, "it is no file of controls"); };
    if (text.size() > ControlsDocument::kMaxBytes)
        return corrupt();
    const json root = json::parse(text, nullptr, false);
    if (!root.is_object() || root.value("version", json()) != kVersion)
        return corrupt();
    const json generation = root.value("generation", json());
    const json cameras = root.value("cameras", json());
    const json camera_id = root.value("camera", json(""));
    if (!generation.is_number_unsigned() || generation.get<std::uint64_t>() > UINT32_MAX || !cameras.is_object() ||
        !camera_id.is_string())
        return corrupt();
    ControlsDocument document;
    document.generation = generation.get<std::uint32_t>();
    document.camera = camera_id.get<std::string>();
    for (const auto &[id, object] : cameras.items()) {
        auto camera = cameraFrom(object);
        if (!camera)
            return corrupt();
        document.cameras.emplace(id, *std::move(camera));
    }
    return document;
}

std::string serializeControlsDocument(const ControlsDocument &document)
{
    json cameras = json::object();
    for (const auto &[id, camera] : document.cameras)
        cameras[id] = toJson(camera);
    const json root = {{"version", kVersion},
                       {"generation", document.generation},
                       {"camera", document.camera},
                       {"cameras", std::move(cameras)}};
    return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace picam
