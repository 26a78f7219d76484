// Connects to a unix socket of this machine without waiting: a program that hangs, and whose queue is full, does not
// hold up the loop.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <string>
#include <sys/socket.h>

namespace picam {

// `socket` is closed before. What goes wrong is told at once; would_block: the program takes no more connections.
inline boost::system::error_code connectLocal(boost::asio::local::stream_protocol::socket &socket,
                                              const std::string &path)
{
    boost::system::error_code error;
    const boost::asio::local::stream_protocol::endpoint endpoint(path);
    if (socket.open(endpoint.protocol(), error) || socket.non_blocking(true, error))
        return error;
    if (::connect(socket.native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
        error.assign(errno, boost::system::system_category());
    return error;
}

} // namespace picam
