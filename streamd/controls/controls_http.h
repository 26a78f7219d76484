// ControlsHttp answers the requests to /controls, /controls/focus and /controls/reset: who may, what a request has to
// look like, how many there may be. Loop thread only. It reads and writes no connection (web/http_server).
#pragma once

#include "streamd/controls/controls_json.h"
#include "streamd/controls/wanted_controls.h"

#include <chrono>
#include <string>
#include <string_view>

namespace picam {

class ControlsHttp {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::size_t kMaxBody = 4096; // bytes
    // Changes: so many a second, and so many at once.
    static constexpr double kChangesPerSecond = 5.0;
    static constexpr double kMaxBurst = 10.0;

    struct Request {
        std::string_view method;
        std::string_view target;     // with the query
        std::string_view user;       // X-Picam-User, which nginx alone sets
        std::string_view role;       // X-Picam-Role, as well
        std::string_view origin;     // a browser's
        std::string_view host;       // that the browser asked for
        std::string_view fetch_site; // Sec-Fetch-Site
        std::string_view content_type;
        std::string_view if_match;
        std::string_view body;
    };
    struct Answer {
        unsigned status = 200;
        std::string body;
        std::string type = "application/json";
        std::string etag;  // empty: none
        std::string allow; // empty: none; for 405
        unsigned retry_after = 0;
    };

    explicit ControlsHttp(WantedControls &wanted) : wanted_(wanted) {} // which must outlive it

    // Whether the path is one of these.
    [[nodiscard]] static bool isFor(std::string_view path);
    // Whether the request has a body that is worth reading.
    [[nodiscard]] static bool takesBody(std::string_view method, std::string_view path);

    [[nodiscard]] Answer answer(const Request &request, Clock::time_point now);
    [[nodiscard]] static Answer refuse(unsigned status, std::string_view sentence);

    // For /status.
    [[nodiscard]] WantedControls::View view() { return wanted_.view(); }

private:
    [[nodiscard]] std::optional<Answer> refusalOf(const Request &request, Clock::time_point now);
    [[nodiscard]] Answer document(const Request &request);
    [[nodiscard]] Answer change(const Request &request);
    [[nodiscard]] Answer focus(const Request &request);
    [[nodiscard]] Answer done(const Request &request, const std::optional<ControlsRefusal> &refusal);
    [[nodiscard]] bool takeTurn(Clock::time_point now);

    WantedControls &wanted_;
    double turns_ = kMaxBurst;
    Clock::time_point turns_at_{};
};

} // namespace picam
