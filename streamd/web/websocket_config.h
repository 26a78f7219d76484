// The configuration of websocketpp: unix sockets, one thread, no log, version 13 only. Internal to
// websocket_server.cpp, the one unit that includes it; plain C++17 (see websocket_server.h).
#pragma once

#include "core/base/log.h"
#include "streamd/viewers/connection.h"
#include "streamd/web/frame_socket.h"

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/core.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/server.hpp>
#include <websocketpp/transport/asio/endpoint.hpp>

namespace picam::websocket {

namespace ws = websocketpp;

// websocketpp's socket policy: a unix socket, which frames use past the library.
class SocketConnection : public std::enable_shared_from_this<SocketConnection> {
public:
    using type = SocketConnection;
    using ptr = std::shared_ptr<type>;
    using io_service_ptr = asio::io_context *;
    using strand_ptr = std::shared_ptr<asio::io_service::strand>;
    using socket_type = FrameSocket;

    ptr get_shared() { return shared_from_this(); }
    static bool is_secure() { return false; }
    socket_type &get_socket() { return *socket_; }
    socket_type &get_next_layer() { return *socket_; }
    socket_type &get_raw_socket() { return *socket_; }
    static std::string get_remote_endpoint(ws::lib::error_code &error)
    {
        error = {};
        return "unix"; // who it is stands in nginx's log
    }

    template <class Code>
    static ws::lib::error_code translate_ec(Code)
    {
        return make_error_code(ws::transport::error::pass_through);
    }
    static ws::lib::error_code translate_ec(ws::lib::error_code error) { return error; }

protected:
    ws::lib::error_code init_asio(io_service_ptr context, const strand_ptr &, bool)
    {
        socket_ = std::make_unique<socket_type>(*context);
        return {};
    }
    void set_handle(const ws::connection_hdl &) {}
    void set_uri(const ws::uri_ptr &) {}
    void pre_init(const ws::transport::asio::socket::init_handler &done) { done({}); }
    void post_init(const ws::transport::asio::socket::init_handler &done) { done({}); }
    error_code cancel_socket() { return socket_->cancel(); }
    void async_shutdown(const ws::transport::asio::socket::shutdown_handler &done) { done(socket_->shutdown()); }
    static ws::lib::error_code get_ec() { return {}; }

private:
    std::unique_ptr<socket_type> socket_;
};

class SocketEndpoint {
public:
    using type = SocketEndpoint;
    using socket_con_type = SocketConnection;
    using socket_con_ptr = socket_con_type::ptr;
    static bool is_secure() { return false; }

protected:
    static ws::lib::error_code init(const socket_con_ptr &) { return {}; }
};

// websocketpp's log is about single connections that end in some way: of interest to nobody but a debugger.
class DebugLog : public ws::log::stub {
public:
    using stub::stub;
    void write(ws::log::level, const std::string &message) const { log::debug("websocket: {}", message); }
    void write(ws::log::level, const char *message) const { log::debug("websocket: {}", message); }
};

// A version other than 13 (the library knows older ones, and takes a missing one for the draft 00) reads as one that
// nobody knows, so that the library refuses it…
struct Request : ws::http::parser::request {
    [[nodiscard]] const std::string &get_header(const std::string &key) const
    {
        static const std::string unknown = "99";
        const std::string &value = request::get_header(key);
        return key == "Sec-WebSocket-Version" && value != "13" ? unknown : value;
    }
};

// … and the refusal names the version that we speak. A refusal ends the connection, and says so.
struct Response : ws::http::parser::response {
    [[nodiscard]] std::string raw() const
    {
        if (get_status_code() == ws::http::status_code::switching_protocols)
            return response::raw();
        Response refusal(*this);
        if (!get_header("Sec-WebSocket-Version").empty() ||
            get_status_code() == ws::http::status_code::upgrade_required) {
            refusal.set_status(ws::http::status_code::upgrade_required);
            refusal.replace_header("Sec-WebSocket-Version", "13");
            refusal.replace_header("Upgrade", "websocket");
            refusal.replace_header("Connection", "Upgrade, close");
        } else {
            refusal.replace_header("Connection", "close");
        }
        if (refusal.get_body().empty())
            refusal.set_body(refusal.get_status_msg() + "\n");
        refusal.replace_header("Content-Type", "text/plain; charset=utf-8");
        return refusal.response::raw();
    }
};

struct Config : ws::config::core {
    using type = Config;
    using concurrency_type = ws::concurrency::none; // one thread
    using request_type = Request;
    using response_type = Response;
    using elog_type = DebugLog;
    using alog_type = ws::log::stub;
    // A viewer says little.
    static const size_t connection_read_buffer_size = 4096;
    static const size_t max_message_size = kMaxMessageBytes;
    static const size_t max_http_body_size = 0;

    struct transport_config : core::transport_config {
        using concurrency_type = type::concurrency_type;
        using request_type = type::request_type;
        using response_type = type::response_type;
        using elog_type = type::elog_type;
        using alog_type = type::alog_type;
        using socket_type = SocketEndpoint;
        static const bool enable_multithreading = false;
        static const long timeout_socket_post_init = 0; // done at once
    };
    using transport_type = ws::transport::asio::endpoint<transport_config>;
};

} // namespace picam::websocket
