#include "core/controls/controls_document.h"

#include "core/controls/control_json.h"
#include "core/controls/control_value.h"

#include <utility>

namespace picam {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;

// Or `standard`, where the object has no such member. Not a copy, as value() makes one: what is nested deep enough
// would end the program.
const json &memberOf(const json &object, const char *name, const json &standard)
{
    const auto found = object.find(name);
    return found != object.end() ? *found : standard;
}

bool isUint32(const json &number)
{
    return number.is_number_unsigned() && number.get<std::uint64_t>() <= UINT32_MAX;
}

std::optional<CameraControls> cameraFrom(const json &object)
{
    static const json kObject = json::object();
    static const json kArray = json::array();
    static const json kZero = 0U;
    if (!object.is_object())
        return std::nullopt;
    CameraControls camera;
    auto values = controlsFromJson(memberOf(object, "values", kObject));
    const json &restored = memberOf(object, "restored", kArray);
    const json &focus = memberOf(object, "focus", kZero);
    const json &presets = memberOf(object, "presets", kObject);
    if (!values || !restored.is_array() || !isUint32(focus) || !presets.is_object())
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
    static const json kNone;
    static const json kText = "";
    const json root = json::parse(text, nullptr, false);
    if (!root.is_object() || memberOf(root, "version", kNone) != kVersion)
        return corrupt();
    const json &generation = memberOf(root, "generation", kNone);
    const json &cameras = memberOf(root, "cameras", kNone);
    const json &camera_id = memberOf(root, "camera", kText);
    if (!isUint32(generation) || !cameras.is_object() || !camera_id.is_string())
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
