// Many viewers in one process, and the least that any server can do for them.
//   fanout_bench watch unix:PATH|tcp:PORT TARGET v1|v1-batch|v2|plain VIEWERS SECONDS   viewers of a WebSocket
//   fanout_bench bare BYTES FPS VIEWERS SECONDS     a loop of bare send() calls to as many such readers
// Prints one line of JSON. Viewers read as fast as they can; those of picam.v1 acknowledge each frame when its last
// byte has come, or each third as the page does on a quick link, and say how old it was then; so do those of picam.v2,
// who take H.264 and nothing else. `bare` gives the sender's processor time.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSendBufferBytes = 64 * 1024; // as streamd has it

[[noreturn]] void die(const std::string &what)
{
    std::fprintf(stderr, "fanout_bench: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

std::uint64_t bigEndian(const unsigned char *bytes, std::size_t count)
{
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = value << 8 | bytes[i];
    return value;
}

struct Totals {
    std::uint64_t bytes = 0;
    std::uint64_t frames = 0;
    std::vector<double> ages_ms;
};

// A client's side of one WebSocket: finds where messages end, keeps the first bytes of each.
class Viewer {
public:
    // `ack_batch`: acknowledges every so many frames; 0: a viewer of neither protocol.
    Viewer(int fd, unsigned ack_batch, bool v2 = false) : fd_(fd), ack_batch_(ack_batch), v2_(v2) {}
    [[nodiscard]] int fd() const { return fd_; }

    // Reads all there is; false when the server has hung up.
    bool read(std::vector<unsigned char> &buffer, Totals &totals)
    {
        while (true) {
            const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got < 0)
                return errno == EAGAIN || errno == EINTR;
            if (got == 0)
                return false;
            totals.bytes += static_cast<std::uint64_t>(got);
            take(buffer.data(), static_cast<std::size_t>(got), totals);
        }
    }

    // An acknowledgement is put off for so long and no longer.
    void acknowledgeLate()
    {
        if (owed_ > 0 && Clock::now() - owed_since_ > std::chrono::milliseconds(100))
            acknowledge(1);
    }

    void takeH264() { send('\x81', R"({"type":"take","codecs":["h264"]})"); }

private:
    void take(const unsigned char *data, std::size_t bytes, Totals &totals)
    {
        std::size_t at = 0;
        while (at < bytes) {
            if (head_bytes_ < needed_) {
                head_[head_bytes_++] = data[at++];
                if (head_bytes_ == 2) {
                    const unsigned length = head_[1] & 0x7fU;
                    extended_ = length == 127 ? 8 : length == 126 ? 2 : 0;
                    needed_ = 2 + extended_;
                    left_ = length;
                }
                if (head_bytes_ == needed_ && head_bytes_ >= 2 && extended_ > 0)
                    left_ = bigEndian(&head_[2], extended_);
                if (head_bytes_ < needed_)
                    continue;
                kept_ = 0;
            }
            const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes - at));
            for (std::size_t i = 0; i < part && kept_ < start_.size(); ++i)
                start_[kept_++] = data[at + i];
            at += part;
            left_ -= part;
            if (left_ == 0)
                message(totals);
        }
    }

    void message(Totals &totals)
    {
        const unsigned opcode = head_[0] & 0x0fU;
        head_bytes_ = 0;
        needed_ = 2;
        extended_ = 0;
        if (ack_batch_ > 0 && opcode != 2)
            return;
        ++totals.frames;
        if (ack_batch_ == 0)
            return;
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto captured = std::chrono::microseconds(bigEndian(&start_[v2_ ? 16 : 8], 8));
        totals.ages_ms.push_back(std::chrono::duration<double, std::milli>(now - captured).count());
        if (v2_) {
            // Codec and rung, and the sequence.
            std::string ack(start_.begin() + 1, start_.begin() + 3);
            ack.append(start_.begin() + 8, start_.begin() + 16);
            send('\x82', ack);
            return;
        }
        last_ = bigEndian(start_.data(), 8);
        if (++owed_ == 1)
            owed_since_ = Clock::now();
        if (owed_ >= agreed_)
            acknowledge(ack_batch_);
    }

    void acknowledge(unsigned batch)
    {
        agreed_ = batch;
        owed_ = 0;
        std::string ack = "{\"type\":\"ack\",\"sequence\":" + std::to_string(last_);
        if (batch > 1)
            ack += ",\"batch\":" + std::to_string(batch);
        ack += "}";
        send('\x81', ack);
    }

    // A message of up to 125 bytes.
    void send(char opcode, std::string message)
    {
        // A mask of zeros leaves it as it is.
        message.insert(0, {opcode, static_cast<char>(0x80 | message.size()), '\0', '\0', '\0', '\0'});
        if (::send(fd_, message.data(), message.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            die("send");
    }

    int fd_;
    unsigned ack_batch_;
    bool v2_;
    std::uint64_t last_ = 0; // the newest frame
    unsigned agreed_ = 1;    // what the last acknowledgement said
    unsigned owed_ = 0;      // frames that are not acknowledged, since when
    Clock::time_point owed_since_{};
    std::array<unsigned char, 10> head_{};
    std::size_t head_bytes_ = 0;
    std::size_t needed_ = 2;
    std::size_t extended_ = 0;
    std::uint64_t left_ = 0;
    std::array<unsigned char, 24> start_{};
    std::size_t kept_ = 0;
};

void readAll(std::vector<Viewer> &viewers, Clock::time_point ends, Totals &totals)
{
    const int poll_fd = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < viewers.size(); ++i) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        if (::epoll_ctl(poll_fd, EPOLL_CTL_ADD, viewers[i].fd(), &event) != 0)
            die("epoll");
    }
    std::vector<unsigned char> buffer(256 * 1024);
    std::array<epoll_event, 256> events{};
    auto look_again = Clock::now();
    while (Clock::now() < ends) {
        const int count = ::epoll_wait(poll_fd, events.data(), static_cast<int>(events.size()), 50);
        if (Clock::now() >= look_again) {
            look_again = Clock::now() + std::chrono::milliseconds(50);
            for (Viewer &viewer : viewers)
                viewer.acknowledgeLate();
        }
        for (int i = 0; i < count; ++i)
            if (!viewers[events[static_cast<std::size_t>(i)].data.u64].read(buffer, totals))
                die("a viewer was hung up on");
    }
    ::close(poll_fd);
}

