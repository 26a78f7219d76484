// The text messages of picam.v1 and picam.v2, as JSON, and the acknowledgement of picam.v2. Pure functions, no state.
//
// picam.v1. From the server (µs are microseconds since the epoch, by the server's wall clock):
//   {"type":"hello","version":"0.2.0","instance":"pi","size":{"width":640,"height":480},"fps":30.0,"ack_batch":4}
//       first message; size and fps are what the stream is configured for; ack_batch: the most that `batch` may be
//   {"type":"state","state":"starting"}
//   {"type":"state","state":"streaming","source":"imx708","size":{"width":640,"height":480},"fps":30.0}
//   {"type":"state","state":"unavailable","reason":"no camera found"}
//       after hello and at each change; fps 0: the camera does not say. Nothing is sent to a paused viewer for whom
//       the camera was closed; on resume it gets "starting" again
//   {"type":"pong","t":1234.5,"server_time_us":1753786800123456}
//       `t` as the ping had it
// From the viewer:
//   {"type":"ack","sequence":4711}   this frame and all before it are done: painted, or dropped for a newer one
//   {"type":"ack","sequence":4711,"batch":3}
//       … and the next acknowledgement comes with the third frame after it, or 100 ms after the first of them is done,
//       whichever is earlier. For links whose round trip is well under a frame's interval; without it, or with 1, and
//       after a pause: each frame is acknowledged
//   {"type":"rate","fps":5}          no more than this, at least 0.01; 0: as many as there are
//   {"type":"pause"}                 no frames until {"type":"resume"}; those on their way need no ack
//   {"type":"resume"}
//   {"type":"ping","t":1234.5}       `t`: any number
// Other members are ignored. Anything else closes: 1007 what is no JSON object, 1008 what is none of these (and an
// acknowledgement of a frame that was never sent, and too many messages), 1003 a binary message, 1009 over 4 KiB.
//
// picam.v2 has frames with the header of core/image/frame_header.h: JPEGs, and H.264 in chains: a frame refers to the
// one before it of the same rung, whose sequence is less by one; a key frame begins a chain, also where the size
// changes. Its text messages are those of picam.v1 but for ack, and
//   {"type":"hello",…,"codecs":["h264","jpeg"]}   what the server can give; without ack_batch
//   {"type":"take","codecs":["h264","jpeg"]}      from the viewer: what it can show. Frames begin with it
//       It may be said again. Who sets a rate is sent JPEGs alone. With "container":"mp4" a frame of H.264 is a
//       fragment of MP4, moof and mdat; before the first one, and before each that answers a key or has another size,
//       an init segment stands in the same message
//   {"type":"key"}                                from the viewer: the chain is broken, begin another
// An acknowledgement is a binary message of 10 bytes: codec, rung and sequence (big-endian) of a frame as its header
// has them: this one and all that were sent before it have arrived.
#pragma once

#include "core/image/geometry.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/viewers/connection.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>

namespace picam::protocol {

inline constexpr std::uint64_t kMaxAckBatch = 4;

struct Ack {
    std::uint64_t sequence = 0;
    std::uint64_t batch = 1; // as the viewer says: it may be more than kMaxAckBatch, which counts as that
};
struct Rate {
    double fps = 0.0;
};
struct Pause {};
struct Resume {};
struct Ping {
    std::string t; // the number, as JSON
};
struct Take { // picam.v2, as the next two
    bool h264 = false;
    bool jpeg = false;
    bool mp4 = false; // H.264 as fragments of it
};
struct Key {};
using ViewerMessage = std::variant<Ack, Rate, Pause, Resume, Ping, Take, Key>;

struct FrameAck {
    std::uint8_t codec = 0; // as Codec; any byte
    std::uint8_t rung = 0;
    std::uint64_t sequence = 0;
};

enum class Version : std::uint8_t { k1 = 1, k2 = 2 };

struct Refusal {
    CloseCode code = CloseCode::kPolicyViolation;
    std::string reason; // fits a close frame
};

[[nodiscard]] tl::expected<ViewerMessage, Refusal> parse(std::string_view text, Version version);

// What parse() makes of an acknowledgement in its usual shape: an object with the members type, sequence and perhaps
// batch, once each, in any order, with any white space between, written without escapes. Empty: something else, which
// parse() has to judge. Spares the JSON tree for what a viewer says thirty times a second.
[[nodiscard]] std::optional<Ack> parsePlainAck(std::string_view text);

// picam.v2's acknowledgement; empty: it has not its length.
[[nodiscard]] std::optional<FrameAck> parseFrameAck(std::string_view message);

struct Hello {
    std::string version;
    std::string instance;
    Size size;
    double fps = 0.0;
    bool h264 = false;
};
[[nodiscard]] std::string hello(const Hello &hello, Version version);
// Of kStarting, kStreaming and kUnavailable.
[[nodiscard]] std::string state(const CameraStatus &status);
[[nodiscard]] std::string pong(const Ping &ping, std::chrono::microseconds server_time);

} // namespace picam::protocol
