// FcgiServer passes FastCGI requests to a handler and sends its answers. A few threads accept; each request is handled
// by the thread that accepted it. libfcgi parses a request once request_records.h has received it whole; the answer is
// sent as FastCGI records in one gathered write, past libfcgi's 8 KB buffer.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"
#include "fcgi/still_response.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace picam {

class FcgiServer {
public:
    // Called in the server's threads, by several at once.
    using Handler = std::function<StillResponse(const StillRequest &)>;

    // Whether descriptor 0 is a listening socket: systemd and spawn-fcgi hand it over there.
    [[nodiscard]] static bool inheritedSocket();

    // Serves the listening socket, which stays the caller's. Errors: kIo.
    [[nodiscard]] static Expected<std::unique_ptr<FcgiServer>> create(int listen_fd, std::uint32_t threads,
                                                                      Handler handler);
    FcgiServer(const FcgiServer &) = delete;
    FcgiServer &operator=(const FcgiServer &) = delete;
    ~FcgiServer(); // accepts no more, whatever is queued; finishes what it has accepted

private:
    FcgiServer(int listen_fd, FileDescriptor stop_fd, Handler handler);
    void serve();
    void waitAfterFailedAccept(int error);
    void serveConnection(int fd);

    const int listen_fd_;
    const FileDescriptor stop_fd_; // an eventfd: readable means stop
    const Handler handler_;
    std::atomic<bool> accept_fails_{false}; // the last accept() failed, which is logged once
    std::vector<std::thread> threads_;
};

} // namespace picam
