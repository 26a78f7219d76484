#include "streamd/web/websocket_server.h"

#include "core/base/log.h"
#include "core/loop/listener.h"
#include "streamd/web/base64.h"
#include "streamd/web/http_request.h"
#include "streamd/web/websocket_config.h"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <set>
#include <utility>

namespace picam {

namespace asio = boost::asio;
namespace ws = websocketpp;

namespace {

constexpr std::chrono::milliseconds kHandshakeTimeout{5000};
// Of a peer that does not answer a close, or does not get it for all that lies before it.
constexpr std::chrono::milliseconds kCloseTimeout{1000};
struct Subprotocol {
    std::string_view name;
    WireFormat format;
};
// The first of them that a client offers is taken.
constexpr std::array<Subprotocol, 2> kSubprotocols{{{"picam.v2", WireFormat::kV2}, {"picam.v1", WireFormat::kV1}}};
// nginx passes a handshake with a ticket on as this path, without a password.
constexpr std::string_view kTicketPath = "/stream-by-ticket";
// picam-relay connects with this path; nginx never asks for it. Who may look at this site is not its affair.
constexpr std::string_view kRelayPath = "/relay";
// A subprotocol and not in the query, because nginx writes the request line into its error log.
constexpr std::string_view kTicketPrefix = "picam.ticket.";

using websocket::Config;
using Server = ws::server<Config>;
using Connection = Server::connection_ptr;
using MessagePtr = Server::message_ptr;
namespace opcode = ws::frame::opcode;
namespace status_code = ws::http::status_code;

void appendBigEndian(std::string &to, std::uint64_t value)
{
    for (unsigned shift = 64; shift > 0; shift -= 8)
        to += static_cast<char>(static_cast<unsigned char>(value >> (shift - 8)));
}

// A WebSocket message with a frame, whoever gets it.
struct WireMessage {
    std::string head; // of the WebSocket message, the subprotocol's, and the frame's lead
    std::string text; // where the payload is not the JPEG itself
};

std::shared_ptr<const WireMessage> prepare(const StreamFrame &frame, WireFormat format)
{
    const auto op = format == WireFormat::kBase64 ? opcode::text : opcode::binary;
    auto message = std::make_shared<WireMessage>();
    std::string prefix;
    if (format == WireFormat::kBase64)
        message->text = base64(frame.payload, frame.bytes);
    if (format == WireFormat::kV1) {
        appendBigEndian(prefix, frame.sequence);
        appendBigEndian(prefix, static_cast<std::uint64_t>(frame.captured_wall.count()));
    }
    if (format == WireFormat::kV2)
        prefix.assign(frame.header.begin(), frame.header.end());
    prefix.append(frame.lead.begin(), frame.lead.end());
    const std::uint64_t size = prefix.size() + (message->text.empty() ? frame.bytes : message->text.size());
    const ws::frame::basic_header basic(op, size, true, false);
    const ws::frame::extended_header extended(size);
    message->head = ws::frame::prepare_header(basic, extended) + prefix;
    return message;
}

class Session;

// Reports written frames to their sessions in the next turn of the loop, all together: one posted handler for all
// viewers.
class WrittenFrames : public std::enable_shared_from_this<WrittenFrames> {
public:
    explicit WrittenFrames(asio::io_context &context) : context_(context) {}
    void add(std::weak_ptr<Session> session)
    {
        sessions_.push_back(std::move(session));
        if (sessions_.size() == 1)
            asio::post(context_, [self = shared_from_this()] { self->notify(); });
    }

private:
    void notify();

    asio::io_context &context_;
    std::vector<std::weak_ptr<Session>> sessions_;
};

// One connection, from its acceptance to its end.
class Session : public ViewerConnection, public std::enable_shared_from_this<Session> {
public:
    Session(Connection connection, ViewerHost &host, Access &access, const std::vector<std::string> &origins,
            std::shared_ptr<WrittenFrames> written)
        : connection_(std::move(connection)), host_(host), access_(access), origins_(origins),
          written_(std::move(written))
    {
    }

    bool accept(); // the handshake; false: refused, the status is set
    void open();
    void receive(const MessagePtr &message);
    void pinged()
    {
        withViewer([](ViewerEvents &viewer) { viewer.onPing(); });
    }
    void frameWritten()
    {
        withViewer([](ViewerEvents &viewer) { viewer.onFrameWritten(); });
    }
    void pong()
    {
        withViewer([](ViewerEvents &viewer) { viewer.onAlive(); });
    }
    void end();

