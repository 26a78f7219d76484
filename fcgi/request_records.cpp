#include "fcgi/request_records.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fastcgi.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>

namespace picam {
namespace {

// FastCGI specification, section 3.4: one byte below 128, or four with the highest bit set.
std::optional<std::size_t> takeLength(const std::vector<unsigned char> &params, std::size_t &at)
{
    if (at == params.size())
        return std::nullopt;
    if (params[at] < 0x80)
        return params[at++];
    if (params.size() - at < 4)
        return std::nullopt;
    const std::size_t length = (std::size_t{params[at]} & 0x7f) << 24 | std::size_t{params[at + 1]} << 16 |
                               std::size_t{params[at + 2]} << 8 | std::size_t{params[at + 3]};
    at += 4;
    return length;
}

} // namespace

RequestRecords::State RequestRecords::received(std::size_t bytes)
{
    size_ += bytes;
    while (size_ - record_ >= FCGI_HEADER_LEN) {
        const unsigned char *header = &bytes_[record_];
        const int type = header[1];
        const std::size_t content = std::size_t{header[4]} << 8 | header[5];
        const std::size_t whole = FCGI_HEADER_LEN + content + header[6];
        // nginx asks one thing per connection: a request begins, its parameters follow.
        const bool first = record_ == 0;
        const bool same_request = header[2] == bytes_[2] && header[3] == bytes_[3] && (header[2] | header[3]) != 0;
        if (header[0] != FCGI_VERSION_1 || type != (first ? FCGI_BEGIN_REQUEST : FCGI_PARAMS) || !same_request ||
            (first && content != sizeof(FCGI_BeginRequestBody)) || record_ + whole > kMaxBytes)
            return State::kRefused;
        if (size_ - record_ < whole)
            break;
        record_ += whole;
        if (first)
            continue;
        if (content == 0) // ends the parameters; what follows is a body, which nobody reads
            return pairsAreTrue() ? State::kComplete : State::kRefused;
        params_.insert(params_.end(), header + FCGI_HEADER_LEN, header + FCGI_HEADER_LEN + content);
    }
    if (size_ == bytes_.size())
        bytes_.resize(std::min(2 * size_, kMaxBytes)); // a record that ends beyond was refused
    return size_ < bytes_.size() ? State::kIncomplete : State::kRefused;
}

bool RequestRecords::pairsAreTrue() const
{
    std::size_t at = 0;
    while (at < params_.size()) {
        const auto name = takeLength(params_, at);
        const auto value = name ? takeLength(params_, at) : std::nullopt;
        if (!value || *name > params_.size() - at || *value > params_.size() - at - *name)
            return false;
        at += *name + *value;
    }
    return true;
}

Expected<RequestRecords> receiveRequest(int fd, MonotonicTime deadline)
{
    RequestRecords records;
    while (true) {
        const ssize_t got = ::recv(fd, records.room(), records.roomBytes(), MSG_DONTWAIT);
        if (got > 0) {
            switch (records.received(static_cast<std::size_t>(got))) {
            case RequestRecords::State::kComplete:
                return records;
            case RequestRecords::State::kRefused:
                return fail(ErrorKind::kCorrupt, "what came is no FastCGI request for a still");
            case RequestRecords::State::kIncomplete:
                continue;
            }
        }
        if (got == 0)
            return fail(ErrorKind::kIo, "the peer has left");
        if (errno != EAGAIN && errno != EINTR)
            return failErrno(ErrorKind::kIo, "cannot read a FastCGI request", errno);
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd waited{fd, POLLIN, 0};
        if (left <= 0 || ::poll(&waited, 1, static_cast<int>(left)) == 0)
            return fail(ErrorKind::kTimeout, "the request did not come whole in time");
    }
}

} // namespace picam