int connectTo(const std::string &where)
{
    int fd = -1;
    int result = -1;
    if (where.rfind("unix:", 0) == 0) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, where.c_str() + 5, sizeof(address.sun_path) - 1);
        fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        result = ::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(where.c_str() + 4)));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int one = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        result = ::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
    }
    if (result != 0)
        die("connect to " + where);
    return fd;
}

int watch(const std::string &where, const std::string &target, const std::string &form, int count, double seconds)
{
    const bool v2 = form == "v2";
    const unsigned ack_batch = form == "v1" || v2 ? 1 : form == "v1-batch" ? 3 : 0;
    std::vector<Viewer> viewers;
    for (int i = 0; i < count; ++i) {
        const int fd = connectTo(where);
        const std::string request =
            "GET " + target +
            " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
            (ack_batch > 0 ? std::string("Sec-WebSocket-Protocol: picam.") + (v2 ? "v2" : "v1") + "\r\n" : "") + "\r\n";
        if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0)
            die("handshake");
        std::string answer; // byte by byte: what follows is the viewer's
        char byte = 0;
        while (answer.find("\r\n\r\n") == std::string::npos) {
            if (::recv(fd, &byte, 1, 0) != 1)
                die("no handshake");
            answer += byte;
        }
        if (answer.rfind("HTTP/1.1 101", 0) != 0) {
            std::fprintf(stderr, "fanout_bench: %s\n", answer.c_str());
            return 1;
        }
        viewers.emplace_back(fd, ack_batch, v2);
        if (v2)
            viewers.back().takeH264();
    }
    Totals warm;
    readAll(viewers, Clock::now() + std::chrono::seconds(1), warm);
    std::printf("{\"ready\":true}\n"); // who measures the server begins now
    std::fflush(stdout);
    Totals totals;
    readAll(viewers, Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)),
            totals);
    std::sort(totals.ages_ms.begin(), totals.ages_ms.end());
    const auto quantile = [&totals](double q) {
        return totals.ages_ms.empty()
                   ? 0.0
                   : totals.ages_ms[static_cast<std::size_t>(q * static_cast<double>(totals.ages_ms.size() - 1))];
    };
    std::printf("{\"bytes\":%llu,\"frames\":%llu,\"fps\":%.2f,\"age_p50_ms\":%.2f,\"age_p99_ms\":%.2f}\n",
                static_cast<unsigned long long>(totals.bytes), static_cast<unsigned long long>(totals.frames),
                static_cast<double>(totals.frames) / count / seconds, quantile(0.5), quantile(0.99));
    return 0;
}

int bare(std::size_t bytes, double fps, int count, double seconds)
{
    std::vector<int> ends;
    std::vector<Viewer> viewers;
    for (int i = 0; i < count; ++i) {
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
            die("socketpair");
        ::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes));
        ends.push_back(pair[0]);
        viewers.emplace_back(pair[1], 0);
    }
    const auto whole = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    const pid_t reader = ::fork();
    if (reader == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        Totals totals;
        readAll(viewers, Clock::now() + whole + std::chrono::seconds(5), totals);
        std::exit(0);
    }
    const std::vector<unsigned char> frame(bytes, 0);
    const auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1.0 / fps));
    const auto begun = Clock::now();
    auto due = begun;
    std::uint64_t sent = 0;
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    while (Clock::now() - begun < whole) {
        const auto wait = std::chrono::duration_cast<std::chrono::nanoseconds>(due - Clock::now()).count();
        if (wait > 0) {
            const timespec pause{0, static_cast<long>(wait)};
            ::nanosleep(&pause, nullptr);
        }
        due += interval;
        for (const int fd : ends) {
            std::size_t at = 0;
            while (at < bytes) {
                const ssize_t part = ::send(fd, frame.data() + at, bytes - at, MSG_NOSIGNAL);
                if (part < 0)
                    die("send");
                at += static_cast<std::size_t>(part);
            }
            sent += bytes;
        }
    }
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
    const auto cpu = [](const rusage &usage) {
        return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    };
    std::printf("{\"bytes\":%llu,\"cpu_seconds\":%.6f}\n", static_cast<unsigned long long>(sent),
                cpu(after) - cpu(before));
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 6 && words[0] == "watch")
        return watch(words[1], words[2], words[3], std::stoi(words[4]), std::stod(words[5]));
    if (words.size() == 5 && words[0] == "bare")
        return bare(std::stoul(words[1]), std::stod(words[2]), std::stoi(words[3]), std::stod(words[4]));
    std::fprintf(stderr, "fanout_bench watch unix:PATH|tcp:PORT TARGET v1|v1-batch|v2|plain VIEWERS SECONDS\n"
                         "fanout_bench bare BYTES FPS VIEWERS SECONDS\n");
    return 1;
}
