#include "relay/feed_server.h"

#include "core/base/log.h"
#include "core/camera/frame_pacer.h"
#include "core/loop/listener.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cmath>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

namespace picam {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kMaxLine = 4096;

struct Wants {
    bool still = false;
    double fps = 0.0;

    friend bool operator==(const Wants &, const Wants &) = default;
};

// Empty: no line of the feed's.
std::optional<Wants> wantsOf(const std::string &line)
{
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object())
        return std::nullopt;
    const auto fps = object.find("fps");
    const auto still = object.find("still");
    if (fps == object.end() || !fps->is_number() || still == object.end() || !still->is_boolean())
        return std::nullopt;
    const double rate = fps->get<double>();
    return std::isfinite(rate) && rate > 0.0 ? std::optional(Wants{still->get<bool>(), rate}) : std::nullopt;
}

FeedServer::Picture stateOf(const std::string &reason)
{
    const nlohmann::json object{{"state", "unavailable"}, {"reason", reason}};
    const auto text =
        std::make_shared<const std::string>(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    FrameHeader header;
    header.codec = Codec::kNone;
    header.key = false;
    header.payload_bytes = static_cast<std::uint32_t>(text->size());
    header.captured_wall_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
    return {header, {reinterpret_cast<const std::uint8_t *>(text->data()), text->size()}, text};
}

} // namespace

class FeedServer::State : public std::enable_shared_from_this<State> {
public:
    explicit State(std::function<void()> on_change) : on_change_(std::move(on_change)) {}

    class Connection;

    Expected<void> listen(asio::io_context &context, int fd)
    {
        auto listener = Listener::create(context, fd, "a feed's reader",
                                         [this](Listener::Socket socket) { accept(std::move(socket)); });
        if (!listener)
            return tl::unexpected<Error>(listener.error());
        listener_ = std::move(*listener);
        return {};
    }

    void end();

    [[nodiscard]] double wanted(bool still) const;
    void send(bool still, const Picture &picture);

    void sendUnavailable(const std::string &reason)
    {
        reason_ = reason;
        send(false, stateOf(reason));
        send(true, stateOf(reason));
    }
    void sendNoStill(const std::string &reason) { send(true, stateOf(reason)); }
    void clearReason() { reason_.clear(); }

    void changed()
    {
        if (on_change_)
            on_change_();
    }
    void remove(const std::shared_ptr<Connection> &connection)
    {
        if (connections_.erase(connection) > 0)
            changed();
    }
    [[nodiscard]] const std::string &reason() const { return reason_; }

private:
    void accept(Listener::Socket socket);

    std::function<void()> on_change_; // empty: ended
    std::unique_ptr<Listener> listener_;
    std::set<std::shared_ptr<Connection>> connections_;
    std::string reason_; // empty: there are pictures, as far as is known
};

// One of picam's programs: what it wants, what is being written to it, and the newest that waits behind that.
class FeedServer::State::Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(Listener::Socket socket, std::shared_ptr<State> state)
        : socket_(std::move(socket)), state_(std::move(state))
    {
    }

    void read()
    {
        asio::async_read_until(socket_, line_, '\n', [self = shared_from_this()](const error_code &error, std::size_t) {
            self->received(error);
        });
    }

    void send(const Picture &picture)
    {
        if (picture.header.codec == Codec::kJpeg && !wants_->still && !pacer_.take(std::chrono::steady_clock::now()))
            return;
        waiting_ = picture;
        if (!writing_)
            write();
    }

    void close()
    {
        error_code ignored;
        socket_.close(ignored);
    }

    [[nodiscard]] const std::optional<Wants> &wants() const { return wants_; }

private:
    void received(const error_code &error)
    {
        std::optional<Wants> wants;
        if (!error) {
            std::istream stream(&line_);
            std::string line;
            std::getline(stream, line);
            wants = wantsOf(line);
        }
        if (!wants) {
            if (!error)
                log::warning("a reader of the feed says something else than what it wants");
            close();
            return state_->remove(shared_from_this());
        }
        const bool first = !wants_;
        if (first || *wants != *wants_) {
            wants_ = wants;
            pacer_.setRate(wants->fps);
            if (first && !state_->reason().empty())
                send(stateOf(state_->reason()));
            state_->changed();
        }
        read();
    }

    void write()
    {
        writing_ = std::exchange(waiting_, std::nullopt);
        head_ = serializeFrameHeader(writing_->header);
        const std::array<asio::const_buffer, 2> buffers{
            asio::buffer(head_), asio::const_buffer(writing_->jpeg.data(), writing_->jpeg.size())};
        asio::async_write(socket_, buffers, [self = shared_from_this()](const error_code &error, std::size_t) {
            self->writing_.reset();
            if (!error && self->waiting_)
                self->write(); // a connection that ends is noticed where it is read
        });
    }

    Listener::Socket socket_;
    const std::shared_ptr<State> state_;
    asio::streambuf line_{kMaxLine};
    std::optional<Wants> wants_; // empty: not said yet
    FramePacer pacer_;
    std::optional<Picture> writing_;
    std::optional<Picture> waiting_;
    std::array<std::uint8_t, kFrameHeaderBytes> head_{};
};

void FeedServer::State::accept(Listener::Socket socket)
{
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_from_this());
    connections_.insert(connection);
    connection->read();
}

void FeedServer::State::end()
{
    on_change_ = nullptr;
    listener_.reset();
    for (const auto &connection : std::exchange(connections_, {}))
        connection->close();
}

double FeedServer::State::wanted(bool still) const
{
    double fps = 0.0;
    for (const auto &connection : connections_)
        if (const auto &wants = connection->wants(); wants && wants->still == still)
            fps = std::max(fps, wants->fps);
    return fps;
}

void FeedServer::State::send(bool still, const Picture &picture)
{
    for (const auto &connection : connections_)
        if (const auto &wants = connection->wants(); wants && wants->still == still)
            connection->send(picture);
}

FeedServer::FeedServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

FeedServer::~FeedServer()
{
    state_->end();
}

Expected<std::unique_ptr<FeedServer>> FeedServer::create(asio::io_context &context, int listen_fd,
                                                         std::function<void()> on_change)
{
    auto state = std::make_shared<State>(std::move(on_change));
    if (const auto listening = state->listen(context, listen_fd); !listening)
        return fail(listening.error().kind, "cannot serve the feed: " + listening.error().message);
    return std::unique_ptr<FeedServer>(new FeedServer(std::move(state)));
}

double FeedServer::wantedFps() const
{
    return state_->wanted(false);
}

double FeedServer::wantedStills() const
{
    return state_->wanted(true);
}

void FeedServer::sendFrame(const Picture &picture)
{
    state_->clearReason();
    state_->send(false, picture);
}

void FeedServer::sendStill(const Picture &picture)
{
    state_->send(true, picture);
}

void FeedServer::sendUnavailable(const std::string &reason)
{
    state_->sendUnavailable(reason);
}

void FeedServer::clearUnavailable()
{
    state_->clearReason();
}

void FeedServer::sendNoStill(const std::string &reason)
{
    state_->sendNoStill(reason);
}

} // namespace picam
