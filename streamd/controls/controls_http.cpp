#include "streamd/controls/controls_http.h"

#include "core/base/origin.h"
#include "core/controls/control_json.h"
#include "core/controls/control_value.h"
#include "streamd/web/http_request.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace picam {

using nlohmann::json;

namespace {

using Answer = ControlsHttp::Answer;

constexpr std::string_view kPath = "/controls";
constexpr std::string_view kFocusPath = "/controls/focus";
constexpr std::string_view kResetPath = "/controls/reset";

ControlsAsker askerOf(const ControlsHttp::Request &request)
{
    return {std::string(request.user), !request.user.empty() && request.role == "operator"};
}

bool isJson(std::string_view type)
{
    const auto name = type.substr(0, type.find_first_of("; "));
    return equalIgnoringCase(name, "application/json") || equalIgnoringCase(name, "application/merge-patch+json");
}

// What no camera could take, and the value as it came.
struct Misfit {
    std::string name;
    json value;
    std::string error;   // empty: it is for a control, whose range says it
    std::string allowed; // empty: as above
};

tl::expected<ControlValue, Misfit> valueOf(const std::string &name, const json &node)
{
    auto value = isControlName(name) ? controlFromJson(node) : std::nullopt;
    if (!value)
        return tl::unexpected(Misfit{name, node, {}, {}});
    return *std::move(value);
}

tl::expected<ControlValues, Misfit> presetOf(const std::string &preset, const json &node)
{
    if (!node.is_object())
        return tl::unexpected(Misfit{preset, node, "a preset is an object of controls and their values", "an object"});
    if (node.size() > WantedControls::kMaxControls)
        return tl::unexpected(Misfit{preset, node, "a preset has too many controls", "fewer controls"});
    ControlValues values;
    for (const auto &[name, each] : node.items()) {
        auto value = valueOf(name, each);
        if (!value)
            return tl::unexpected(std::move(value.error()));
        values.emplace(name, *std::move(value));
    }
    return values;
}

// Of an object.
tl::expected<ControlsChange, Misfit> changeOf(const json &node)
{
    ControlsChange change;
    for (const auto &[name, each] : node.items()) {
        if (name == "preset") {
            if (!each.is_string())
                return tl::unexpected(Misfit{name, each, "preset is the name of a preset", "the name of a preset"});
            change.preset = each.get<std::string>();
        } else if (name == "presets") {
            if (!each.is_object())
                return tl::unexpected(Misfit{name, each, "presets is an object of presets", "an object of presets"});
            for (const auto &[preset, values] : each.items()) {
                auto &read = change.presets[preset];
                if (values.is_null())
                    continue;
                auto good = presetOf(preset, values);
                if (!good)
                    return tl::unexpected(std::move(good.error()));
                read = *std::move(good);
            }
        } else if (each.is_null() && isControlName(name)) {
            change.controls[name] = std::nullopt;
        } else {
            auto value = valueOf(name, each);
            if (!value)
                return tl::unexpected(std::move(value.error()));
            change.controls[name] = *std::move(value);
        }
    }
    return change;
}

// A fraction of the picture's side.
tl::expected<double, Misfit> fractionOf(const json &node, const char *name)
{
    const json value = node.value(name, json());
    const double fraction = value.is_number() ? value.get<double>() : -1.0;
    if (fraction >= 0.0 && fraction <= 1.0)
        return fraction;
    return tl::unexpected(Misfit{name, value, "x and y are numbers from 0 to 1", "0 to 1"});
}

Answer unprocessable(const Misfit &misfit)
{
    json node = {{"error", misfit.error}, {"name", misfit.name}};
    if (!misfit.value.is_structured())
        node["value"] = misfit.value;
    if (!misfit.allowed.empty())
        node["allowed"] = misfit.allowed;
    Answer answer;
    answer.status = 422;
    answer.body = node.dump(-1, ' ', false, json::error_handler_t::replace);
    return answer;
}

// One of the tags that a header lists, or any.
bool matches(std::string_view header, std::string_view etag)
{
    while (!header.empty()) {
        auto tag = header.substr(0, header.find(','));
        header.remove_prefix(std::min(header.size(), tag.size() + 1));
        tag.remove_prefix(std::min(tag.find_first_not_of(' '), tag.size()));
        tag = tag.substr(0, tag.find_last_not_of(' ') + 1);
        if (tag == "*" || tag == etag)
            return true;
    }
    return false;
}

} // namespace

bool ControlsHttp::isFor(std::string_view path)
{
    return path == kPath || path == kFocusPath || path == kResetPath;
}

bool ControlsHttp::takesBody(std::string_view method, std::string_view path)
{
    return path == kPath ? method == "PATCH" : isFor(path) && method == "POST";
}

