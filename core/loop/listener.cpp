#include "core/loop/listener.h"

#include "core/base/log.h"

#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace picam {

namespace asio = boost::asio;
using boost::system::error_code;

class Listener::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context &context, std::string peer, Handler handler)
        : peer_(std::move(peer)), handler_(std::move(handler)), acceptor_(context), retry_(context)
    {
    }

    error_code listen(int fd)
    {
        error_code error;
        acceptor_.assign(asio::local::stream_protocol(), fd, error);
        if (!error)
            acceptNext();
        return error;
    }

    void stop()
    {
        error_code ignored;
        acceptor_.close(ignored);
        retry_.cancel();
    }

private:
    void acceptNext()
    {
        acceptor_.async_accept([weak = weak_from_this()](const error_code &error, Socket socket) {
            if (const auto self = weak.lock())
                self->accepted(error, std::move(socket));
        });
    }

    void accepted(const error_code &error, Socket socket)
    {
        if (!acceptor_.is_open())
            return;
        if (error)
            return retry(error);
        error_code ignored; // a smaller buffer is better, not needed
        socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), ignored);
        handler_(std::move(socket));
        if (acceptor_.is_open())
            acceptNext();
    }

    void retry(const error_code &error)
    {
        log::warning("cannot accept {}: {}", peer_, error.message());
        retry_.expires_after(kRetryDelay);
        retry_.async_wait([weak = weak_from_this()](const error_code &cancelled) {
            const auto self = weak.lock();
            if (self && !cancelled && self->acceptor_.is_open())
                self->acceptNext();
        });
    }

    const std::string peer_;
    const Handler handler_;
    asio::local::stream_protocol::acceptor acceptor_;
    asio::steady_timer retry_;
};

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}

Listener::~Listener()
{
    stop();
}

Expected<std::unique_ptr<Listener>> Listener::create(asio::io_context &context, int listen_fd, std::string peer,
                                                     Handler handler)
{
    auto state = std::make_shared<State>(context, std::move(peer), std::move(handler));
    if (const auto error = state->listen(listen_fd))
        return fail(ErrorKind::kIo, "cannot use a listening socket: " + error.message());
    return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

void Listener::stop()
{
    state_->stop();
}

} // namespace picam
