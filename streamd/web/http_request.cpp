#include "streamd/web/http_request.h"

#include "core/base/origin.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace picam::http {

namespace {

// Browsers leave out the port that the scheme implies; a proxy may write it.
std::string_view withoutPort(std::string_view host, std::string_view port)
{
    if (host.size() > port.size() && host.substr(host.size() - port.size()) == port)
        host.remove_suffix(port.size());
    return host;
}

} // namespace

std::string_view path(std::string_view target)
{
    return target.substr(0, target.find('?'));
}

std::optional<std::string_view> queryValue(std::string_view target, std::string_view name)
{
    const auto mark = target.find('?');
    auto rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    while (!rest.empty()) {
        const auto field = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), field.size() + 1));
        const auto equals = std::min(field.find('='), field.size());
        if (field.substr(0, equals) == name)
            return field.substr(std::min(field.size(), equals + 1));
    }
    return std::nullopt;
}

std::optional<double> queryFps(std::string_view target)
{
    const auto value = queryValue(target, "fps");
    if (!value)
        return 0.0;
    // Plain decimals only: std::from_chars() would take a sign, "nan" and "inf" too.
    if (value->find_first_not_of("0123456789.") != std::string_view::npos)
        return std::nullopt;
    double fps = 0.0;
    const char *end = value->data() + value->size();
    const auto [rest, error] = std::from_chars(value->data(), end, fps, std::chars_format::fixed);
    if (error != std::errc() || rest != end || (fps != 0.0 && !(fps >= 0.01)))
        return std::nullopt;
    return fps;
}

bool originAllowed(std::string_view origin, std::string_view host, const std::vector<std::string> &allowed)
{
    if (origin.empty() || originListed(origin, allowed))
        return true;
    const bool secure = equalIgnoringCase(origin.substr(0, 8), "https://");
    if (!secure && !equalIgnoringCase(origin.substr(0, 7), "http://"))
        return false;
    const std::string_view port = secure ? ":443" : ":80";
    const auto site = withoutPort(origin.substr(secure ? 8 : 7), port);
    return !site.empty() && equalIgnoringCase(site, withoutPort(host, port));
}

} // namespace picam::http
