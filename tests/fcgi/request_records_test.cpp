#include "fcgi/request_records.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using State = RequestRecords::State;

std::string record(int type, const std::string &content, int request = 1, int padding = 0)
{
    const std::string header{'\1',
                             static_cast<char>(type),
                             static_cast<char>(request >> 8),
                             static_cast<char>(request),
                             static_cast<char>(content.size() >> 8),
                             static_cast<char>(content.size()),
                             static_cast<char>(padding),
                             '\0'};
    return header + content + std::string(static_cast<std::size_t>(padding), 'p');
}

std::string begin(int request = 1)
{
    return record(1, std::string("\0\1\0\0\0\0\0\0", 8), request);
}

std::string length(std::uint32_t value)
{
    if (value < 128)
        return {static_cast<char>(value)};
    return {static_cast<char>(value >> 24 | 0x80), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
}

std::string pair(const std::string &name, const std::string &value)
{
    return length(static_cast<std::uint32_t>(name.size())) + length(static_cast<std::uint32_t>(value.size())) + name +
           value;
}

std::string request(const std::string &params)
{
    std::string all = begin();
    for (std::size_t at = 0; at < params.size(); at += 60000)
        all += record(4, params.substr(at, 60000));
    return all + record(4, "");
}

// What comes of the bytes when they arrive in parts of at most `part`.
State feed(const std::string &bytes, std::size_t part = 100000)
{
    RequestRecords records;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t take = std::min({part, bytes.size() - at, records.roomBytes()});
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), take, records.room());
        at += take;
        const State state = records.received(take);
        if (state != State::kIncomplete)
            return state;
        EXPECT_GT(records.roomBytes(), 0U);
    }
    return State::kIncomplete;
}

TEST(RequestRecords, AreWholeHoweverTheyArrive)
{
    const std::string small = request(pair("REQUEST_METHOD", "GET") + pair("EMPTY", ""));
    const std::string large =
        request(pair("QUERY_STRING", std::string(65536, 'q')) + pair("A", std::string(65536, 'a')));
    for (const std::size_t part : {1U, 7U, 8191U, 100000U}) {
        EXPECT_EQ(feed(small, part), State::kComplete) << part;
        EXPECT_EQ(feed(large, part), State::kComplete) << part;
    }
    EXPECT_EQ(feed(request("")), State::kComplete);
    EXPECT_EQ(feed(begin() + record(4, pair("A", "b"), 1, 5) + record(4, "")), State::kComplete);
    for (std::size_t cut = 0; cut < small.size(); ++cut)
        EXPECT_EQ(feed(small.substr(0, cut)), State::kIncomplete) << cut;
}

TEST(RequestRecords, RefuseLengthsThatAreNotTrue)
{
    const std::string gigabyte = length(0x40000000);
    const std::string most = "\xff\xff\xff\xff";
    for (const std::string &params :
         {gigabyte + gigabyte + "name", most + most, gigabyte + length(1), length(1) + gigabyte + "a", length(200),
          length(3) + length(3) + "abcde", std::string("\x80"), length(1) + "\x80\x00", pair("A", "b") + "\x01"})
        EXPECT_EQ(feed(request(params)), State::kRefused) << testing::PrintToString(params);
}

TEST(RequestRecords, RefuseWhatIsNoRequest)
{
    const std::string get = pair("REQUEST_METHOD", "GET");
    EXPECT_EQ(feed(std::string(8, '\0')), State::kRefused);
    EXPECT_EQ(feed("GET / HTTP/1.0\r\n\r\n"), State::kRefused);
    EXPECT_EQ(feed(record(4, get)), State::kRefused);               // nothing began
    EXPECT_EQ(feed(record(9, "", 0)), State::kRefused);             // a question of management
    EXPECT_EQ(feed(begin(0)), State::kRefused);                     // of no request
    EXPECT_EQ(feed(record(1, "\0\1")), State::kRefused);            // a short beginning
    EXPECT_EQ(feed(begin(1) + record(4, get, 2)), State::kRefused); // of two requests
    EXPECT_EQ(feed(begin() + record(2, "")), State::kRefused);      // given up
    EXPECT_EQ(feed(begin() + begin()), State::kRefused);
}

TEST(RequestRecords, AreLimited)
{
    const auto filled = [](std::size_t bytes) { return request(pair("A", std::string(bytes, 'a'))); };
    EXPECT_EQ(feed(filled(RequestRecords::kMaxBytes - 200)), State::kComplete);
    EXPECT_EQ(feed(filled(RequestRecords::kMaxBytes)), State::kRefused);
    std::string endless = begin();
    while (endless.size() <= RequestRecords::kMaxBytes)
        endless += record(4, std::string(1, '\0'));
    EXPECT_EQ(feed(endless), State::kRefused);
}

TEST(RequestRecords, HaveOneDeadlineHoweverTheyDrip)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    std::atomic<bool> refused{false};
    std::thread peer([&] {
        const std::string bytes = begin() + record(4, std::string(60000, '\0'));
        for (std::size_t at = 0; at < bytes.size() && !refused; ++at) {
            static_cast<void>(!::send(ends[1], &bytes[at], 1, MSG_NOSIGNAL));
            std::this_thread::sleep_for(1ms); // the fault: a byte now and then
        }
    });
    const auto records = receiveRequest(ends[0], std::chrono::steady_clock::now() + 50ms);
    refused = true;
    peer.join();
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error().kind, ErrorKind::kTimeout) << records.error().message;
    ::close(ends[1]);
    // What has arrived is read first; then the peer is gone.
    const auto rest = receiveRequest(ends[0], std::chrono::steady_clock::now() + 5s);
    ASSERT_FALSE(rest);
    ::close(ends[0]);
}

} // namespace
} // namespace picam
