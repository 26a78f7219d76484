#include "streamd/web/http_server.h"

#include "core/base/origin.h"
#include "core/loop/listener.h"
#include "streamd/status/status_json.h"
#include "streamd/status/status_metrics.h"
#include "streamd/web/http_request.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace picam {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;

namespace {

// Above what nginx lets through and passes on (server.conf, proxy.conf): a request line, Host and Origin of 16 KB each.
constexpr std::uint32_t kHeaderLimit = 65536;
constexpr std::chrono::seconds kRequestTimeout{5};
constexpr std::chrono::seconds kIdleTimeout{15}; // between requests of one connection
constexpr std::chrono::seconds kWriteTimeout{10};

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// The head of a stream of some type, which CORS headers may follow. A multipart stream's boundary goes out right behind
// each frame: browsers show a part when they have seen its end.
constexpr const char *kStreamHead = "HTTP/1.1 200 OK\r\n"
                                    "Server: picam\r\n"
                                    "Content-Type: {}\r\n"
                                    "Cache-Control: no-store\r\n"
                                    "X-Accel-Buffering: no\r\n"
                                    "Connection: close\r\n";
constexpr std::string_view kMultipartType = "multipart/x-mixed-replace; boundary=picam-frame";
constexpr std::string_view kFirstBoundary = "\r\n--picam-frame\r\n";
constexpr std::string_view kPartEnd = "\r\n--picam-frame\r\n";

template <class Text>
std::string_view stringView(const Text &text)
{
    return {text.data(), text.size()};
}

asio::const_buffer bytes(std::string_view text)
{
    return {text.data(), text.size()};
}

std::shared_ptr<const std::string> partHead(const StreamFrame &frame)
{
    const auto us = frame.captured_wall.count();
    return std::make_shared<const std::string>(
        fmt::format("Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}.{:06}\r\n\r\n", frame.bytes,
                    us / 1000000, us % 1000000));
}

} // namespace

class HttpServer::State : public std::enable_shared_from_this<State> {
public:
    State(ViewerHost &viewer_host, const Status &of_status, Access &of_access, ControlsHttp &of_controls,
          std::vector<std::string> of_others)
        : host(viewer_host), status(of_status), access(of_access), controls(of_controls), origins(std::move(of_others))
    {
    }

    // Accepts from now on.
    Expected<void> listen(asio::io_context &context, int fd);
    void stopAccepting()
    {
        if (listener_)
            listener_->stop();
    }

    void endAll();
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

    ViewerHost &host;
    const Status &status;
    Access &access;
    ControlsHttp &controls;
    const std::vector<std::string> origins;

    class Session;

private:
    std::unique_ptr<Listener> listener_;
    std::set<std::shared_ptr<Session>> sessions_;
};

// One connection: requests one after another, until one of them is a stream.
class HttpServer::State::Session : public ViewerConnection, public std::enable_shared_from_this<Session> {
public:
    Session(Listener::Socket socket, State &server) : stream_(std::move(socket)), server_(server.weak_from_this()) {}

    void readRequest(std::chrono::seconds timeout)
    {
        parser_.emplace();
        parser_->header_limit(kHeaderLimit);
        parser_->body_limit(std::numeric_limits<std::uint64_t>::max()); // it reads none; whoever does has a limit
        stream_.expires_after(timeout);
        bhttp::async_read_header(
            stream_, buffer_, *parser_,
            [self = shared_from_this()](const error_code &error, std::size_t) { self->onRequest(error); });
    }

    void end()
    {
        if (const auto server = server_.lock())
            server->sessions_.erase(shared_from_this());
        if (const auto viewer = std::exchange(viewer_, nullptr))
            viewer->onClosed();
        admission_.reset();
        ended_ = true;
        error_code ignored;
        stream_.socket().close(ignored);
    }

    void sendFrame(const FramePtr &frame, WireFormat format) override;
    void sendText(const std::string &) override {} // a stream has no such thing
    void ping() override {}
    void close(CloseCode code, std::string_view reason) override;

private:
    void onRequest(const error_code &error);
    void handle(const bhttp::request<bhttp::empty_body> &request);
    void beginStream(std::string_view target);
    void beginVideo(WireFormat format, std::string_view type);
    void giveTicket(Tickets &from);
    void readChange();
    void handleControls(const bhttp::request_header<> &request, std::string_view body);
    [[nodiscard]] StatusValues statusValues() const;
    void refuse(); // who comes by an old worker of nginx's
    void watchForEnd();
    void respond(const ControlsHttp::Answer &answer);
    void respond(bhttp::status code, std::string body, std::string_view type = kPlainText, unsigned retry_after = 0);
    template <class Body>
    void write(std::shared_ptr<bhttp::response<Body>> response);

