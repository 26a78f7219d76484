#include "core/controls/control_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <system_error>
#include <utility>

namespace picam {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxText = 64;
constexpr std::size_t kMaxNumbers = 16;

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

template <class Number>
std::optional<Number> parseWhole(std::string_view text)
{
    Number number{};
    const char *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end)
        return std::nullopt;
    return number;
}

std::optional<std::vector<double>> parseNumbers(std::string_view text)
{
    std::vector<double> numbers;
    while (!(text = trimmed(text)).empty()) {
        const auto number = parseWhole<double>(text.substr(0, text.find(' ')));
        if (!number || !std::isfinite(*number) || numbers.size() == kMaxNumbers)
            return std::nullopt;
        numbers.push_back(*number);
        text.remove_prefix(std::min(text.find(' '), text.size()));
    }
    return numbers;
}

bool isWithin(const ControlInfo &info, double number)
{
    return std::isfinite(number) && number >= info.min && number <= info.max;
}

// Above this a double does not tell one integer from the next.
constexpr double kMaxInteger = 9007199254740992.0;

std::optional<ControlValue> fitted(const ControlInfo &info, const ControlValue &value)
{
    const auto number = controlNumber(value);
    switch (info.type) {
    case ControlType::kBool:
        if (std::holds_alternative<bool>(value))
            return value;
        break;
    case ControlType::kInteger:
        if (number && isWithin(info, *number) && std::fabs(*number) <= kMaxInteger && *number == std::floor(*number))
            return static_cast<std::int64_t>(*number);
        break;
    case ControlType::kNumber:
        if (number && isWithin(info, *number))
            return *number;
        break;
    case ControlType::kEnum:
        if (const auto *name = std::get_if<std::string>(&value);
            name != nullptr && std::find(info.values.begin(), info.values.end(), *name) != info.values.end())
            return value;
        // A menu may have numbers for names.
        if (number && !std::holds_alternative<std::string>(value) &&
            std::find(info.values.begin(), info.values.end(), controlText(value)) != info.values.end())
            return controlText(value);
        break;
    case ControlType::kNumbers:
        if (number && info.size == 1 && isWithin(info, *number))
            return std::vector<double>{*number};
        if (const auto *numbers = std::get_if<std::vector<double>>(&value);
            numbers != nullptr && numbers->size() == info.size &&
            std::all_of(numbers->begin(), numbers->end(), [&info](double each) { return isWithin(info, each); }))
            return value;
        break;
    }
    return std::nullopt;
}

} // namespace

std::optional<double> controlNumber(const ControlValue &value)
{
    if (const auto *integer = std::get_if<std::int64_t>(&value))
        return static_cast<double>(*integer);
    if (const auto *number = std::get_if<double>(&value))
        return *number;
    return std::nullopt;
}

Expected<ControlValue> checkControl(const ControlInfo &info, const ControlValue &value)
{
    if (auto good = fitted(info, value))
        return *std::move(good);
    return fail(ErrorKind::kUnsupported, allowedValues(info));
}

std::string allowedValues(const ControlInfo &info)
{
    const auto range = fmt::format("{} to {}", info.min, info.max);
    switch (info.type) {
    case ControlType::kBool:
        return "true or false";
    case ControlType::kInteger:
        return "a whole number, " + range;
    case ControlType::kNumber:
        return range;
    case ControlType::kEnum:
        return fmt::format("{}", fmt::join(info.values, ", "));
    case ControlType::kNumbers:
        return fmt::format("{} numbers, {}", info.size, range);
    }
    return {};
}

std::string controlText(const ControlValue &value)
{
    if (const auto *flag = std::get_if<bool>(&value))
        return *flag ? "true" : "false";
    if (const auto *integer = std::get_if<std::int64_t>(&value))
        return std::to_string(*integer);
    if (const auto *number = std::get_if<double>(&value))
        return fmt::format("{}", *number);
    if (const auto *text = std::get_if<std::string>(&value))
        return *text;
    return fmt::format("{}", fmt::join(std::get<std::vector<double>>(value), " "));
}

std::optional<ControlValue> parseControlValue(std::string_view text)
{
    text = trimmed(text);
    if (text.empty() || text.size() > kMaxText ||
        std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return std::nullopt;
    if (text == "true" || text == "false")
        return text == "true";
    if (const auto integer = parseWhole<std::int64_t>(text))
        return *integer;
    if (auto numbers = parseNumbers(text)) {
        if (numbers->size() == 1)
            return numbers->front();
        return *std::move(numbers);
    }
    return std::string(text);
}

std::optional<ControlValues> parseControlList(std::string_view text)
{
    ControlValues values;
    while (!(text = trimmed(text)).empty()) {
        const auto item = text.substr(0, text.find(','));
        text.remove_prefix(std::min(item.size() + 1, text.size()));
        const auto equals = item.find('=');
        if (equals == std::string_view::npos)
            return std::nullopt;
        const auto name = trimmed(item.substr(0, equals));
        auto value = parseControlValue(item.substr(equals + 1));
        if (!isControlName(name) || !value || !values.emplace(name, *std::move(value)).second)
            return std::nullopt;
    }
    return values;
}

std::string controlListText(const ControlValues &values)
{
    std::string text;
    for (const auto &[name, value] : values)
        text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, controlText(value));
    return text;
}

bool isControlName(std::string_view name)
{
    return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    });
}

} // namespace picam
