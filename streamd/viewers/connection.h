// The interface between a viewer's protocol (Viewer, Hub) and the transport that carries it (WebSocketServer,
// HttpServer). Loop thread only. Plain C++17: the WebSocket transport's unit includes it, and its library rejects
// C++20. A transport delivers events from the loop, never from inside a call into its connection.
#pragma once

#include "core/image/codec.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

// The wire format: how a frame is packed for one kind of viewer.
enum class WireFormat : std::uint8_t {
    kBase64,    // WebSocket text: the JPEG in base64
    kJpeg,      // WebSocket binary: the bare JPEG
    kV1,        // WebSocket binary, picam.v1: u64 sequence, u64 capture time in µs since the epoch, the JPEG
    kMultipart, // a part of multipart/x-mixed-replace
    kV2,        // WebSocket binary, picam.v2: the header of core/image/frame_header.h, a JPEG or an access unit
    kH264,      // WebSocket binary: the bare access unit
    kAnnexB,    // HTTP: access units, one behind the other
    kMp4,       // HTTP: fragmented MP4 (mp4_fragments.h)
};
constexpr std::size_t kWireFormats = 8;

// Whether its viewers take H.264 alone.
[[nodiscard]] constexpr bool isVideoOnly(WireFormat format)
{
    return format == WireFormat::kH264 || format == WireFormat::kAnnexB || format == WireFormat::kMp4;
}
// Whether its connection is HTTP, which has no messages and no ping.
[[nodiscard]] constexpr bool isHttp(WireFormat format)
{
    return format == WireFormat::kMultipart || format == WireFormat::kAnnexB || format == WireFormat::kMp4;
}

struct EncodedFrame; // C++20

// One encoded frame, shared by all viewers that get it. What a wire format adds is made by the transport when the first
// viewer needs it, then kept in `prepared` for the others.
struct StreamFrame {
    std::shared_ptr<const EncodedFrame> owner; // keeps `payload` alive
    std::vector<std::uint8_t> lead;            // stands before the payload, of a frame that is one viewer's alone
    const std::uint8_t *payload = nullptr;
    std::size_t bytes = 0; // of the payload
    Codec codec = Codec::kJpeg;
    bool key = true;
    std::uint8_t rung = 0;                 // of H.264
    std::uint64_t sequence = 0;            // of H.264: of this rung, by one with each frame
    std::array<std::uint8_t, 40> header{}; // picam.v2's
    std::chrono::steady_clock::time_point captured;
    std::chrono::microseconds captured_wall{0};                     // since the epoch
    std::array<std::shared_ptr<const void>, kWireFormats> prepared; // by WireFormat; only who makes it knows what it is
};
using FramePtr = std::shared_ptr<StreamFrame>;

// RFC 6455, 7.4.1. The HTTP transport makes a status of it where the answer has not begun.
enum class CloseCode : std::uint16_t {
    kGoingAway = 1001,
    kUnsupportedData = 1003,
    kInvalidPayload = 1007,
    kPolicyViolation = 1008,
    kTryAgainLater = 1013,
};

// A viewer's connection, as the viewer sees it. Errors are not returned: a connection that fails ends, and onClosed()
// follows. After close() every call is ignored.
class ViewerConnection {
public:
    virtual ~ViewerConnection() = default;
    // Starts to write a frame. One ViewerEvents::onFrameWritten() follows when the kernel has its last byte, or
    // onClosed(). REQUIRES: the frame before has been written, so at most one is ever queued.
    virtual void sendFrame(const FramePtr &frame, WireFormat format) = 0;
    virtual void sendText(const std::string &message) = 0;
    virtual void ping() = 0; // onAlive() follows if the peer answers; HTTP has no ping
    // Starts the closing handshake, or ends the answer. A peer that does not answer is dropped after some seconds.
    virtual void close(CloseCode code, std::string_view reason) = 0;
};

// A connection's events, for its viewer.
class ViewerEvents {
public:
    virtual ~ViewerEvents() = default;
    virtual void onFrameWritten() = 0;
    virtual void onText(std::string_view message) = 0; // valid UTF-8, at most kMaxMessageBytes
    virtual void onBinary(std::string_view message) = 0;
    virtual void onPing() = 0;   // answered already
    virtual void onAlive() = 0;  // a pong
    virtual void onClosed() = 0; // once, the last call
};
constexpr std::size_t kMaxMessageBytes = 4096;

// Admits viewers and makes them: the hub. It must outlive every connection.
class ViewerHost {
public:
    virtual ~ViewerHost() = default;
    // Takes one of the stream.max_viewers admission slots; the last copy of the pointer frees it. Null: all are taken,
    // or the program is shutting down.
    [[nodiscard]] virtual std::shared_ptr<void> admit() = 0;
    // … one of picam-relay's own, which shows the camera to others elsewhere.
    [[nodiscard]] virtual std::shared_ptr<void> admitRelay() = 0;
    [[nodiscard]] virtual bool offersVideo() const = 0;
    // Adds a viewer. REQUIRES: the caller holds a slot. `max_fps` 0: no limit. The connection keeps the result until it
    // has called onClosed().
    [[nodiscard]] virtual std::shared_ptr<ViewerEvents> join(std::shared_ptr<ViewerConnection> connection,
                                                             WireFormat format, double max_fps) = 0;
};

} // namespace picam
