#include "core/controls/control_json.h"

#include "core/controls/control_value.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace picam {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxText = 64;
constexpr std::size_t kMaxNumbers = 16;
constexpr std::size_t kMaxControls = 256;

// It may stand in a log.
bool isPlain(const std::string &text)
{
    return text.size() <= kMaxText &&
           std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
}

} // namespace

json controlJson(const ControlValue &value)
{
    return std::visit([](const auto &of) { return json(of); }, value);
}

json controlsJson(const ControlValues &values)
{
    json object = json::object();
    for (const auto &[name, value] : values)
        object[name] = controlJson(value);
    return object;
}

std::optional<ControlValue> controlFromJson(const json &node)
{
    if (node.is_boolean())
        return node.get<bool>();
    if (node.is_number_unsigned() && node.get<std::uint64_t>() > INT64_MAX)
        return std::nullopt;
    if (node.is_number_integer())
        return node.get<std::int64_t>();
    if (node.is_number_float() && std::isfinite(node.get<double>()))
        return node.get<double>();
    if (node.is_string() && isPlain(node.get_ref<const std::string &>()))
        return node.get<std::string>();
    if (!node.is_array() || node.size() > kMaxNumbers)
        return std::nullopt;
    std::vector<double> numbers;
    for (const auto &each : node) {
        if (!each.is_number() || !std::isfinite(each.get<double>()))
            return std::nullopt;
        numbers.push_back(each.get<double>());
    }
    return numbers;
}

std::optional<ControlValues> controlsFromJson(const json &node)
{
    if (!node.is_object() || node.size() > kMaxControls)
        return std::nullopt;
    ControlValues values;
    for (const auto &[name, each] : node.items()) {
        auto value = controlFromJson(each);
        if (!value || !isControlName(name))
            return std::nullopt;
        values.emplace(name, *std::move(value));
    }
    return values;
}

} // namespace picam
