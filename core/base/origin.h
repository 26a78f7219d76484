// Pages of other sites: which of them may watch (stream.origins), and what tells their browsers so. Pure functions,
// plain C++17.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picam {

[[nodiscard]] bool equalIgnoringCase(std::string_view a, std::string_view b);

// `origin`, as a request's Origin has it, is one of `allowed` ("https://example.org").
[[nodiscard]] bool originListed(std::string_view origin, const std::vector<std::string> &allowed);

// Name and value of the headers of an answer that a page from `allowed` may read, with the password that its browser
// has for us. Vary stands in each answer that another page would get with other headers. Empty where `allowed` is.
using HeaderFields = std::vector<std::pair<std::string_view, std::string>>;
[[nodiscard]] HeaderFields corsHeaders(std::string_view origin, const std::vector<std::string> &allowed);

// "Name: value\r\n" for each.
[[nodiscard]] std::string headerLines(const HeaderFields &fields);

} // namespace picam
