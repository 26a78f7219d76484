#include "core/controls/controls_description.h"

#include "core/base/small_file.h"
#include "core/controls/control_json.h"
#include "core/controls/control_value.h"

#include <utility>

namespace picam {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxBytes = 256 << 10;
constexpr auto kLastType = static_cast<unsigned>(ControlType::kNumbers);
constexpr auto kLastGroup = static_cast<unsigned>(ControlGroup::kZoom);

json toJson(const ControlInfo &info)
{
    json node = {{"name", info.name},
                 {"type", static_cast<unsigned>(info.type)},
                 {"group", static_cast<unsigned>(info.group)},
                 {"expert", info.expert},
                 {"min", info.min},
                 {"max", info.max},
                 {"step", info.step},
                 {"values", info.values},
                 {"size", info.size}};
    if (info.default_value)
        node["default"] = controlJson(*info.default_value);
    return node;
}

// Throws what nlohmann's JSON does where it is something else.
std::optional<ControlInfo> infoFrom(const json &node)
{
    ControlInfo info;
    info.name = node.at("name").get<std::string>();
    const auto type = node.at("type").get<unsigned>();
    const auto group = node.at("group").get<unsigned>();
    if (!isControlName(info.name) || type > kLastType || group > kLastGroup)
        return std::nullopt;
    info.type = static_cast<ControlType>(type);
    info.group = static_cast<ControlGroup>(group);
    info.expert = node.at("expert").get<bool>();
    info.min = node.at("min").get<double>();
    info.max = node.at("max").get<double>();
    info.step = node.at("step").get<double>();
    info.values = node.at("values").get<std::vector<std::string>>();
    info.size = node.at("size").get<std::size_t>();
    if (const auto found = node.find("default"); found != node.end()) {
        const auto value = controlFromJson(*found);
        const auto good = value ? checkControl(info, *value) : fail(ErrorKind::kCorrupt, "");
        if (!good)
            return std::nullopt;
        info.default_value = *good;
    }
    return info;
}

} // namespace

Expected<void> writeControlsDescription(const std::string &path, const ControlsDescription &description)
{
    json controls = json::array();
    for (const ControlInfo &info : description.controls)
        controls.push_back(toJson(info));
    const json root = {{"id", description.id}, {"name", description.name}, {"controls", std::move(controls)}};
    return replaceSmallFile(path, root.dump(-1, ' ', false, json::error_handler_t::replace), Durability::kUntilReboot);
}

std::optional<ControlsDescription> readControlsDescription(const std::string &path)
{
    const auto text = readSmallFile(path, kMaxBytes);
    if (!text || !*text)
        return std::nullopt;
    try {
        const json root = json::parse(**text);
        ControlsDescription description{root.at("id").get<std::string>(), root.at("name").get<std::string>(), {}};
        for (const json &node : root.at("controls")) {
            auto info = infoFrom(node);
            if (!info)
                return std::nullopt;
            description.controls.push_back(*std::move(info));
        }
        return description;
    } catch (const json::exception &) {
        return std::nullopt;
    }
}

} // namespace picam
