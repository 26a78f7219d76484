// The HTTP answer to a request for a still: status and headers as CGI wants them. Pure; any thread.
#pragma once

#include "core/error.h"
#include "fcgi/stills.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct StillRequest {
    std::string_view method;
    std::string_view if_none_match; // empty: not sent. If-Modified-Since is not looked at: two stills share a second
};

struct StillResponse {
    std::string head;               // "Status: 200 OK\r\n…\r\n\r\n"
    std::string text;               // the body of an error
    PicturePtr picture;             // the body of a 200 to GET; may be empty
    std::vector<std::uint8_t> exif; // goes into the picture, in front of its byte `exif_offset`; may be empty
    std::size_t exif_offset = 0;
};

struct ResponseOptions {
    std::string instance; // names the file that a browser saves
    bool exif = true;
};

// Whether the method needs a picture at all.
[[nodiscard]] bool wantsPicture(const StillRequest &request);

[[nodiscard]] StillResponse respond(const StillRequest &request, const Expected<Still> &still,
                                    const ResponseOptions &options, MonotonicTime now);

} // namespace picam
