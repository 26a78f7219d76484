#include "fcgi/fcgi_server.h"

#include "core/base/log.h"
#include "fcgi/request_records.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t kMaxContent = 65528; // the largest multiple of 8 that a record's length can say
constexpr std::size_t kRecordsPerWrite = 64;

// nginx sends a request at once and takes an answer at once. A peer that stalls or drips gives its thread back: the
// times are for the whole of each.
constexpr auto kRequestTime = 5s;
constexpr auto kAnswerTime = 15s;

constexpr auto kAcceptRetryTime = 250ms; // after a failed accept

using RecordHeader = std::array<unsigned char, FCGI_HEADER_LEN>;

// FastCGI specification, section 3.3: big-endian fields, the content padded to 8 bytes.
RecordHeader recordHeader(unsigned char type, int request, std::size_t content)
{
    return {FCGI_VERSION_1,
            type,
            static_cast<unsigned char>(request >> 8),
            static_cast<unsigned char>(request),
            static_cast<unsigned char>(content >> 8),
            static_cast<unsigned char>(content),
            static_cast<unsigned char>((8 - content % 8) % 8),
            0};
}

bool sendAll(int fd, std::vector<iovec> &pieces, MonotonicTime deadline)
{
    std::size_t first = 0;
    while (first < pieces.size()) {
        msghdr message{};
        message.msg_iov = &pieces[first];
        message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(pieces.size() - first);
        const auto time = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
        if (time <= 0)
            return false;
        const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            pollfd waited{fd, POLLOUT, 0};
            ::poll(&waited, 1, static_cast<int>(time));
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false; // the viewer has left
        auto left = static_cast<std::size_t>(sent);
        while (first < pieces.size() && left >= pieces[first].iov_len)
            left -= pieces[first++].iov_len;
        if (first < pieces.size()) {
            pieces[first].iov_base = static_cast<char *>(pieces[first].iov_base) + left;
            pieces[first].iov_len -= left;
        }
    }
    return true;
}

// iovec has no const; sendmsg does not write through it.
iovec piece(const void *data, std::size_t bytes)
{
    return {const_cast<void *>(data), bytes};
}

void sendResponse(int fd, int request, const StillResponse &response)
{
    const auto deadline = steady_clock::now() + kAnswerTime;
    static constexpr std::array<unsigned char, 8> kPadding{};
    struct Run {
        const unsigned char *data;
        std::size_t bytes;
    };
    const auto *text = reinterpret_cast<const unsigned char *>(response.text.data());
    std::array<Run, 4> runs{{{reinterpret_cast<const unsigned char *>(response.head.data()), response.head.size()},
                             {text, response.text.size()}}};
    if (response.picture) {
        const auto &jpeg = response.picture->bytes;
        const std::size_t before = response.exif ? response.exif->offset : 0;
        runs[1] = {jpeg.data(), before};
        if (response.exif)
            runs[2] = {response.exif->segment.data(), response.exif->segment.size()};
        runs[3] = {jpeg.data() + before, jpeg.size() - before};
    }

    std::vector<RecordHeader> headers(kRecordsPerWrite + 2);
    std::vector<iovec> pieces;
    std::size_t left = 0;
    for (const Run &run : runs)
        left += run.bytes;
    std::size_t records = 0;
    while (true) {
        const bool last = left == 0;
        if (last || records == kRecordsPerWrite) {
            if (last) {
                // An empty record ends the output, END_REQUEST with status 0 the request.
                headers[records] = recordHeader(FCGI_STDOUT, request, 0);
                headers[records + 1] = recordHeader(FCGI_END_REQUEST, request, 8);
                pieces.push_back(piece(&headers[records], sizeof(RecordHeader)));
                pieces.push_back(piece(&headers[records + 1], sizeof(RecordHeader)));
                pieces.push_back(piece(kPadding.data(), 8));
            }
            if (!sendAll(fd, pieces, deadline) || last)
                return;
            pieces.clear();
            records = 0;
        }
        std::size_t content = std::min(left, kMaxContent);
        left -= content;
        headers[records] = recordHeader(FCGI_STDOUT, request, content);
        pieces.push_back(piece(&headers[records], sizeof(RecordHeader)));
        const std::size_t padding = headers[records][6];
        for (Run &run : runs) {
            const std::size_t take = std::min(content, run.bytes);
            if (take == 0)
                continue;
            pieces.push_back(piece(run.data, take));
            run.data += take;
            run.bytes -= take;
            content -= take;
        }
        if (padding > 0)
            pieces.push_back(piece(kPadding.data(), padding));
        ++records;
    }
}

// A file that libfcgi can read a checked request from, or none.
FileDescriptor memoryFile(const RequestRecords &records)
{
    FileDescriptor fd(::memfd_create("picam-request", MFD_CLOEXEC));
    if (!fd)
        return fd;
    const ssize_t wrote = ::pwrite(fd.get(), records.data(), records.size(), 0);
    if (wrote < 0 || static_cast<std::size_t>(wrote) != records.size())
        fd.reset();
    return fd;
}

