#include "core/base/settings_table.h"

#include "core/controls/control_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace picam {
namespace {

// Plain decimals: std::from_chars alone would take a sign, "inf" and "nan" too.
std::optional<double> parseNumber(std::string_view text)
{
    if (text.size() >= 20 || text.find_first_not_of("0123456789.") != std::string_view::npos)
        return std::nullopt;
    double value = 0;
    const char *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc() || rest != end)
        return std::nullopt;
    return value;
}

template <class Integer>
std::optional<Integer> parseInteger(std::string_view text)
{
    Integer value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<bool> parseBool(std::string_view text)
{
    if (text == "true" || text == "yes" || text == "on" || text == "1")
        return true;
    if (text == "false" || text == "no" || text == "off" || text == "0")
        return false;
    return std::nullopt;
}

std::optional<Size> parseSize(std::string_view text)
{
    constexpr std::uint32_t kMin = 16;
    constexpr std::uint32_t kMax = 16384;
    const auto x = text.find('x');
    if (x == std::string_view::npos)
        return std::nullopt;
    const auto width = parseInteger<std::uint32_t>(text.substr(0, x));
    const auto height = parseInteger<std::uint32_t>(text.substr(x + 1));
    const auto good = [](std::optional<std::uint32_t> side) {
        return side && *side >= kMin && *side <= kMax && *side % 2 == 0;
    };
    if (!good(width) || !good(height))
        return std::nullopt;
    return Size{*width, *height};
}

// "500ms", "1.5s", "2m"; a bare number is seconds.
std::optional<Milliseconds> parseDuration(std::string_view text)
{
    double unit_ms = 1000;
    const auto ends = [&](std::string_view suffix, double ms) {
        if (text.size() <= suffix.size() || text.substr(text.size() - suffix.size()) != suffix)
            return false;
        text.remove_suffix(suffix.size());
        unit_ms = ms;
        return true;
    };
    static_cast<void>(ends("ms", 1) || ends("s", 1000) || ends("m", 60000));
    const auto number = parseNumber(text);
    if (!number || *number * unit_ms > 1e12)
        return std::nullopt;
    return Milliseconds(std::llround(*number * unit_ms));
}

std::string formatDuration(Milliseconds value)
{
    return value.count() % 1000 == 0 ? fmt::format("{}s", value.count() / 1000) : fmt::format("{}ms", value.count());
}

std::vector<std::string> splitList(std::string_view text)
{
    std::vector<std::string> items;
    while (!text.empty()) {
        const auto comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        while (!item.empty() && item.front() == ' ')
            item.remove_prefix(1);
        while (!item.empty() && item.back() == ' ')
            item.remove_suffix(1);
        if (!item.empty())
            items.emplace_back(item);
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return items;
}

bool isName(const std::string &text)
{
    return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

bool isEngineServer(const std::string &text)
{
    return (text.rfind("tls://", 0) == 0 || text.rfind("nats://", 0) == 0) &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

bool isNkey(const std::string &text)
{
    return text.empty() ||
           (text.size() == 56 && text.front() == 'U' && std::all_of(text.begin(), text.end(), [](char c) {
                return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
            }));
}

bool isPrintable(const std::string &text)
{
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool isOrigin(const std::string &text)
{
    return isPrintable(text) && (text.rfind("https://", 0) == 0 || text.rfind("http://", 0) == 0) && text.back() != '/';
}

template <class T>
bool assign(T &member, std::optional<T> value)
{
    if (value)
        member = *value;
    return value.has_value();
}

template <class Enum>
using Names = std::vector<std::pair<std::string, Enum>>;

template <class Enum, class Member>
SettingEntry choice(std::string key, std::string help, Names<Enum> names, Member member)
{
    std::string allowed;
    for (const auto &name : names)
        allowed += (allowed.empty() ? "" : ", ") + name.first;
    return {std::move(key),
            std::move(help),
            std::move(allowed),
            true,
            [names, member](Settings &settings, const std::string &text) {
                for (const auto &[name, value] : names)
                    if (name == text) {
                        member(settings) = value;
                        return true;
                    }
                return false;
            },
            [names, member](const Settings &settings) {
                for (const auto &[name, value] : names)
                    if (member(settings) == value)
                        return name;
                return std::string();
            }};
}

template <class Member>
SettingEntry boolean(std::string key, std::string help, Member member)
{
    return {std::move(key),
            std::move(help),
            "true, false",
            false,
            [member](Settings &settings, const std::string &text) { return assign(member(settings), parseBool(text)); },
            [member](const Settings &settings) { return std::string(member(settings) ? "true" : "false"); }};
}

template <class Integer, class Member>
SettingEntry integer(std::string key, std::string help, Integer least, Integer most, Member member)
{
    return {std::move(key),
            std::move(help),
            fmt::format("{} to {}", least, most),
            false,
            [least, most, member](Settings &settings, const std::string &text) {
                const auto value = parseInteger<Integer>(text);
                return value && *value >= least && *value <= most && assign(member(settings), value);
            },
            [member](const Settings &settings) { return fmt::format("{}", member(settings)); }};
}

template <class Member>
SettingEntry duration(std::string key, std::string help, Milliseconds least, Milliseconds most, Member member)
{
    return {std::move(key),
            std::move(help),
            fmt::format("{} to {} (ms, s or m; seconds without)", formatDuration(least), formatDuration(most)),
            true,
            [least, most, member](Settings &settings, const std::string &text) {
                const auto value = parseDuration(text);
                return value && *value >= least && *value <= most && assign(member(settings), value);
            },
            [member](const Settings &settings) { return formatDuration(member(settings)); }};
}

template <class Section>
SettingEntry size(std::string key, std::string help, Section section)
{
    return {std::move(key),
            std::move(help),
            "WxH, both even and 16 to 16384",
            true,
            [section](Settings &settings, const std::string &text) {
                section(settings).size_given = true;
                return assign(section(settings).size, parseSize(text));
            },
            [section](const Settings &settings) { return section(settings).size.toString(); }};
}

template <class Member>
SettingEntry text(std::string key, std::string help, std::string allowed, bool (*good)(const std::string &),
                  Member member)
{
    return {std::move(key),
            std::move(help),
            std::move(allowed),
            true,
            [good, member](Settings &settings, const std::string &value) {
                member(settings) = value;
                return good(value);
            },
            [member](const Settings &settings) { return std::string(member(settings)); }};
}

template <class Member>
SettingEntry list(std::string key, std::string help, std::string allowed, bool (*good)(const std::string &),
                  Member member)
{
    return {std::move(key),
            std::move(help),
            std::move(allowed),
            false,
            [good, member](Settings &settings, const std::string &value) {
                auto &items = member(settings);
                items = splitList(value);
                return std::all_of(items.begin(), items.end(), good);
            },
            [member](const Settings &settings) {
                std::string text;
                for (const auto &item : member(settings))
                    text += (text.empty() ? "\"" : ", \"") + item + "\"";
                return "[" + text + "]";
            }};
}

// A member as an accessor, for const and for changing settings alike.
#define PICAM_MEMBER(path)                                                                                             \
    [](auto &settings) -> auto &                                                                                       \
    {                                                                                                                  \
        return settings.path;                                                                                          \
    }

std::vector<SettingEntry> makeTable()
{
    using namespace std::chrono_literals;
    const Names<log::Level> levels{{"debug", log::Level::kDebug},
                                   {"info", log::Level::kInfo},
                                   {"warning", log::Level::kWarning},
                                   {"error", log::Level::kError}};
    const Names<SourceKind> sources{{"auto", SourceKind::kAuto},
                                    {"libcamera", SourceKind::kLibcamera},
                                    {"pattern", SourceKind::kPattern},
                                    {"replay", SourceKind::kReplay},
                                    {"feed", SourceKind::kFeed}};
    const Names<Rotation> rotations{
        {"0", Rotation::k0}, {"90", Rotation::k90}, {"180", Rotation::k180}, {"270", Rotation::k270}};
    const Names<ColorRangeSetting> ranges{{"auto", ColorRangeSetting::kAuto},
                                          {"full", ColorRangeSetting::kFull},
                                          {"limited", ColorRangeSetting::kLimited}};
    const Names<RelayRole> roles{
        {"off", RelayRole::kOff}, {"publish", RelayRole::kPublish}, {"join", RelayRole::kJoin}};
    const Names<VideoSetting> videos{{"auto", VideoSetting::kAuto}, {"off", VideoSetting::kOff}};
    std::vector<SettingEntry> table;
    table.push_back(text("instance", "name of this camera: one instance each, if there are several",
                         "letters, digits, - and _, up to 32", isName, PICAM_MEMBER(instance)));
    table.push_back(text(
        "runtime-dir", "folder of the sockets, the camera lock and the frame store; best a tmpfs",
        "an absolute path of up to 60 bytes",
        [](const std::string &path) { return isPrintable(path) && path.size() <= 60 && path.rfind('/', 0) == 0; },
        PICAM_MEMBER(runtime_dir)));
    table.push_back(text(
        "state_dir", "folder where the camera's controls are kept, as people set them", "an absolute path",
        [](const std::string &path) { return isPrintable(path) && path.rfind('/', 0) == 0; }, PICAM_MEMBER(state_dir)));
    table.push_back(choice("log.level", "least important event that is logged", levels, PICAM_MEMBER(log_level)));
    table.push_back(choice("camera.source",
                           "auto: libcamera; started by deploy/run where there is no camera, the test pattern", sources,
                           PICAM_MEMBER(camera.source)));
    table.push_back(text("camera.id", "which camera: its place in the list (0, 1 ...), or a part of its id or model",
                         "a text; empty: the first that no other instance has", isPrintable, PICAM_MEMBER(camera.id)));
    table.push_back(text(
        "camera.title", "what people call what it shows, on the pages and in a still's EXIF",
        "a text of up to 60 bytes; empty: none",
        [](const std::string &title) { return isPrintable(title) && title.size() <= 60; }, PICAM_MEMBER(camera.title)));
    table.push_back(text("camera.file", "what camera.source = replay shows", "a Y4M file, a JPEG, or a folder of JPEGs",
                         isPrintable, PICAM_MEMBER(camera.file)));
    table.push_back(text(
        "camera.feed", "unix socket on which a program listens that gives camera.source = feed its pictures",
        "an absolute path of up to 107 bytes; empty: /run/picam-feed/INSTANCE.sock",
        [](const std::string &path) {
            return isPrintable(path) && path.size() <= 107 && (path.empty() || path.front() == '/');
        },
        PICAM_MEMBER(camera.feed)));
    table.push_back(choice("camera.rotation", "turn the picture clockwise by so many degrees, after the flips",
                           rotations, PICAM_MEMBER(camera.rotation)));
    table.push_back(boolean("camera.hflip", "swap left and right", PICAM_MEMBER(camera.hflip)));
    table.push_back(boolean("camera.vflip", "swap top and bottom", PICAM_MEMBER(camera.vflip)));
    table.push_back(choice("camera.color_range", "range of the camera's colours; auto: what the camera says", ranges,
                           PICAM_MEMBER(camera.color_range)));
    table.push_back(duration("camera.stall", "a camera that gives no frame for so long is opened anew", 500ms, 60s,
                             PICAM_MEMBER(camera.stall)));
    table.push_back({"camera.controls", "the camera's controls, where nobody has set others on the page or by picamctl",
                     "a list like \"Brightness=0.1, AwbMode=Daylight\"", true,
                     [](Settings &settings, const std::string &value) {
                         return assign(settings.camera.controls, parseControlList(value));
                     },
                     [](const Settings &settings) { return controlListText(settings.camera.controls); }});
    table.push_back(size("stream.size", "size of the live picture", PICAM_MEMBER(stream)));
    table.push_back({"stream.fps", "frames per second of the live picture", "0.1 to 240", false,
                     [](Settings &settings, const std::string &value) {
                         const auto fps = parseNumber(value);
                         return fps && *fps >= 0.1 && *fps <= 240 && assign(settings.stream.fps, fps);
                     },
                     [](const Settings &settings) { return fmt::format("{}", settings.stream.fps); }});
    table.push_back(
        integer("stream.quality", "JPEG quality of the live picture", 1, 100, PICAM_MEMBER(stream.quality)));
    table.push_back(integer<std::uint32_t>("stream.workers",
                                           "threads that encode the live picture; 0: by the number of cores", 0, 16,
                                           PICAM_MEMBER(stream.workers)));
    table.push_back(choice("stream.video", "H.264 for viewers who can take it; off: JPEGs alone", videos,
                           PICAM_MEMBER(stream.video)));
    table.push_back(integer<std::uint32_t>("stream.min_bitrate",
                                           "H.264 on a thin line has no less, kbit/s; 0: by the size", 0, 20000,
                                           PICAM_MEMBER(stream.min_bitrate)));
    table.push_back(integer<std::uint32_t>("stream.max_bitrate",
                                           "H.264 on a wide line has no more, kbit/s; 0: by the size", 0, 20000,
                                           PICAM_MEMBER(stream.max_bitrate)));
    table.push_back(duration("stream.linger", "the camera stays open so long after the last viewer", 0ms, 10min,
                             PICAM_MEMBER(stream.linger)));
    table.push_back(duration("stream.ack_timeout", "a viewer that is to acknowledge and does not so long is closed", 1s,
                             10min, PICAM_MEMBER(stream.ack_timeout)));
    table.push_back(integer<std::uint32_t>("stream.max_viewers", "viewers at the same time", 1, 10000,
                                           PICAM_MEMBER(stream.max_viewers)));
    table.push_back(list("stream.origins", "sites whose pages may watch stream and stills, beside picam's own",
                         "a list like [\"https://example.org\"]", isOrigin, PICAM_MEMBER(stream.origins)));
    table.push_back(size("snapshot.size", "size of a still", PICAM_MEMBER(snapshot)));
    table.push_back(integer("snapshot.quality", "JPEG quality of a still", 1, 100, PICAM_MEMBER(snapshot.quality)));
    table.push_back(
        boolean("snapshot.exif", "a still says in its EXIF when and how it was taken", PICAM_MEMBER(snapshot.exif)));
    table.push_back(duration("snapshot.linger", "the camera stays open so long after a still", 0ms, 10min,
                             PICAM_MEMBER(snapshot.linger)));
    table.push_back(duration("snapshot.max_age", "how old a picture may be while another worker captures", 0ms, 10min,
                             PICAM_MEMBER(snapshot.max_age)));
    table.push_back(duration("snapshot.settle", "longest wait for exposure and white balance after opening", 0ms, 60s,
                             PICAM_MEMBER(snapshot.settle)));
    table.push_back(duration("snapshot.deadline", "longest time until a request is answered", 500ms, 60s,
                             PICAM_MEMBER(snapshot.deadline)));
    table.push_back(integer<std::uint32_t>("snapshot.threads", "requests served at the same time", 1, 64,
                                           PICAM_MEMBER(snapshot.threads)));
    table.push_back(choice("relay.role",
                           "picam-relay: publish this camera to an engine, or join one where it is published", roles,
                           PICAM_MEMBER(relay.role)));
    table.push_back(text(
        "relay.camera", "this camera's name at the engine", "letters, digits, - and _, up to 32; empty: the instance",
        [](const std::string &name) { return name.empty() || isName(name); }, PICAM_MEMBER(relay.camera)));
    table.push_back(list("relay.servers", "the engine's servers", "a list like [\"tls://engine.example.org:4222\"]",
                         isEngineServer, PICAM_MEMBER(relay.servers)));
    table.push_back(text("relay.ca", "file of the certificates that the engine's have to come from", "a path",
                         isPrintable, PICAM_MEMBER(relay.ca)));
    table.push_back(text("relay.nkey", "public key that the engine knows picam-relay by",
                         "U and 55 letters and digits; empty: no login", isNkey, PICAM_MEMBER(relay.nkey)));
    table.push_back(text("relay.seed", "file of the private key, its owner's alone",
                         "a path; empty: the service's credential, else /etc/picam/relay/INSTANCE.seed", isPrintable,
                         PICAM_MEMBER(relay.seed)));
    return table;
}

#undef PICAM_MEMBER

} // namespace

const std::vector<SettingEntry> &settingsTable()
{
    static const std::vector<SettingEntry> table = makeTable();
    return table;
}

} // namespace picam
