// FeedConnection is a connection to a program that feeds pictures (feed_protocol.h): its socket, the messages in it and
// the program's clock. Nothing in it blocks but next(), which another descriptor ends. One thread at a time.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"
#include "core/camera/feed_protocol.h"
#include "core/camera/sender_clock.h"
#include "core/image/frame.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace picam {

class FeedConnection {
public:
    struct Picture {
        FrameHeader header;
        std::vector<std::uint8_t> jpeg;
        SenderClock::Microseconds age; // when it arrived
        MonotonicTime captured;        // by this machine's clock; later than that of the picture before
    };
    // The last that the program has said: a picture, or why there is none.
    using News = std::variant<Picture, std::string>;

    // Errors: kNoCamera (nothing of that name), kCameraFailed (nobody listens), kIo.
    [[nodiscard]] static Expected<FeedConnection> open(const std::string &path);

    // Sends what is wanted, as soon as the program takes it; a line that it has not taken is replaced.
    void say(const FeedWants &wants);
    // Waits until the program has said something, and reads all that there is: the last of it counts. Empty: nothing
    // new by the deadline, or `wake` (an eventfd, which is reset) was written. Errors, after which the connection is of
    // no more use: kCameraFailed (closed), kCorrupt (what comes is no feed).
    [[nodiscard]] Expected<std::optional<News>> next(int wake, MonotonicTime deadline);

private:
    FeedConnection(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    void send();
    [[nodiscard]] Expected<std::optional<News>> read();
    [[nodiscard]] Expected<void> take(FeedMessage message, std::optional<News> &news);

    FileDescriptor fd_;
    std::string path_;
    FeedReader reader_;
    SenderClock clock_;
    MonotonicTime captured_{}; // of the last picture
    std::string unsent_;
    bool within_line_ = false; // a part of it is sent
};

} // namespace picam