    beast::basic_stream<asio::local::stream_protocol> stream_;
    const std::weak_ptr<State> server_;
    beast::flat_buffer buffer_{kHeaderLimit};
    std::optional<bhttp::request_parser<bhttp::empty_body>> parser_;
    std::optional<bhttp::request_parser<bhttp::string_body>> change_parser_; // of a request with a body
    bool head_request_ = false;
    bool keep_alive_ = false;
    HeaderFields fields_; // of the answer to this request, beside the usual ones
    std::shared_ptr<void> admission_;
    std::shared_ptr<ViewerEvents> viewer_;
    std::string stream_head_;   // and the first boundary
    bool stream_begun_ = false; // its head is out
    bool ended_ = false;
    std::array<char, 256> rubbish_{}; // what a client sends behind its request
};

void HttpServer::State::Session::onRequest(const error_code &error)
{
    if (ended_)
        return;
    if (error == bhttp::error::end_of_stream ||
        (error && error.category() != make_error_code(bhttp::error::bad_method).category()))
        return end();
    head_request_ = false;
    keep_alive_ = false;
    fields_.clear();
    if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow)
        return respond(bhttp::status::request_header_fields_too_large, "the request's head is too large\n");
    if (error)
        return respond(bhttp::status::bad_request, "this is no HTTP\n");
    const auto &request = parser_->get();
    head_request_ = request.method() == bhttp::verb::head;
    // A body is not read, so nothing behind it can be.
    keep_alive_ = request.keep_alive() && parser_->is_done();
    handle(request);
}

void HttpServer::State::Session::handle(const bhttp::request<bhttp::empty_body> &request)
{
    const auto server = server_.lock();
    if (!server)
        return end();
    const std::string_view target(request.target().data(), request.target().size());
    const auto path = http::path(target);
    const auto now = Access::Clock::now();
    if (request.method() == bhttp::verb::post && path == "/access") {
        const auto generation = http::queryValue(target, "generation");
        if (!generation)
            return respond(bhttp::status::bad_request, "a generation is missing\n");
        server->access.change(*generation, now);
        return respond(bhttp::status::ok, "ok\n");
    }
    if (ControlsHttp::isFor(path)) {
        if (ControlsHttp::takesBody(stringView(request.method_string()), path))
            return readChange();
        return handleControls(request, {});
    }
    if (request.method() != bhttp::verb::get && !head_request_)
        return respond(bhttp::status::method_not_allowed, "only GET and HEAD are allowed here\n");
    const auto generation = request[beast::string_view(Access::kHeader.data(), Access::kHeader.size())];
    const bool admitted = server->access.admits({generation.data(), generation.size()}, now);
    if (path == "/stream.mjpg" || http::queryValue(target, "action") == "stream") {
        const auto origin = request[bhttp::field::origin];
        fields_ = corsHeaders({origin.data(), origin.size()}, server->origins);
        return admitted ? beginStream(target) : refuse();
    }
    if (path == "/stream.h264" || path == "/stream.mp4") {
        if (!server->host.offersVideo())
            return respond(bhttp::status::not_found, "there is no H.264 here\n");
        if (!admitted)
            return refuse();
        return path == "/stream.mp4" ? beginVideo(WireFormat::kMp4, "video/mp4")
                                     : beginVideo(WireFormat::kAnnexB, "video/h264");
    }
    if (path == "/healthz")
        return respond(bhttp::status::ok, "ok\n");
    if (path == "/status")
        return respond(bhttp::status::ok, statusJson(statusValues()), "application/json");
    if (path == "/metrics")
        return respond(bhttp::status::ok, statusMetrics(server->status.values(std::chrono::steady_clock::now())),
                       "text/plain; version=0.0.4; charset=utf-8");
    if (path == "/ticket")
        return admitted ? giveTicket(server->access.tickets()) : refuse();
    respond(bhttp::status::not_found, "there is nothing here\n");
}

StatusValues HttpServer::State::Session::statusValues() const
{
    const auto server = server_.lock();
    StatusValues values = server->status.values(std::chrono::steady_clock::now());
    const auto view = server->controls.view();
    values.controls.generation = view.camera && view.camera->open ? view.camera->in_force.generation : 0;
    values.controls.values = controlsInForce(view);
    return values;
}

