// StreamClient is picam-relay's connection to picam-streamd: a viewer of picam.v2 on its unix socket who takes JPEGs,
// and acknowledges each when its owner says so. The loop's thread. The only pair that includes Beast's WebSocket.
#pragma once

#include "core/image/frame_header.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace picam {

class StreamClient {
public:
    using Bytes = std::vector<std::uint8_t>;
    // `message`: the header and the JPEG, as they are published.
    struct Events {
        std::function<void(const FrameHeader &header, std::shared_ptr<const Bytes> message)> on_frame;
        std::function<void(std::string_view text)> on_text; // hello, state: viewer_protocol.h
        // Not called after close(); once.
        std::function<void(const std::string &reason)> on_closed;
    };

    // Connects to `path`, and takes at most `fps` frames a second.
    StreamClient(boost::asio::io_context &context, const std::string &path, double fps, Events events);
    StreamClient(const StreamClient &) = delete;
    StreamClient &operator=(const StreamClient &) = delete;
    ~StreamClient(); // closes

    void setRate(double fps);
    // This frame and all before it have arrived.
    void acknowledge(const FrameHeader &frame);

private:
    class State;
    std::shared_ptr<State> state_;
};

} // namespace picam
