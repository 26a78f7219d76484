// FeedServer is the other end of camera.source = feed (core/camera/feed_protocol.h): it listens on the feed's socket,
// knows what picam's programs want there, and gives each of them the newest frame. The loop's thread.
#pragma once

#include "core/base/error.h"
#include "core/image/frame_header.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace boost::asio {
class io_context;
}

namespace picam {

class FeedServer {
public:
    // A JPEG and what keeps it alive.
    struct Picture {
        FrameHeader header; // its times by this machine's wall clock
        std::span<const std::uint8_t> jpeg;
        std::shared_ptr<const void> owner;
    };

    // Takes `listen_fd` over. `on_change`: wantedFps() or wantedStills() is another. The context must outlive it.
    [[nodiscard]] static Expected<std::unique_ptr<FeedServer>> create(boost::asio::io_context &context, int listen_fd,
                                                                      std::function<void()> on_change);
    FeedServer(const FeedServer &) = delete;
    FeedServer &operator=(const FeedServer &) = delete;
    ~FeedServer();

    // The most frames a second that one of them takes; 0: nobody wants frames.
    [[nodiscard]] double wantedFps() const;
    // … of those who want single pictures, as good as they get.
    [[nodiscard]] double wantedStills() const;

    void sendFrame(const Picture &picture);
    void sendStill(const Picture &picture);
    // There is no picture, of either kind; until there is one. Who connects is told, too.
    void sendUnavailable(const std::string &reason);
    void clearUnavailable();                     // who connects is told nothing any more
    void sendNoStill(const std::string &reason); // to those who want one

private:
    class State;
    explicit FeedServer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace picam