Answer ControlsHttp::refuse(unsigned status, std::string_view sentence)
{
    ControlsRefusal refusal;
    refusal.error = sentence;
    Answer answer;
    answer.status = status;
    answer.body = refusalJson(refusal);
    return answer;
}

// Of a change. What comes by nginx has been asked for a password there; this is for what a page of another site can
// have a browser send, and for who may look, but not change.
std::optional<Answer> ControlsHttp::refusalOf(const Request &request, Clock::time_point now)
{
    if (!askerOf(request).may_change)
        return refuse(403, "who asks may look, but not change the controls");
    if (!http::originAllowed(request.origin, request.host, {}))
        return refuse(403, "pages of other sites may not change the controls");
    if (!request.fetch_site.empty() && request.fetch_site != "same-origin" && request.fetch_site != "none")
        return refuse(403, "pages of other sites may not change the controls");
    if (!isJson(request.content_type))
        return refuse(415, "a change is JSON: Content-Type: application/json");
    if (request.body.size() > kMaxBody)
        return refuse(413, "a change has at most 4096 bytes");
    if (!takeTurn(now)) {
        auto answer = refuse(429, "there are too many changes; at most 5 a second are made");
        answer.retry_after = 1;
        return answer;
    }
    return std::nullopt;
}

bool ControlsHttp::takeTurn(Clock::time_point now)
{
    const double passed = std::chrono::duration<double>(now - std::exchange(turns_at_, now)).count();
    turns_ = std::min(kMaxBurst, turns_ + passed * kChangesPerSecond);
    if (turns_ < 1.0)
        return false;
    turns_ -= 1.0;
    return true;
}

Answer ControlsHttp::document(const Request &request)
{
    Answer answer;
    wanted_.refresh();
    const auto view = wanted_.view();
    answer.etag = wanted_.etag();
    if (http::queryValue(request.target, "format") == "text") {
        answer.type = "text/plain; charset=utf-8";
        answer.body = controlsText(view);
    } else {
        answer.body = controlsJson(view, askerOf(request));
    }
    return answer;
}

Answer ControlsHttp::done(const Request &request, const std::optional<ControlsRefusal> &refusal)
{
    if (!refusal)
        return document(request);
    Answer answer;
    answer.status = refusal->ours ? 503 : 422;
    answer.body = refusalJson(*refusal);
    return answer;
}

Answer ControlsHttp::change(const Request &request)
{
    if (request.if_match.empty())
        return refuse(428, "a change says which state it is for: If-Match with the ETag of GET, or *");
    if (!matches(request.if_match, wanted_.etag()))
        return refuse(412, "the controls have been changed meanwhile");
    const json node = json::parse(request.body, nullptr, false);
    if (!node.is_object())
        return refuse(400, "a change is a JSON object of controls and their values");
    auto change = changeOf(node);
    if (!change) {
        Misfit &misfit = change.error();
        if (misfit.error.empty())
            std::tie(misfit.error, misfit.allowed) = wanted_.allowed(misfit.name);
        return unprocessable(misfit);
    }
    return done(request, wanted_.change(*change, std::string(request.user)));
}

Answer ControlsHttp::focus(const Request &request)
{
    const json node = json::parse(request.body, nullptr, false);
    if (!node.is_object())
        return refuse(400, "this takes a JSON object");
    std::optional<std::pair<double, double>> place;
    if (node.contains("x") || node.contains("y")) {
        const auto x = fractionOf(node, "x");
        const auto y = fractionOf(node, "y");
        if (!x || !y)
            return unprocessable(x ? y.error() : x.error());
        place = {*x, *y};
    }
    // A focus is of now, not of whenever a camera comes.
    if (!wanted_.view().camera)
        return refuse(409, "no camera has been opened yet: open the stream, then focus");
    return done(request, wanted_.focus(place, std::string(request.user)));
}

Answer ControlsHttp::answer(const Request &request, Clock::time_point now)
{
    const auto path = http::path(request.target);
    if (path == kPath && (request.method == "GET" || request.method == "HEAD"))
        return document(request);
    if (!takesBody(request.method, path)) {
        auto answer =
            refuse(405, path == kPath ? "only GET, HEAD and PATCH are allowed here" : "only POST is allowed here");
        answer.allow = path == kPath ? "GET, HEAD, PATCH" : "POST";
        return answer;
    }
    if (auto refusal = refusalOf(request, now))
        return *std::move(refusal);
    if (path == kPath)
        return change(request);
    if (path == kFocusPath)
        return focus(request);
    if (!json::parse(request.body, nullptr, false).is_object())
        return refuse(400, "this takes a JSON object");
    return done(request, wanted_.reset(std::string(request.user)));
}

} // namespace picam
