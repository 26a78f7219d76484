// The HTTP response to a request for a still: status and headers as CGI requires them. Pure; any thread.
#pragma once

#include "core/base/error.h"
#include "fcgi/exif.h"
#include "fcgi/stills.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct StillRequest {
    std::string_view method;
    std::string_view if_none_match; // empty: not sent. If-Modified-Since is not looked at: two stills share a second
    std::string_view origin;        // empty: no other site's page asks
};

struct StillResponse {
    std::string head;                 // "Status: 200 OK\r\n…\r\n\r\n"
    std::string text;                 // the body of an error
    PicturePtr picture;               // the body of a 200 to GET; may be empty
    std::shared_ptr<const Exif> exif; // goes into the picture; may be empty
};

// Whether the method needs a picture at all.
[[nodiscard]] bool wantsPicture(const StillRequest &request);

// `exif` of the picture, or empty; `instance` names the file that a browser saves; pages of `origins` may read it.
[[nodiscard]] StillResponse respond(const StillRequest &request, const Expected<Still> &still,
                                    std::shared_ptr<const Exif> exif, std::string_view instance,
                                    const std::vector<std::string> &origins, MonotonicTime now);

} // namespace picam
