#include "relay/still_client.h"

#include "relay/local_connect.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <ctime>
#include <fmt/format.h>
#include <utility>

namespace picam {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// FastCGI 1.0, section 8.
enum class Record : std::uint8_t { kBeginRequest = 1, kEndRequest = 3, kParams = 4, kStdin = 5, kStdout = 6 };
constexpr std::size_t kRecordHead = 8;
constexpr char kResponder = 1;

std::string record(Record type, std::string_view content)
{
    std::string bytes(kRecordHead, '\0');
    bytes[0] = 1; // the version
    bytes[1] = static_cast<char>(type);
    bytes[3] = 1; // the request
    bytes[4] = static_cast<char>(content.size() >> 8U);
    bytes[5] = static_cast<char>(content.size() & 0xffU);
    return bytes.append(content);
}

std::string pair(std::string_view name, std::string_view value)
{
    return fmt::format("{}{}{}{}", static_cast<char>(name.size()), static_cast<char>(value.size()), name, value);
}

// The value of a header of the response; empty: not there.
std::string_view headerOf(std::string_view head, std::string_view name)
{
    const auto at = head.find(fmt::format("\r\n{}: ", name));
    if (at == std::string_view::npos)
        return {};
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
}

// "2026-11-26T12:00:00.123Z"; 0: nothing like it.
std::chrono::microseconds timeOf(const std::string &text)
{
    std::tm utc{};
    const char *rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest == nullptr)
        return {};
    const std::chrono::seconds seconds(::timegm(&utc));
    std::chrono::milliseconds milliseconds{0};
    if (*rest == '.' && std::string_view(rest).size() >= 4)
        for (int i = 1; i <= 3; ++i)
            milliseconds = 10 * milliseconds + std::chrono::milliseconds(rest[i] - '0');
    return seconds + milliseconds;
}

} // namespace

std::string fcgiStillRequest()
{
    const std::string begin{'\0', kResponder, '\0', '\0', '\0', '\0', '\0', '\0'};
    return record(Record::kBeginRequest, begin) + record(Record::kParams, pair("REQUEST_METHOD", "GET")) +
           record(Record::kParams, {}) + record(Record::kStdin, {});
}

Expected<bool> FcgiResponse::add(const std::uint8_t *data, std::size_t bytes)
{
    pending_.insert(pending_.end(), data, data + bytes);
    std::size_t at = 0;
    while (pending_.size() - at >= kRecordHead) {
        const std::uint8_t *head = pending_.data() + at;
        if (head[0] != 1)
            return fail(ErrorKind::kCorrupt, "picam-snapshot's socket does not speak FastCGI");
        const std::size_t content = std::size_t{head[4]} << 8U | head[5];
        if (pending_.size() - at < kRecordHead + content + head[6])
            break;
        if (static_cast<Record>(head[1]) == Record::kEndRequest)
            return true;
        if (static_cast<Record>(head[1]) == Record::kStdout)
            out_.insert(out_.end(), head + kRecordHead, head + kRecordHead + content);
        if (out_.size() > kMaxBytes)
            return fail(ErrorKind::kCorrupt, "a still of more than 32 MB");
        at += kRecordHead + content + head[6];
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
    return false;
}

Expected<StillPicture> FcgiResponse::picture() const
{
    constexpr std::string_view kEnd = "\r\n\r\n";
    const auto body = std::search(out_.begin(), out_.end(), kEnd.begin(), kEnd.end());
    if (body == out_.end())
        return fail(ErrorKind::kCorrupt, "picam-snapshot gives no answer");
    const std::string head(out_.begin(), body + 2);
    const auto begin = body + static_cast<std::ptrdiff_t>(kEnd.size());
    if (head.rfind("Status: 200", 0) != 0) {
        std::string sentence(begin, out_.end());
        while (!sentence.empty() && (sentence.back() == '\n' || sentence.back() == '.'))
            sentence.pop_back();
        return fail(ErrorKind::kNoCamera, sentence.empty() ? "picam-snapshot gives no picture" : std::move(sentence));
    }
    return StillPicture{{begin, out_.end()}, timeOf(std::string(headerOf(head, "X-Picam-Captured")))};
}

class StillClient::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context &context, Done done) : socket_(context), timer_(context), done_(std::move(done)) {}

    void ask(const std::string &path)
    {
        if (connectLocal(socket_, path))
            return asio::post(socket_.get_executor(), [self = shared_from_this()] {
                self->end(fail(ErrorKind::kCameraFailed, "picam-snapshot does not run"));
            });
        timer_.expires_after(kTimeout);
        timer_.async_wait([weak = weak_from_this()](const error_code &cancelled) {
            if (const auto self = weak.lock(); self && !cancelled)
                self->end(fail(ErrorKind::kTimeout, "picam-snapshot does not answer"));
        });
        asio::async_write(socket_, asio::buffer(request_),
                          [self = shared_from_this()](const error_code &failed, std::size_t) {
                              if (failed)
                                  return self->end(fail(ErrorKind::kIo, "picam-snapshot has gone"));
                              self->read();
                          });
    }

    void close()
    {
        done_ = nullptr;
        error_code ignored;
        socket_.close(ignored);
        timer_.cancel();
    }

private:
    void read()
    {
        socket_.async_read_some(asio::buffer(piece_),
                                [self = shared_from_this()](const error_code &error, std::size_t bytes) {
                                    if (error)
                                        return self->end(fail(ErrorKind::kIo, "picam-snapshot has gone"));
                                    const auto whole = self->response_.add(self->piece_.data(), bytes);
                                    if (!whole)
                                        return self->end(tl::unexpected<Error>(whole.error()));
                                    if (*whole)
                                        return self->end(self->response_.picture());
                                    self->read();
                                });
    }

    void end(Expected<StillPicture> result)
    {
        const auto done = std::exchange(done_, nullptr);
        close();
        if (done)
            done(std::move(result));
    }

    static constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;

    asio::local::stream_protocol::socket socket_;
    asio::steady_timer timer_;
    Done done_; // empty: ended
    const std::string request_ = fcgiStillRequest();
    FcgiResponse response_;
    std::array<std::uint8_t, kPieceBytes> piece_{};
};

StillClient::StillClient(asio::io_context &context, const std::string &path, Done done)
    : state_(std::make_shared<State>(context, std::move(done)))
{
    state_->ask(path);
}

StillClient::~StillClient()
{
    state_->close();
}

} // namespace picam
