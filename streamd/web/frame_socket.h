// FrameSocket is the socket of one WebSocket connection. The WebSocket library reads and writes through it; frames go
// past the library straight to the kernel, between its messages and never within one. Loop thread only. Internal to
// websocket_server.cpp; plain C++17 (see websocket_server.h).
#pragma once

#include "core/loop/listener.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <functional>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace picam::websocket {

namespace asio = boost::asio;
using boost::system::error_code;

class FrameSocket {
public:
    using executor_type = Listener::Socket::executor_type;
    using Buffers = std::array<asio::const_buffer, 2>;

    explicit FrameSocket(asio::io_context &context) : socket_(context) {}
    FrameSocket(const FrameSocket &) = delete;
    FrameSocket &operator=(const FrameSocket &) = delete;

    void assign(Listener::Socket socket) { socket_ = std::move(socket); }
    executor_type get_executor() { return socket_.get_executor(); }
    error_code cancel()
    {
        error_code error;
        socket_.cancel(error);
        return error;
    }
    error_code shutdown()
    {
        error_code error;
        socket_.shutdown(asio::socket_base::shutdown_both, error);
        return error;
    }

    // Writes a whole frame. True: the kernel has it. False: it waits for room, or for the library's own writing;
    // `written` is called from the loop when the kernel has it, or never will: then the connection is shut down, too.
    // REQUIRES: no other frame is being written. `frame` points to memory that `written` keeps alive.
    template <class Written>
    bool sendFrame(const Buffers &frame, Written written)
    {
        if (writing_) {
            waiting_frame_ = [this, frame, written = std::move(written)]() mutable {
                writeFrame(frame, std::move(written));
            };
            return false;
        }
        const std::size_t sent = sendNow(frame);
        if (sent == asio::buffer_size(frame))
            return true;
        Buffers rest{frame[0] + sent, frame[1] + (sent - std::min(sent, frame[0].size()))};
        writeFrame(rest, std::move(written));
        return false;
    }

    // Drops a frame that waits for the library's own writing: nothing follows a close.
    void dropWaitingFrame() { waiting_frame_ = nullptr; }

    // Drops what waits to be written, and who would be called for it. To be called when the connection has ended.
    void dropWaiting()
    {
        waiting_frame_ = nullptr;
        waiting_write_ = nullptr;
    }

    // The library's side: Asio's AsyncWriteStream (but always writes all) and AsyncReadStream.
    template <class ConstBuffers, class Handler>
    void async_write_some(const ConstBuffers &buffers, Handler &&handler)
    {
        if (writing_) {
            // It keeps its messages in order by itself: one at a time.
            waiting_write_ = [this, buffers, handler = std::forward<Handler>(handler)]() mutable {
                write(buffers, std::move(handler));
            };
            return;
        }
        write(buffers, std::forward<Handler>(handler));
    }

    template <class MutableBuffers, class Handler>
    void async_read_some(const MutableBuffers &buffers, Handler &&handler)
    {
        socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }

private:
    // How much the kernel takes at once. An error shows in the write that follows.
    std::size_t sendNow(const Buffers &frame)
    {
        std::array<iovec, 2> parts{};
        for (std::size_t i = 0; i < parts.size(); ++i)
            parts[i] = {const_cast<void *>(frame[i].data()), frame[i].size()};
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }

    template <class Written>
    void writeFrame(const Buffers &frame, Written written)
    {
        writing_ = true;
        asio::async_write(socket_, frame,
                          [this, written = std::move(written)](const error_code &error, std::size_t) mutable {
                              writing_ = false;
                              if (error)
                                  shutdown(); // ends the library's reading, and with it the connection
                              writeWaiting();
                              written();
                          });
    }

    template <class ConstBuffers, class Handler>
    void write(const ConstBuffers &buffers, Handler &&handler)
    {
        writing_ = true;
        asio::async_write(
            socket_, buffers,
            [this, handler = std::forward<Handler>(handler)](const error_code &error, std::size_t bytes) mutable {
                writing_ = false;
                handler(error, bytes); // its next message first, so that what it was given first leaves first
                writeWaiting();
            });
    }

    void writeWaiting()
    {
        for (auto *waiting : {&waiting_write_, &waiting_frame_})
            if (!writing_ && *waiting)
                std::exchange(*waiting, nullptr)();
    }

    Listener::Socket socket_;
    bool writing_ = false;
    std::function<void()> waiting_frame_; // while the library writes
    std::function<void()> waiting_write_; // while a frame is written
};

} // namespace picam::websocket
