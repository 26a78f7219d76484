// The messages between camera host and edges, and their subjects. Pure functions, any thread.
//
// Subjects are picam.v1.CAMERA.…, where CAMERA is relay.camera:
//   want   request of an edge: {"edge":"3f…","fps":10,"lease_ms":5000,"t":17}
//          Frames for so long; again before that. fps 0: no more. The answer is a state with `t` and `time_us`, the
//          wall clock of the camera's host, µs since the epoch. `t`: any number of the edge's
//   frame  the header of core/image/frame_header.h and the JPEG, while an edge wants frames
//   mark   8 bytes, of the camera host to itself: back from the engine, they acknowledge what was before them
//   state  {"state":"streaming","reason":"","source":"imx708","width":640,"height":480,"fps":30,"boot":"a9…"} at each
//          change; "idle", "starting", "streaming", or "unavailable" with a reason. With a `still`, why there is none
//   still  request of an edge: {"edge":"3f…"}; the answer is a state, and the still comes in parts, for all who asked
//   part   the header of the whole still, 4 bytes offset (big-endian), at most kMaxPartBytes of the JPEG
// Members may be added. The server itself answers a request that nobody hears: the camera's host is offline.
#pragma once

#include "core/base/error.h"
#include "core/image/frame_header.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picam::relay {

[[nodiscard]] std::string subject(std::string_view camera, std::string_view what);

// A lease is renewed long before its end: one lost request shall not end it.
constexpr std::chrono::milliseconds kLease{5000};
constexpr std::chrono::milliseconds kRenewInterval{2000};
constexpr std::chrono::milliseconds kMaxLease{30000};

struct Want {
    std::string edge; // its own name for itself, 1 to 64 bytes
    double fps = 0.0; // 0 to 240; 0: no frames
    std::chrono::milliseconds lease{0};
    std::uint64_t t = 0;
};
[[nodiscard]] std::string toJson(const Want &want);
// Error kCorrupt: not such a message.
[[nodiscard]] Expected<Want> parseWant(std::string_view text);

struct State {
    std::string state = "idle";
    std::string reason; // one sentence, why it is unavailable
    std::string source;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    double fps = 0.0;
    std::string boot;  // another one each time that the camera host's picam-relay is started
    std::string still; // why there is no still

    friend bool operator==(const State &, const State &) = default;
};
// An answer to a request tells the time, too.
struct Answer {
    State state;
    std::uint64_t t = 0;
    std::uint64_t time_us = 0; // 0: not told
};
[[nodiscard]] std::string toJson(const State &state);
[[nodiscard]] std::string toJson(const Answer &answer);
[[nodiscard]] Expected<Answer> parseAnswer(std::string_view text); // of a state, too
// Of picam-streamd's own message {"type":"state",…}; empty: another message.
[[nodiscard]] std::optional<State> stateOfStream(std::string_view text);

constexpr std::size_t kMaxPartBytes = std::size_t{64} << 10U;
constexpr std::size_t kPartHeadBytes = kFrameHeaderBytes + 4;
[[nodiscard]] std::vector<std::uint8_t> partOf(const FrameHeader &header, std::span<const std::uint8_t> jpeg,
                                               std::size_t offset, std::size_t bytes);

// Puts a still together from its parts. One thread. It takes memory for what has come, not for what a header promises.
class StillParts {
public:
    struct Still {
        FrameHeader header;
        std::vector<std::uint8_t> jpeg;
    };
    // A still, where it is whole by this part. A part that does not follow drops all until the beginning of another.
    [[nodiscard]] std::optional<Still> add(std::span<const std::uint8_t> part);

private:
    std::optional<FrameHeader> header_;
    std::vector<std::uint8_t> jpeg_;
};

} // namespace picam::relay
