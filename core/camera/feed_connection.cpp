#include "core/camera/feed_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace picam {
namespace {

using std::chrono::steady_clock;

// Whoever feeds without a pause shall not keep the reader from looking at anything else.
constexpr std::size_t kMostAtOnce = std::size_t{64} << 20U; // bytes: more than one picture

// For poll(): not before the deadline.
int timeoutMs(MonotonicTime deadline)
{
    constexpr std::chrono::hours kLongest{1};
    const auto left = std::clamp<MonotonicTime::duration>(deadline - steady_clock::now(), {}, kLongest);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

tl::unexpected<Error> cannotConnect(const std::string &path, int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return fail(ErrorKind::kNoCamera, fmt::format("the feed's socket {} is not there", path));
    case ECONNREFUSED:
        return fail(ErrorKind::kCameraFailed, fmt::format("no program listens on the feed's socket {}", path));
    case EAGAIN:
        return fail(ErrorKind::kCameraFailed,
                    fmt::format("the program at the feed's socket {} takes no more connections", path));
    case EACCES:
        return fail(ErrorKind::kIo, fmt::format("the feed's socket {} is not for this user", path));
    default:
        return failErrno(ErrorKind::kIo, fmt::format("cannot connect to the feed's socket {}", path), error);
    }
}

} // namespace

Expected<FeedConnection> FeedConnection::open(const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path))
        return fail(ErrorKind::kIo, fmt::format("{} is no path of a socket", path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return failErrno(ErrorKind::kIo, "cannot make a socket", errno);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
        return cannotConnect(path, errno);
    return FeedConnection(std::move(fd), path);
}

void FeedConnection::say(const FeedWants &wants)
{
    // What is begun has to be ended; a program that reads nothing gets no more than that.
    const auto end = within_line_ ? unsent_.find('\n') + 1 : 0;
    unsent_.resize(end);
    unsent_ += feedLine(wants);
    send();
}

// A program that is gone shows where its messages are read.
void FeedConnection::send()
{
    while (!unsent_.empty()) {
        const ssize_t sent = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            if (errno != EAGAIN)
                unsent_.clear();
            return;
        }
        within_line_ = unsent_[static_cast<std::size_t>(sent) - 1] != '\n';
        unsent_.erase(0, static_cast<std::size_t>(sent));
    }
}

Expected<std::optional<FeedConnection::News>> FeedConnection::next(int wake, MonotonicTime deadline)
{
    while (true) {
        const auto events = static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT);
        std::array<pollfd, 2> polled{{{fd_.get(), events, 0}, {wake, POLLIN, 0}}};
        const int ready = ::poll(polled.data(), polled.size(), timeoutMs(deadline));
        if (ready < 0 && errno != EINTR)
            return failErrno(ErrorKind::kIo, "cannot wait for the feed", errno);
        if (ready > 0 && polled[1].revents != 0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(wake, &count, sizeof(count)) == 0); // it may have been read already
            return std::optional<News>();
        }
        if (ready > 0 && (polled[0].revents & POLLOUT) != 0)
            send();
        if (ready > 0 && (polled[0].revents & ~POLLOUT) != 0) {
            auto news = read();
            if (!news || *news)
                return news;
        }
        if (steady_clock::now() >= deadline)
            return std::optional<News>();
    }
}

Expected<std::optional<FeedConnection::News>> FeedConnection::read()
{
    std::optional<News> news;
    for (std::size_t total = 0; total < kMostAtOnce;) {
        const auto room = reader_.room();
        const ssize_t got = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0 && news)
            break; // what it said before it went counts first
        if (got <= 0)
            return fail(ErrorKind::kCameraFailed,
                        fmt::format("the feed {} was closed{}", path_,
                                    reader_.isWithinMessage() ? " in the middle of a message" : ""));
        total += static_cast<std::size_t>(got);
        auto message = reader_.filled(static_cast<std::size_t>(got));
        auto taken = message && *message ? take(std::move(**message), news) : Expected<void>();
        if (!message)
            taken = tl::unexpected<Error>(std::move(message.error()));
        if (!taken)
            return fail(taken.error().kind, fmt::format("the feed {} sends something else than pictures: {}", path_,
                                                        taken.error().message));
    }
    return news;
}

Expected<void> FeedConnection::take(FeedMessage message, std::optional<News> &news)
{
    const std::uint64_t sent_us = message.header.captured_wall_us;
    const auto now = steady_clock::now();
    if (message.header.codec == Codec::kNone) {
        clock_.tell(sent_us, now);
        auto reason = feedReason({reinterpret_cast<const char *>(message.payload.data()), message.payload.size()});
        if (!reason)
            return tl::unexpected<Error>(std::move(reason.error()));
        if (*reason)
            news = std::move(**reason);
        return {};
    }
    if (message.header.rung != 0)
        return {};
    const auto age = clock_.age(sent_us, std::chrono::system_clock::now(), now);
    captured_ = std::max<MonotonicTime>(now - age, captured_ + std::chrono::microseconds(1));
    news = Picture{message.header, std::move(message.payload), age, captured_};
    return {};
}

} // namespace picam
