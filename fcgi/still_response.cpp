#include "fcgi/still_response.h"

#include "core/base/origin.h"

#include <algorithm>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace picam {
namespace {

constexpr int kRetryAfterSeconds = 2;

std::tm utc(WallTime time)
{
    return fmt::gmtime(std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<WallTime::duration>(std::chrono::floor<std::chrono::seconds>(time))));
}

std::int64_t millisecondsOf(WallTime time)
{
    return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// RFC 9110, 5.6.7. fmt takes names in the classic locale unless it is told another.
std::string httpDate(WallTime time)
{
    return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", utc(time));
}

std::string rfc3339(WallTime time)
{
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc(time), millisecondsOf(time) % 1000);
}

std::string fileTime(WallTime time)
{
    return fmt::format("{:%Y%m%d-%H%M%S}", utc(time));
}

const char *originName(StillOrigin origin)
{
    switch (origin) {
    case StillOrigin::kCapture:
        return "capture";
    case StillOrigin::kStream:
        return "stream";
    case StillOrigin::kCache:
        return "cache";
    }
    return "capture";
}

// A list of entity tags, weak or strong, or "*" (RFC 9110, 13.1.2).
bool listsTag(std::string_view list, std::string_view tag)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        std::string_view item = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t'))
            item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t'))
            item.remove_suffix(1);
        if (item.substr(0, 2) == "W/")
            item.remove_prefix(2);
        if (item == "*" || item == tag)
            return true;
    }
    return false;
}

StillResponse plain(std::string_view status, std::string_view extra, std::string sentence, bool head_only)
{
    StillResponse response;
    sentence += ".\n";
    response.head = fmt::format("Status: {}\r\n{}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n"
                                "Cache-Control: no-store\r\n\r\n",
                                status, extra, sentence.size());
    if (!head_only)
        response.text = std::move(sentence);
    return response;
}

} // namespace

bool wantsPicture(const StillRequest &request)
{
    return request.method == "GET" || request.method == "HEAD";
}

StillResponse respond(const StillRequest &request, const Expected<Still> &still, std::shared_ptr<const Exif> exif,
                      std::string_view instance, const std::vector<std::string> &origins, MonotonicTime now)
{
    const bool head_only = request.method == "HEAD";
    const std::string cors = headerLines(corsHeaders(request.origin, origins));
    if (!wantsPicture(request))
        return plain("405 Method Not Allowed", "Allow: GET, HEAD\r\n" + cors, "Only GET and HEAD are allowed here",
                     false);
    if (!still) {
        const int status = httpStatus(still.error().kind);
        return plain(status == 503 ? "503 Service Unavailable" : "500 Internal Server Error",
                     fmt::format("Retry-After: {}\r\n{}", kRetryAfterSeconds, cors),
                     "No picture: " + still.error().message, head_only);
    }

    const Picture &picture = *still->picture;
    // The length tells a still from the stream's frame beside it, and one with EXIF from one without.
    const std::string tag = fmt::format("\"{:x}-{:x}-{:x}{}\"", picture.sequence, millisecondsOf(picture.captured_wall),
                                        picture.bytes.size(), exif ? "e" : "");
    const std::string modified = httpDate(picture.captured_wall);
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - picture.captured).count();
    const std::string about = fmt::format(
        "ETag: {}\r\nLast-Modified: {}\r\nCache-Control: no-cache\r\nX-Picam-Sequence: {}\r\nX-Picam-Captured: {}\r\n"
        "X-Picam-Age-Ms: {}\r\nX-Picam-Source: {}\r\n{}",
        tag, modified, picture.sequence, rfc3339(picture.captured_wall), std::max<std::int64_t>(age, 0),
        originName(still->origin), cors);

    StillResponse response;
    if (listsTag(request.if_none_match, tag)) {
        response.head = "Status: 304 Not Modified\r\n" + about + "\r\n";
        return response;
    }
    response.head = fmt::format("Status: 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n{}"
                                "Content-Disposition: inline; filename=\"{}-{}.jpg\"\r\n\r\n",
                                picture.bytes.size() + (exif ? exif->segment.size() : 0), about, instance,
                                fileTime(picture.captured_wall));
    if (!head_only) {
        response.picture = still->picture;
        response.exif = std::move(exif);
    }
    return response;
}

} // namespace picam
