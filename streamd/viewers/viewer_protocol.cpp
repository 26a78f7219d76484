#include "streamd/viewers/viewer_protocol.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace picam::protocol {

using nlohmann::json;

namespace {

constexpr double kMinFps = 0.01;
constexpr int kMaxDepth = 8; // nothing we know nests; deep input would only cost memory

tl::unexpected<Refusal> refuse(std::string reason, CloseCode code = CloseCode::kPolicyViolation)
{
    return tl::unexpected<Refusal>(Refusal{code, std::move(reason)});
}

// The member if it is a number, else null.
const json *number(const json &message, const char *name)
{
    const auto found = message.find(name);
    return found != message.end() && found->is_number() ? &*found : nullptr;
}

// A whole number from 1 up. JavaScript may write a large one as 1e21, which no sequence of ours is.
bool readCount(const json &value, std::uint64_t &count)
{
    if (!value.is_number_unsigned())
        return false;
    count = value.get<std::uint64_t>();
    return count > 0;
}

json sizeJson(Size size)
{
    return {{"width", size.width}, {"height", size.height}};
}

// What the camera's driver says may be no UTF-8: replaced, not thrown at.
std::string dump(const json &value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A codec that nobody here knows is one that the viewer is ahead of us with.
tl::expected<ViewerMessage, Refusal> parseTake(const json &message)
{
    const auto codecs = message.find("codecs");
    if (codecs == message.end() || !codecs->is_array())
        return refuse("take needs codecs");
    Take take;
    take.h264 = std::find(codecs->begin(), codecs->end(), "h264") != codecs->end();
    take.jpeg = std::find(codecs->begin(), codecs->end(), "jpeg") != codecs->end();
    if (!take.h264 && !take.jpeg)
        return refuse("codecs are h264 and jpeg");
    const auto container = message.find("container");
    take.mp4 = container != message.end() && *container == "mp4";
    if (container != message.end() && !take.mp4)
        return refuse("the container is mp4");
    return take;
}

// Reads the plain shape of an acknowledgement from left to right.
class Cursor {
public:
    explicit Cursor(std::string_view text) : text_(text) {}

    // The token, after white space.
    bool take(std::string_view token)
    {
        while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t' || text_[0] == '\n' || text_[0] == '\r'))
            text_.remove_prefix(1);
        if (text_.substr(0, token.size()) != token)
            return false;
        text_.remove_prefix(token.size());
        return true;
    }
    // A whole number, as JSON writes it. What follows it has to be a token, so a fraction or an exponent is noticed.
    bool takeNumber(std::uint64_t &number)
    {
        if (!take("") || text_.empty() || text_[0] == '0')
            return false;
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
        if (error != std::errc())
            return false;
        text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return true;
    }
    [[nodiscard]] bool atEnd() { return take("") && text_.empty(); }

private:
    std::string_view text_;
};

} // namespace

std::optional<Ack> parsePlainAck(std::string_view text)
{
    Cursor cursor(text);
    Ack ack;
    bool type = false;
    bool sequence = false;
    bool batch = false;
    if (!cursor.take("{"))
        return std::nullopt;
    do {
        if (!type && cursor.take("\"type\"")) {
            type = cursor.take(":") && cursor.take("\"ack\"");
            if (!type)
                return std::nullopt;
        } else if (!sequence && cursor.take("\"sequence\"")) {
            sequence = cursor.take(":") && cursor.takeNumber(ack.sequence);
            if (!sequence)
                return std::nullopt;
        } else if (!batch && cursor.take("\"batch\"")) {
            batch = cursor.take(":") && cursor.takeNumber(ack.batch);
            if (!batch)
                return std::nullopt;
        } else {
            return std::nullopt;
        }
    } while (cursor.take(","));
    return type && sequence && cursor.take("}") && cursor.atEnd() ? std::optional(ack) : std::nullopt;
}

std::optional<FrameAck> parseFrameAck(std::string_view message)
{
    if (message.size() != 10)
        return std::nullopt;
    const auto byte = [message](std::size_t at) { return static_cast<std::uint8_t>(message[at]); };
    FrameAck ack{byte(0), byte(1), 0};
    for (std::size_t i = 2; i < message.size(); ++i)
        ack.sequence = ack.sequence << 8U | byte(i);
    return ack;
}

tl::expected<ViewerMessage, Refusal> parse(std::string_view text, Version version)
{
    const auto shallow = [](int depth, json::parse_event_t, const json &) { return depth <= kMaxDepth; };
    const json message = json::parse(text.begin(), text.end(), shallow, /*allow_exceptions=*/false);
    if (!message.is_object())
        return refuse("not a JSON object", CloseCode::kInvalidPayload);
    const auto type = message.find("type");
    if (type == message.end() || !type->is_string())
        return refuse("no message type");
    const auto &name = type->get_ref<const std::string &>();

    if (version == Version::k2) {
        if (name == "take")
            return parseTake(message);
        if (name == "key")
            return Key{};
    } else if (name == "ack") {
        Ack ack;
        const json *sequence = number(message, "sequence");
        if (sequence == nullptr || !readCount(*sequence, ack.sequence))
            return refuse("ack needs the sequence of a frame");
        if (const auto batch = message.find("batch"); batch != message.end() && !readCount(*batch, ack.batch))
            return refuse("ack's batch is a number of frames");
        return ack;
    }
    if (name == "rate") {
        const json *fps = number(message, "fps");
        if (fps == nullptr)
            return refuse("rate needs fps");
        const auto value = fps->get<double>();
        if (value != 0.0 && !(value >= kMinFps))
            return refuse("fps is 0 or at least 0.01");
        return Rate{value};
    }
    if (name == "pause")
        return Pause{};
    if (name == "resume")
        return Resume{};
    if (name == "ping") {
        const json *t = number(message, "t");
        if (t == nullptr)
            return refuse("ping needs a number t");
        return Ping{t->dump()};
    }
    return refuse("unknown message type");
}

std::string hello(const Hello &hello, Version version)
{
    json message = {{"type", "hello"},
                    {"version", hello.version},
                    {"instance", hello.instance},
                    {"size", sizeJson(hello.size)},
                    {"fps", hello.fps}};
    if (version == Version::k1)
        message["ack_batch"] = kMaxAckBatch;
    else
        message["codecs"] = hello.h264 ? json{"h264", "jpeg"} : json{"jpeg"};
    return dump(message);
}

std::string state(const CameraStatus &status)
{
    json message = {{"type", "state"}, {"state", cameraStateName(status.state)}};
    if (status.state == CameraState::kUnavailable)
        message["reason"] = status.reason;
    if (status.state == CameraState::kStreaming) {
        message["source"] = status.source;
        message["size"] = sizeJson(status.size);
        message["fps"] = status.fps;
    }
    return dump(message);
}

std::string pong(const Ping &ping, std::chrono::microseconds server_time)
{
    // `t` came out of the parser as a number; it goes back as it was written there.
    return R"({"type":"pong","t":)" + ping.t + R"(,"server_time_us":)" + std::to_string(server_time.count()) + "}";
}

} // namespace picam::protocol