    void sendFrame(const FramePtr &frame, WireFormat format) override;
    void sendText(const std::string &message) override { (void)connection_->send(message, opcode::text); }
    void ping() override
    {
        ws::lib::error_code ignored; // the end of a connection is reported by its handlers
        connection_->ping("", ignored);
    }
    void close(CloseCode code, std::string_view reason) override
    {
        connection_->get_raw_socket().dropWaitingFrame();
        ws::lib::error_code ignored;
        connection_->close(static_cast<ws::close::status::value>(code), std::string(reason), ignored);
    }

private:
    template <class Call>
    void withViewer(Call call)
    {
        if (const auto viewer = viewer_) // it may end the session
            call(*viewer);
    }
    bool refuse(status_code::value status, const std::string &reason);
    [[nodiscard]] bool hasTicket() const;
    [[nodiscard]] bool admitted() const { return relay_ || access_.admits(generation_, Access::Clock::now()); }

    const Connection connection_;
    ViewerHost &host_;
    Access &access_;
    const std::vector<std::string> &origins_;
    bool relay_ = false;     // picam-relay, and no viewer
    std::string generation_; // of the nginx worker that passed it on
    const std::shared_ptr<WrittenFrames> written_;
    std::shared_ptr<void> admission_;
    std::shared_ptr<ViewerEvents> viewer_;
    WireFormat format_ = WireFormat::kBase64;
    double max_fps_ = 0.0;
};

bool Session::refuse(status_code::value status, const std::string &reason)
{
    connection_->set_status(status);
    connection_->set_body(reason + "\n");
    return false;
}

bool Session::hasTicket() const
{
    for (const auto &offered : connection_->get_requested_subprotocols()) {
        const std::string_view text = offered;
        if (text.substr(0, kTicketPrefix.size()) == kTicketPrefix)
            return access_.tickets().redeem(text.substr(kTicketPrefix.size()), Tickets::Clock::now());
    }
    return false;
}

bool Session::accept()
{
    if (!http::originAllowed(connection_->get_request_header("Origin"), connection_->get_request_header("Host"),
                             origins_))
        return refuse(status_code::forbidden, "this page may not watch");
    const std::string &target = connection_->get_request().get_uri();
    relay_ = http::path(target) == kRelayPath;
    generation_ = connection_->get_request_header(std::string(Access::kHeader));
    if (!admitted()) {
        connection_->append_header("Retry-After", "1");
        return refuse(status_code::service_unavailable, std::string(Access::kReason));
    }
    if (http::path(target) == kTicketPath && !hasTicket())
        return refuse(status_code::forbidden, "this ticket is void");
    const auto format = http::queryValue(target, "format");
    const auto fps = http::queryFps(target);
    if ((format && *format != "jpeg" && *format != "base64" && *format != "h264") || !fps)
        return refuse(status_code::bad_request, "format is jpeg, base64 or h264, fps 0 or at least 0.01");
    if (format && *format == "jpeg")
        format_ = WireFormat::kJpeg;
    if (format && *format == "h264")
        format_ = WireFormat::kH264;
    max_fps_ = *fps;
    const auto &offered = connection_->get_requested_subprotocols();
    for (const auto &[name, wire_format] : kSubprotocols) {
        if (std::find(offered.begin(), offered.end(), name) == offered.end())
            continue;
        ws::lib::error_code ignored; // it was offered
        connection_->select_subprotocol(std::string(name), ignored);
        format_ = wire_format;
        break;
    }
    if (isVideoOnly(format_) && !host_.offersVideo())
        return refuse(status_code::not_found, "there is no H.264 here");
    admission_ = relay_ ? host_.admitRelay() : host_.admit();
    if (!admission_) {
        connection_->append_header("Retry-After", "10");
        return refuse(status_code::service_unavailable, "too many viewers");
    }
    return true;
}

void Session::open()
{
    if (!admitted()) // since its handshake was accepted
        return close(CloseCode::kTryAgainLater, Access::kReason);
    viewer_ = host_.join(shared_from_this(), format_, max_fps_);
}

void Session::receive(const MessagePtr &message)
{
    withViewer([&message](ViewerEvents &viewer) {
        if (message->get_opcode() == opcode::text)
            viewer.onText(message->get_payload());
        else
            viewer.onBinary(message->get_payload());
    });
}

void Session::end()
{
    admission_.reset();
    connection_->get_raw_socket().dropWaiting();
    if (const auto viewer = std::exchange(viewer_, nullptr))
        viewer->onClosed();
}

void Session::sendFrame(const FramePtr &frame, WireFormat format)
{
    if (connection_->get_state() != ws::session::state::open)
        return; // its end is reported by its handlers
    auto &prepared = frame->prepared[static_cast<std::size_t>(format)];
    if (!prepared)
        prepared = prepare(*frame, format);
    const auto &message = *static_cast<const WireMessage *>(prepared.get());
    const asio::const_buffer payload = message.text.empty()
                                           ? asio::const_buffer(frame->payload, frame->bytes)
                                           : asio::const_buffer(message.text.data(), message.text.size());
    const websocket::FrameSocket::Buffers buffers{asio::const_buffer(message.head.data(), message.head.size()),
                                                  payload};
    if (connection_->get_raw_socket().sendFrame(buffers, [self = shared_from_this(), frame] { self->frameWritten(); }))
        written_->add(weak_from_this());
}

void WrittenFrames::notify()
{
    for (const auto &weak : std::exchange(sessions_, {}))
        if (const auto session = weak.lock())
            session->frameWritten();
}

} // namespace

class WebSocketServer::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context &context, ViewerHost &host, Access &access, std::vector<std::string> origins)
        : host_(host), access_(access), origins_(std::move(origins)), written_(std::make_shared<WrittenFrames>(context))
    {
        server_.init_asio(&context);
        server_.set_open_handshake_timeout(kHandshakeTimeout.count());
        server_.set_close_handshake_timeout(kCloseTimeout.count());
        server_.set_max_http_body_size(0);
        server_.set_user_agent("picam");
    }

    // Accepts from now on.
    Expected<void> listen(asio::io_context &context, int fd)
    {
        // The listener is this object's, and calls nobody after its end.
        auto listener =
            Listener::create(context, fd, "a viewer", [this](Listener::Socket socket) { start(std::move(socket)); });
        if (!listener)
            return tl::unexpected<Error>(listener.error());
        listener_ = std::move(*listener);
        return {};
    }

    void stopAccepting()
    {
        if (listener_)
            listener_->stop();
    }

    void endAll()
    {
        for (const auto &session : std::exchange(sessions_, {}))
            session->end();
    }

    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

