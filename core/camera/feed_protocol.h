// What camera.source = feed speaks on its unix socket, with a program that listens there. Pure logic, no socket.
//
// picam connects while it wants pictures and disconnects when it does not. It says what it wants in one line of JSON,
// at once, and again each time that this changes; members may be added:
//   {"feed":1,"still":false,"width":640,"height":480,"fps":30}
//       feed: of this format; still: best single pictures rather than smooth video; width, height: what would be best,
//       and is a must where the settings name a size; fps: the most that is taken now, above 0
// A program that cannot choose need not read them; one that does sends no more than `fps`, and another rate at once.
// It sends messages, each a header (core/image/frame_header.h) and the payload: JPEGs, all of one size, or its state.
//   {"state":"unavailable","reason":"the cable is out"}   there is no picture: why, for viewers to read
// holds until a picture comes; every other state tells the time alone. A connection without a picture for
// `camera.stall` (at its beginning kFirstFrameTimeout, in feed_source.h) is taken for a hung program and made anew; a
// picture that is older than that counts for none. A frame's wall time is by this machine's clock, or by that of which
// a state tells the time: whose frames come from another machine sends one first, and now and then (SenderClock). There
// may be two connections at once for a moment, when one of picam's programs takes over from the other.
#pragma once

#include "core/base/error.h"
#include "core/image/frame_header.h"
#include "core/image/geometry.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct FeedWants {
    bool still = false;
    Size size;
    double fps = 30.0;
};
// The line, with its end.
[[nodiscard]] std::string feedLine(const FeedWants &wants);

// The reason why there is no picture, as one sentence without control characters, at most kMaxFeedReason bytes long;
// empty: the state is another. Error kCorrupt: not a JSON object with a text as its `state`.
constexpr std::size_t kMaxFeedReason = 200;
[[nodiscard]] Expected<std::optional<std::string>> feedReason(std::string_view state);

struct FeedMessage {
    FrameHeader header;
    std::vector<std::uint8_t> payload;
};

// FeedReader puts messages together from a stream of bytes. It takes memory for what has come, not for what a header
// promises. One thread.
class FeedReader {
public:
    // Where the next bytes belong; never empty.
    [[nodiscard]] std::span<std::uint8_t> room();
    // So many bytes of room() have been filled: a message, where it is whole by that. Error kCorrupt: the header is
    // none, or not one of a JPEG or a state; the stream is of no more use.
    [[nodiscard]] Expected<std::optional<FeedMessage>> filled(std::size_t bytes);
    // Whether a part of a message has come.
    [[nodiscard]] bool isWithinMessage() const { return have_ > 0; }

private:
    std::array<std::uint8_t, kFrameHeaderBytes> head_{};
    std::optional<FrameHeader> header_;
    std::vector<std::uint8_t> payload_;
    std::size_t have_ = 0; // bytes of the header, or with it of the payload
};

} // namespace picam