// Its body, as far as it may be long.
void HttpServer::State::Session::readChange()
{
    const auto refuse_large = [this] {
        keep_alive_ = false;
        respond(ControlsHttp::refuse(413, "a change has at most 4096 bytes"));
    };
    // The parser's limit is for what has no length: it has read this head already.
    if (const auto length = parser_->content_length(); length && *length > ControlsHttp::kMaxBody)
        return refuse_large();
    change_parser_.emplace(std::move(*parser_));
    change_parser_->body_limit(ControlsHttp::kMaxBody);
    stream_.expires_after(kRequestTimeout);
    bhttp::async_read(stream_, buffer_, *change_parser_,
                      [self = shared_from_this(), refuse_large](const error_code &error, std::size_t) {
                          if (self->ended_)
                              return;
                          if (error == bhttp::error::body_limit)
                              return refuse_large();
                          if (error)
                              return self->end();
                          const auto &request = self->change_parser_->get();
                          self->keep_alive_ = request.keep_alive();
                          self->handleControls(request, request.body());
                      });
}

void HttpServer::State::Session::handleControls(const bhttp::request_header<> &request, std::string_view body)
{
    const auto server = server_.lock();
    if (!server)
        return end();
    const auto field = [&request](std::string_view name) {
        return stringView(request[beast::string_view(name.data(), name.size())]);
    };
    const bool is_change = request.method() != bhttp::verb::get && request.method() != bhttp::verb::head;
    if (is_change && !server->access.admits(field(Access::kHeader), Access::Clock::now())) {
        auto refusal = ControlsHttp::refuse(503, Access::kReason);
        refusal.retry_after = 1;
        return respond(refusal);
    }
    ControlsHttp::Request change;
    change.method = stringView(request.method_string());
    change.target = stringView(request.target());
    change.user = field("X-Picam-User");
    change.role = field("X-Picam-Role");
    change.origin = field("Origin");
    change.host = field("Host");
    change.fetch_site = field("Sec-Fetch-Site");
    change.content_type = field("Content-Type");
    change.if_match = field("If-Match");
    change.body = body;
    respond(server->controls.answer(change, ControlsHttp::Clock::now()));
}

void HttpServer::State::Session::refuse()
{
    respond(bhttp::status::service_unavailable, std::string(Access::kReason) + "\n", kPlainText, 1);
}

void HttpServer::State::Session::giveTicket(Tickets &from)
{
    // HEAD changes nothing.
    const std::string ticket = head_request_ ? "" : from.issue(Tickets::Clock::now());
    if (ticket.empty() && !head_request_)
        return respond(bhttp::status::service_unavailable, "no ticket can be made yet\n", kPlainText, 2);
    respond(bhttp::status::ok,
            fmt::format("{{\"ticket\":\"{}\",\"seconds\":{}}}\n", ticket, Tickets::kLifetime.count()),
            "application/json");
}

void HttpServer::State::Session::beginStream(std::string_view target)
{
    const auto server = server_.lock();
    const auto fps = http::queryFps(target);
    if (!fps)
        return respond(bhttp::status::bad_request, "fps is 0 or at least 0.01\n");
    keep_alive_ = false;
    if (head_request_)
        return respond(bhttp::status::ok, "", kMultipartType);
    admission_ = server->host.admit();
    if (!admission_)
        return respond(bhttp::status::service_unavailable, "too many viewers\n", kPlainText, 10);
    stream_head_ =
        fmt::format("{}{}{}", fmt::format(kStreamHead, kMultipartType), headerLines(fields_), kFirstBoundary);
    // From here on the viewer judges what takes too long.
    stream_.expires_never();
    viewer_ = server->host.join(shared_from_this(), WireFormat::kMultipart, *fps);
    watchForEnd();
}

void HttpServer::State::Session::beginVideo(WireFormat format, std::string_view type)
{
    const auto server = server_.lock();
    keep_alive_ = false;
    if (head_request_)
        return respond(bhttp::status::ok, "", type);
    admission_ = server->host.admit();
    if (!admission_)
        return respond(bhttp::status::service_unavailable, "too many viewers\n", kPlainText, 10);
    stream_head_ = fmt::format(kStreamHead, type) + "\r\n";
    stream_.expires_never();
    viewer_ = server->host.join(shared_from_this(), format, 0.0);
    watchForEnd();
}

// A client that leaves while no frame is under way shows as the end of what it sends.
void HttpServer::State::Session::watchForEnd()
{
    stream_.async_read_some(asio::buffer(rubbish_), [self = shared_from_this()](const error_code &error, std::size_t) {
        if (self->ended_)
            return;
        if (error)
            self->end();
        else
            self->watchForEnd();
    });
}

