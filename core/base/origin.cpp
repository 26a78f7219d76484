#include "core/base/origin.h"

#include <algorithm>

namespace picam {
namespace {

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

bool equalIgnoringCase(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool originListed(std::string_view origin, const std::vector<std::string> &allowed)
{
    return std::any_of(allowed.begin(), allowed.end(),
                       [origin](const std::string &known) { return equalIgnoringCase(origin, known); });
}

HeaderFields corsHeaders(std::string_view origin, const std::vector<std::string> &allowed)
{
    if (allowed.empty())
        return {};
    HeaderFields fields{{"Vary", "Origin"}};
    if (originListed(origin, allowed)) {
        fields.emplace_back("Access-Control-Allow-Origin", origin);
        fields.emplace_back("Access-Control-Allow-Credentials", "true");
    }
    return fields;
}

std::string headerLines(const HeaderFields &fields)
{
    std::string lines;
    for (const auto &[name, value] : fields)
        lines.append(name).append(": ").append(value).append("\r\n");
    return lines;
}

} // namespace picam
