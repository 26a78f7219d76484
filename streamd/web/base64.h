// Base64 (RFC 4648, section 4, padded). Plain C++17 (see connection.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace picam {

[[nodiscard]] std::string base64(const std::uint8_t *data, std::size_t bytes);

} // namespace picam
