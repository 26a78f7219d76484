#include "relay/messages.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace picam::relay {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 3;
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxText = 300;
constexpr std::size_t kMaxMessage = 4096; // none of ours is as long
constexpr double kMaxFps = 240.0;

json parse(std::string_view text)
{
    if (text.size() > kMaxMessage)
        return json::value_t::discarded;
    const auto shallow = [](int depth, json::parse_event_t, const json &) { return depth <= kMaxDepth; };
    return json::parse(text.begin(), text.end(), shallow, /*allow_exceptions=*/false);
}

// Without control characters, which mean something to those who get it, and cut between characters.
std::string textIn(const json &object, const char *name)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string())
        return {};
    auto text = found->get<std::string>();
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    if (text.size() <= kMaxText)
        return text;
    std::size_t end = kMaxText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    text.resize(end);
    return text;
}

double numberIn(const json &object, const char *name)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number())
        return 0.0;
    const double value = found->get<double>();
    return std::isfinite(value) && value > 0.0 ? value : 0.0;
}

std::uint64_t countIn(const json &object, const char *name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::uint32_t sideIn(const json &object, const char *name)
{
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(countIn(object, name), UINT16_MAX));
}

json toObject(const State &state)
{
    json object{{"state", state.state},   {"reason", state.reason}, {"source", state.source}, {"width", state.width},
                {"height", state.height}, {"fps", state.fps},       {"boot", state.boot}};
    if (!state.still.empty())
        object["still"] = state.still;
    return object;
}

// Texts come from drivers and from other machines: what is no UTF-8 becomes a question mark.
std::string dump(const json &object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

State stateIn(const json &object)
{
    return {textIn(object, "state"),  textIn(object, "reason"), textIn(object, "source"), sideIn(object, "width"),
            sideIn(object, "height"), numberIn(object, "fps"),  textIn(object, "boot"),   textIn(object, "still")};
}

} // namespace

std::string subject(std::string_view camera, std::string_view what)
{
    return fmt::format("picam.v1.{}.{}", camera, what);
}

std::string toJson(const Want &want)
{
    return dump({{"edge", want.edge}, {"fps", want.fps}, {"lease_ms", want.lease.count()}, {"t", want.t}});
}

Expected<Want> parseWant(std::string_view text)
{
    const json object = parse(text);
    if (!object.is_object())
        return fail(ErrorKind::kCorrupt, "not a JSON object");
    Want want{textIn(object, "edge"), numberIn(object, "fps"),
              std::chrono::milliseconds(
                  std::min<std::uint64_t>(countIn(object, "lease_ms"), static_cast<std::uint64_t>(kMaxLease.count()))),
              countIn(object, "t")};
    if (want.edge.empty() || want.edge.size() > kMaxName)
        return fail(ErrorKind::kCorrupt, "no name of an edge");
    want.fps = std::min(want.fps, kMaxFps);
    return want;
}

std::string toJson(const State &state)
{
    return dump(toObject(state));
}

std::string toJson(const Answer &answer)
{
    json object = toObject(answer.state);
    object["t"] = answer.t;
    object["time_us"] = answer.time_us;
    return dump(object);
}

Expected<Answer> parseAnswer(std::string_view text)
{
    const json object = parse(text);
    if (!object.is_object() || textIn(object, "state").empty())
        return fail(ErrorKind::kCorrupt, "not a JSON object with a state");
    return Answer{stateIn(object), countIn(object, "t"), countIn(object, "time_us")};
}

std::optional<State> stateOfStream(std::string_view text)
{
    const json object = parse(text);
    if (!object.is_object() || textIn(object, "type") != "state")
        return std::nullopt;
    State state = stateIn(object);
    if (const auto size = object.find("size"); size != object.end() && size->is_object()) {
        state.width = sideIn(*size, "width");
        state.height = sideIn(*size, "height");
    }
    return state;
}

std::vector<std::uint8_t> partOf(const FrameHeader &header, std::span<const std::uint8_t> jpeg, std::size_t offset,
                                 std::size_t bytes)
{
    const auto head = serializeFrameHeader(header);
    std::vector<std::uint8_t> part(head.begin(), head.end());
    for (unsigned shift = 32; shift > 0; shift -= 8)
        part.push_back(static_cast<std::uint8_t>(offset >> (shift - 8)));
    const auto piece = jpeg.subspan(offset, bytes);
    part.insert(part.end(), piece.begin(), piece.end());
    return part;
}

std::optional<StillParts::Still> StillParts::add(std::span<const std::uint8_t> part)
{
    const auto header = parseFrameHeader(part);
    if (!header || header->codec != Codec::kJpeg || part.size() <= kPartHeadBytes)
        return std::nullopt;
    std::size_t offset = 0;
    for (std::size_t i = kFrameHeaderBytes; i < kPartHeadBytes; ++i)
        offset = offset << 8U | part[i];
    const auto piece = part.subspan(kPartHeadBytes);
    if (offset == 0) {
        header_ = *header;
        jpeg_.clear();
    }
    if (!header_ || *header_ != *header || offset != jpeg_.size() ||
        piece.size() > header->payload_bytes - jpeg_.size()) {
        header_.reset();
        return std::nullopt;
    }
    jpeg_.insert(jpeg_.end(), piece.begin(), piece.end());
    if (jpeg_.size() < header->payload_bytes)
        return std::nullopt;
    header_.reset();
    return Still{*header, std::exchange(jpeg_, {})};
}

} // namespace picam::relay
