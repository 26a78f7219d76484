// HttpServer answers plain HTTP on a listening unix socket: the multipart stream, /status, /metrics, /healthz, /ticket,
// /controls (ControlsHttp), and POST /access?generation=… (Access::change()), which nginx passes nobody to. Loop thread
// only. The only pair that includes Boost.Beast. It reads no request bodies but those of changes of the controls.
#pragma once

#include "core/base/error.h"
#include "streamd/controls/controls_http.h"
#include "streamd/status/status.h"
#include "streamd/viewers/access.h"
#include "streamd/viewers/connection.h"

#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace picam {

class HttpServer {
public:
    // Takes the listening descriptor over, and accepts from now on. Pages of `origins` may read the multipart stream.
    // Context, host, status, access and controls must outlive it; the host is no longer called once the server is gone.
    [[nodiscard]] static Expected<std::unique_ptr<HttpServer>> create(boost::asio::io_context &context, int listen_fd,
                                                                      ViewerHost &host, const Status &status,
                                                                      Access &access, ControlsHttp &controls,
                                                                      std::vector<std::string> origins);
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;
    ~HttpServer();

    void stopAccepting();
    [[nodiscard]] std::size_t connectionCount() const;

private:
    class State;
    explicit HttpServer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace picam