void HttpServer::State::Session::sendFrame(const FramePtr &frame, WireFormat format)
{
    std::string_view head(reinterpret_cast<const char *>(frame->lead.data()), frame->lead.size());
    std::string_view end_of_part;
    const asio::const_buffer payload(frame->payload, frame->bytes);
    if (format == WireFormat::kMultipart) {
        auto &prepared = frame->prepared[static_cast<std::size_t>(format)];
        if (!prepared)
            prepared = partHead(*frame);
        head = *static_cast<const std::string *>(prepared.get());
        end_of_part = kPartEnd;
    }
    const bool first = !std::exchange(stream_begun_, true);
    const std::array<asio::const_buffer, 4> buffers{bytes(first ? std::string_view(stream_head_) : std::string_view()),
                                                    bytes(head), payload, bytes(end_of_part)};
    asio::async_write(stream_, buffers, [self = shared_from_this(), frame](const error_code &error, std::size_t) {
        if (self->ended_)
            return;
        if (error)
            return self->end();
        if (const auto viewer = self->viewer_)
            viewer->onFrameWritten();
    });
}

void HttpServer::State::Session::close(CloseCode code, std::string_view reason)
{
    if (ended_)
        return;
    if (stream_begun_) {
        error_code ignored; // the read and the write see the end and report it
        stream_.socket().shutdown(asio::socket_base::shutdown_both, ignored);
        return;
    }
    stream_begun_ = true;
    respond(bhttp::status::service_unavailable, std::string(reason) + "\n", kPlainText,
            code == CloseCode::kTryAgainLater || code == CloseCode::kGoingAway ? 2 : 0);
}

void HttpServer::State::Session::respond(const ControlsHttp::Answer &answer)
{
    if (!answer.etag.empty())
        fields_.emplace_back("ETag", answer.etag);
    if (!answer.allow.empty())
        fields_.emplace_back("Allow", answer.allow);
    respond(static_cast<bhttp::status>(answer.status), answer.body, answer.type, answer.retry_after);
}

void HttpServer::State::Session::respond(bhttp::status code, std::string body, std::string_view type,
                                         unsigned retry_after)
{
    const auto fill = [&](auto &response) {
        response.set(bhttp::field::server, "picam");
        response.set(bhttp::field::content_type, beast::string_view(type.data(), type.size()));
        response.set(bhttp::field::cache_control, "no-store");
        for (const auto &[name, value] : fields_)
            response.set(beast::string_view(name.data(), name.size()), value);
        if (code == bhttp::status::method_not_allowed && response.count(bhttp::field::allow) == 0)
            response.set(bhttp::field::allow, "GET, HEAD");
        if (retry_after > 0)
            response.set(bhttp::field::retry_after, std::to_string(retry_after));
        response.keep_alive(keep_alive_);
    };
    if (head_request_) {
        auto response = std::make_shared<bhttp::response<bhttp::empty_body>>(code, 11);
        fill(*response);
        if (!body.empty())
            response->content_length(body.size());
        return write(std::move(response));
    }
    auto response = std::make_shared<bhttp::response<bhttp::string_body>>(code, 11);
    fill(*response);
    response->body() = std::move(body);
    response->prepare_payload();
    write(std::move(response));
}

template <class Body>
void HttpServer::State::Session::write(std::shared_ptr<bhttp::response<Body>> response)
{
    stream_.expires_after(kWriteTimeout);
    auto &message = *response;
    bhttp::async_write(stream_, message, [self = shared_from_this(), response](const error_code &error, std::size_t) {
        if (self->ended_)
            return;
        if (error || !self->keep_alive_)
            return self->end();
        self->readRequest(kIdleTimeout);
    });
}

Expected<void> HttpServer::State::listen(asio::io_context &context, int fd)
{
    // The listener is this object's, and calls nobody after its end.
    auto listener = Listener::create(context, fd, "an HTTP client", [this](Listener::Socket socket) {
        const auto session = std::make_shared<Session>(std::move(socket), *this);
        sessions_.insert(session);
        session->readRequest(kRequestTimeout);
    });
    if (!listener)
        return tl::unexpected<Error>(listener.error());
    listener_ = std::move(*listener);
    return {};
}

void HttpServer::State::endAll()
{
    for (const auto &session : std::exchange(sessions_, {}))
        session->end();
}

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer()
{
    state_->stopAccepting();
    state_->endAll();
}

Expected<std::unique_ptr<HttpServer>> HttpServer::create(asio::io_context &context, int listen_fd, ViewerHost &host,
                                                         const Status &status, Access &access, ControlsHttp &controls,
                                                         std::vector<std::string> origins)
{
    auto state = std::make_shared<State>(host, status, access, controls, std::move(origins));
    if (const auto listening = state->listen(context, listen_fd); !listening)
        return fail(listening.error().kind, "cannot serve HTTP: " + listening.error().message);
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::stopAccepting()
{
    state_->stopAccepting();
}

std::size_t HttpServer::connectionCount() const
{
    return state_->size();
}

} // namespace picam
