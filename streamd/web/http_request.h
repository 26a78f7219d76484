// What both servers read out of a request's head. Pure functions, plain C++17 (see connection.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picam::http {

// "/a" of "/a?b=c".
[[nodiscard]] std::string_view path(std::string_view target);
// The value of the first `name=value` in the target's query, undecoded; "" for a bare `name`.
[[nodiscard]] std::optional<std::string_view> queryValue(std::string_view target, std::string_view name);
// `fps` of the query. Empty: not a number from 0.01 up, or 0 (no limit, as when it is missing).
[[nodiscard]] std::optional<double> queryFps(std::string_view target);
// The page that asks is this site's (Origin's host and port are Host's), is one of `allowed` ("https://example.org"),
// or no page at all (no Origin: a program).
[[nodiscard]] bool originAllowed(std::string_view origin, std::string_view host,
                                 const std::vector<std::string> &allowed);

} // namespace picam::http