private:
    void start(Listener::Socket socket)
    {
        const auto connection = server_.get_connection();
        if (!connection)
            return;
        connection->get_raw_socket().assign(std::move(socket));
        const auto session = std::make_shared<Session>(connection, host_, access_, origins_, written_);
        sessions_.insert(session);
        // The connection outlives neither: it is asked only while the session is in the set.
        const std::weak_ptr<Session> weak = session;
        using Handle = ws::connection_hdl;
        connection->set_validate_handler([weak](const Handle &) {
            const auto self = weak.lock();
            return self && self->accept();
        });
        connection->set_open_handler([weak](const Handle &) {
            if (const auto self = weak.lock())
                self->open();
        });
        connection->set_message_handler([weak](const Handle &, const MessagePtr &message) {
            if (const auto self = weak.lock())
                self->receive(message);
        });
        connection->set_ping_handler([weak](const Handle &, const std::string &) {
            if (const auto self = weak.lock())
                self->pinged();
            return true;
        });
        connection->set_pong_handler([weak](const Handle &, const std::string &) {
            if (const auto self = weak.lock())
                self->pong();
        });
        const auto ended = [weak, state = weak_from_this()](const Handle &) {
            const auto self = weak.lock();
            if (!self)
                return;
            if (const auto alive = state.lock())
                alive->sessions_.erase(self);
            self->end();
        };
        connection->set_close_handler(ended);
        connection->set_fail_handler(ended);
        connection->start();
    }

    ViewerHost &host_;
    Access &access_;
    const std::vector<std::string> origins_;
    const std::shared_ptr<WrittenFrames> written_;
    Server server_;
    std::unique_ptr<Listener> listener_;
    std::set<std::shared_ptr<Session>> sessions_;
};

WebSocketServer::WebSocketServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

WebSocketServer::~WebSocketServer()
{
    state_->stopAccepting();
    state_->endAll();
}

Expected<std::unique_ptr<WebSocketServer>> WebSocketServer::create(asio::io_context &context, int listen_fd,
                                                                   ViewerHost &host, Access &access,
                                                                   std::vector<std::string> origins)
{
    auto state = std::make_shared<State>(context, host, access, std::move(origins));
    if (const auto listening = state->listen(context, listen_fd); !listening)
        return fail(listening.error().kind, "cannot serve WebSockets: " + listening.error().message);
    return std::unique_ptr<WebSocketServer>(new WebSocketServer(std::move(state)));
}

void WebSocketServer::stopAccepting()
{
    state_->stopAccepting();
}

std::size_t WebSocketServer::connectionCount() const
{
    return state_->size();
}

} // namespace picam