std::string_view param(const FCGX_Request &request, const char *name)
{
    const char *value = FCGX_GetParam(name, request.envp);
    return value != nullptr ? std::string_view(value) : std::string_view();
}

} // namespace

bool FcgiServer::inheritedSocket()
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    return ::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

Expected<std::unique_ptr<FcgiServer>> FcgiServer::create(int listen_fd, std::uint32_t threads, Handler handler)
{
    if (FCGX_Init() != 0)
        return fail(ErrorKind::kIo, "libfcgi does not start");
    const int flags = ::fcntl(listen_fd, F_GETFL);
    if (flags < 0 || ::fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return failErrno(ErrorKind::kIo, "cannot prepare the FastCGI socket", errno);
    FileDescriptor stop_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_fd)
        return failErrno(ErrorKind::kIo, "cannot make an eventfd", errno);
    std::unique_ptr<FcgiServer> server(new FcgiServer(listen_fd, std::move(stop_fd), std::move(handler)));
    for (std::uint32_t i = 0; i < threads; ++i)
        server->threads_.emplace_back([raw = server.get()] {
            try {
                raw->serve();
            } catch (const std::exception &error) {
                log::error("a FastCGI thread failed: {}", error.what());
                std::_Exit(EXIT_FAILURE);
            }
        });
    return server;
}

FcgiServer::FcgiServer(int listen_fd, FileDescriptor stop_fd, Handler handler)
    : listen_fd_(listen_fd), stop_fd_(std::move(stop_fd)), handler_(std::move(handler))
{
}

FcgiServer::~FcgiServer()
{
    const std::uint64_t one = 1;
    static_cast<void>(!::write(stop_fd_.get(), &one, sizeof(one)));
    for (std::thread &thread : threads_)
        thread.join();
}

// libfcgi could accept by itself, but its threads leave accept() only by signals, and it knows no time limits.
void FcgiServer::serve()
{
    const FileDescriptor poll_fd(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event listening{};
    listening.events = EPOLLIN | EPOLLEXCLUSIVE; // one thread wakes for one connection
    listening.data.fd = listen_fd_;
    epoll_event stopping{};
    stopping.events = EPOLLIN;
    stopping.data.fd = stop_fd_.get();
    if (!poll_fd || ::epoll_ctl(poll_fd.get(), EPOLL_CTL_ADD, listen_fd_, &listening) != 0 ||
        ::epoll_ctl(poll_fd.get(), EPOLL_CTL_ADD, stop_fd_.get(), &stopping) != 0) {
        log::error("cannot wait for connections: error {}", errno);
        std::_Exit(EXIT_FAILURE);
    }
    // One connection for each wait: a stop is seen between two of them, however many are queued.
    while (true) {
        std::array<epoll_event, 2> events{};
        const int count = ::epoll_wait(poll_fd.get(), events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i)
            if (events.at(static_cast<std::size_t>(i)).data.fd == stop_fd_.get())
                return;
        if (count <= 0)
            continue; // a signal
        const FileDescriptor connection(::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC));
        if (connection) {
            accept_fails_ = false;
            serveConnection(connection.get()); // END_REQUEST is out: no need to wait until nginx has hung up
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            waitAfterFailedAccept(errno);
        }
    }
}

// No descriptor or no memory is left (EMFILE, ENFILE, ENOBUFS, ENOMEM): the connection stays queued, so that epoll
// would report it again at once.
void FcgiServer::waitAfterFailedAccept(int error)
{
    if (!accept_fails_.exchange(true))
        log::warning("cannot accept connections for now: {}", std::generic_category().message(error));
    pollfd stop{stop_fd_.get(), POLLIN, 0};
    ::poll(&stop, 1, static_cast<int>(std::chrono::milliseconds(kAcceptRetryTime).count()));
}

void FcgiServer::serveConnection(int fd)
{
    const auto records = receiveRequest(fd, steady_clock::now() + kRequestTime);
    if (!records) {
        log::debug("a FastCGI peer is turned away: {}", records.error().message);
        return;
    }
    FileDescriptor file = memoryFile(*records);
    if (!file)
        return log::error("no memory for a FastCGI request");
    FCGX_Request request{};
    // Given a connection that looks kept, FCGX_Accept_r reads its next request; without a socket to accept from, it
    // returns when that fails.
    FCGX_InitRequest(&request, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    request.ipcFd = file.release(); // libfcgi closes it
    request.keepConnection = 1;
    if (FCGX_Accept_r(&request) < 0)
        return; // libfcgi has closed its file
    StillRequest still;
    still.method = param(request, "REQUEST_METHOD");
    still.if_none_match = param(request, "HTTP_IF_NONE_MATCH");
    still.origin = param(request, "HTTP_ORIGIN");
    sendResponse(fd, request.requestId, handler_(still));
    request.detached = 1; // the answer is out: nothing left to write
    FCGX_Free(&request, 1);
}

} // namespace picam
