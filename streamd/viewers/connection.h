// The seam between the protocol of a viewer and the transport that carries it. All of it: loop thread only.
// Plain C++17: the WebSocket transport's unit includes it, and its library rejects C++20.
// No event is ever delivered from inside a call into the connection: it comes later, from the loop.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace picam {

// What a picture looks like on the wire.
enum class WireFormat : std::uint8_t {
    kBase64,    // WebSocket text: the JPEG in base64
    kJpeg,      // WebSocket binary: the bare JPEG
    kV1,        // WebSocket binary, picam.v1: u64 sequence, u64 capture time in µs since the epoch, the JPEG
    kMultipart, // a part of multipart/x-mixed-replace
};
constexpr std::size_t kWireFormats = 4;

// One picture on its way to all viewers. Its wire forms are made by the transport that first needs one, then shared.
struct StreamFrame {
    std::shared_ptr<const void> owner; // keeps `jpeg` alive
    const std::uint8_t *jpeg = nullptr;
    std::size_t bytes = 0;
    std::uint64_t sequence = 0;
    std::chrono::steady_clock::time_point captured;
    std::chrono::microseconds captured_wall{0};                     // since the epoch
    std::array<std::shared_ptr<const void>, kWireFormats> prepared; // by WireFormat; opaque but to its transport
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

// What a viewer does to its connection. After close() every call is ignored.
class ViewerConnection {
public:
    virtual ~ViewerConnection() = default;
    // One ViewerEvents::onFrameWritten() follows when the last byte has gone to the kernel (or never will). The caller
    // sends no other frame until then, so at most one is queued.
    virtual void sendFrame(const FramePtr &frame, WireFormat format) = 0;
    virtual void sendText(const std::string &message) = 0;
    virtual void ping() = 0; // asks for a sign of life: onAlive()
    // Says goodbye, then ends; onClosed() follows. A peer that does not answer is dropped after some seconds.
    virtual void close(CloseCode code, std::string_view reason) = 0;
};

// What a connection tells its viewer.
class ViewerEvents {
public:
    virtual ~ViewerEvents() = default;
    virtual void onFrameWritten() = 0;
    virtual void onText(std::string_view message) = 0; // valid UTF-8, at most kMaxMessageBytes
    virtual void onBinary() = 0;
    virtual void onPing() = 0;   // answered already
    virtual void onAlive() = 0;  // a pong
    virtual void onClosed() = 0; // once, the last call
};
constexpr std::size_t kMaxMessageBytes = 4096;

// Who takes viewers in: the hub. It must outlive every connection.
class ViewerHost {
public:
    virtual ~ViewerHost() = default;
    // A place among stream.max_viewers, given back when the pointer dies; null: full, or shutting down.
    [[nodiscard]] virtual std::shared_ptr<void> admit() = 0;
    // `max_fps` 0: as many frames as there are. The connection keeps the result until onClosed().
    [[nodiscard]] virtual std::shared_ptr<ViewerEvents> join(std::shared_ptr<ViewerConnection> connection,
                                                             WireFormat format, double max_fps) = 0;
};

} // namespace picam
