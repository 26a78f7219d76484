#include "relay/stream_client.h"

#include "relay/local_connect.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace picam {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kTimeout{5}; // of the handshake, and of a goodbye
constexpr std::size_t kMaxMessage = kFrameHeaderBytes + kMaxPayloadBytes;

} // namespace

class StreamClient::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context &context, Events events) : socket_(context), events_(std::move(events)) {}

    void connect(const std::string &path, double fps)
    {
        fps_ = fps;
        socket_.read_message_max(kMaxMessage);
        websocket::stream_base::timeout timeout{kTimeout, websocket::stream_base::none(), false};
        socket_.set_option(timeout);
        socket_.set_option(websocket::stream_base::decorator([](websocket::request_type &request) {
            request.set(beast::http::field::sec_websocket_protocol, "picam.v2");
        }));
        if (const auto error = connectLocal(socket_.next_layer(), path))
            return asio::post(socket_.get_executor(), [self = shared_from_this(), error] {
                self->end(error == asio::error::access_denied ? "picam-streamd's socket is not for this user"
                                                              : "picam-streamd does not run");
            });
        socket_.async_handshake("localhost", "/relay", [self = shared_from_this()](const error_code &failed) {
            if (failed)
                return self->end(fmt::format("picam-streamd does not let picam-relay in: {}", failed.message()));
            self->open_ = true;
            self->send(false, R"({"type":"take","codecs":["jpeg"]})");
            self->setRate(self->fps_);
            self->read();
        });
    }

    void setRate(double fps)
    {
        fps_ = fps;
        if (open_)
            send(false, fmt::format(R"({{"type":"rate","fps":{:.6g}}})", fps));
    }

    void acknowledge(const FrameHeader &frame)
    {
        std::string message(10, '\0');
        message[0] = static_cast<char>(frame.codec);
        message[1] = static_cast<char>(frame.rung);
        for (std::size_t i = 0; i < 8; ++i)
            message[2 + i] = static_cast<char>(static_cast<std::uint8_t>(frame.sequence >> (8 * (7 - i))));
        send(true, std::move(message));
    }

    void close()
    {
        events_ = {};
        if (!std::exchange(open_, false)) {
            error_code ignored;
            socket_.next_layer().close(ignored);
            return;
        }
        // What is being written ends first.
        if (out_.empty())
            sayGoodbye();
    }

private:
    struct Out {
        bool binary;
        std::string text;
    };

    void read()
    {
        message_ = std::make_shared<Bytes>();
        buffer_.emplace(*message_);
        socket_.async_read(*buffer_, [self = shared_from_this()](const error_code &error, std::size_t) {
            if (error)
                return self->end(error == websocket::error::closed ? self->closeReason() : "picam-streamd has gone");
            self->received();
        });
    }

    void received()
    {
        if (!open_)
            return;
        const std::shared_ptr<const Bytes> message = std::exchange(message_, nullptr);
        const auto self = shared_from_this(); // the owner may let go of the client
        if (socket_.got_text()) {
            const std::string text(message->begin(), message->end());
            if (events_.on_text)
                events_.on_text(text);
        } else if (const auto header = parseFrameHeader(*message);
                   header && header->payload_bytes + kFrameHeaderBytes == message->size()) {
            if (events_.on_frame)
                events_.on_frame(*header, message);
        } else {
            return end("picam-streamd sends something else than frames");
        }
        if (open_)
            read();
    }

    void send(bool binary, std::string text)
    {
        if (!open_)
            return;
        out_.push_back({binary, std::move(text)});
        if (out_.size() == 1)
            write();
    }

    void write()
    {
        socket_.binary(out_.front().binary);
        socket_.async_write(asio::buffer(out_.front().text),
                            [self = shared_from_this()](const error_code &error, std::size_t) {
                                self->out_.pop_front();
                                if (error)
                                    return self->end("picam-streamd has gone");
                                if (!self->open_)
                                    return self->sayGoodbye();
                                if (!self->out_.empty())
                                    self->write();
                            });
    }

    void sayGoodbye()
    {
        socket_.async_close(websocket::close_code::going_away, [self = shared_from_this()](const error_code &) {});
    }

    [[nodiscard]] std::string closeReason() const
    {
        const auto &reason = socket_.reason().reason;
        return reason.empty() ? "picam-streamd has gone" : std::string(reason.data(), reason.size());
    }

    void end(const std::string &reason)
    {
        open_ = false;
        if (const auto on_closed = std::exchange(events_, {}).on_closed)
            on_closed(reason);
    }

    websocket::stream<asio::local::stream_protocol::socket> socket_;
    Events events_; // empty: closed
    std::shared_ptr<Bytes> message_;
    std::optional<asio::dynamic_vector_buffer<std::uint8_t, std::allocator<std::uint8_t>>> buffer_;
    std::deque<Out> out_; // the first is being written; acknowledgements of what the window holds
    double fps_ = 0.0;
    bool open_ = false;
};

StreamClient::StreamClient(asio::io_context &context, const std::string &path, double fps, Events events)
    : state_(std::make_shared<State>(context, std::move(events)))
{
    state_->connect(path, fps);
}

StreamClient::~StreamClient()
{
    state_->close();
}

void StreamClient::setRate(double fps)
{
    state_->setRate(fps);
}

void StreamClient::acknowledge(const FrameHeader &frame)
{
    state_->acknowledge(frame);
}

} // namespace picam
