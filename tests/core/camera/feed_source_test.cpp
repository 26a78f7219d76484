#include "core/camera/feed_source.h"

#include "core/base/file_descriptor.h"
#include "core/base/listen_socket.h"
#include "core/base/newest_slot.h"
#include "core/camera/feed_protocol.h"
#include "core/camera/pattern_card.h"
#include "core/image/encoded_frame.h"
#include "core/image/jpeg_encoder.h"
#include "tests/fakes/temp_dir.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace picam {
namespace {

using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using testing::TempDir;
using Bytes = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

Bytes jpegOf(Size size)
{
    auto encoder = *JpegEncoder::create();
    const PatternCard card(size);
    CardPixels pixels = card.still();
    const std::size_t w = size.width;
    const Frame frame({PixelFormat::kYuv420, size, ColorRange::kFull, ColorMatrix::kBt601},
                      {{{pixels.y.data(), w, pixels.y.size()},
                        {pixels.u.data(), w / 2, pixels.u.size()},
                        {pixels.v.data(), w / 2, pixels.v.size()}}},
                      {}, [] {});
    return *encoder.encode(frame, {});
}

std::uint64_t wallNow()
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

// The program that feeds, one connection at a time; it waits with deadlines and sends what it is told.
class Feeder {
public:
    explicit Feeder(const std::string &path) : socket_(ListenSocket::open(path, false).value()) {}

    [[nodiscard]] bool accept()
    {
        pollfd polled{socket_.fd(), POLLIN, 0};
        if (::poll(&polled, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) <= 0)
            return false;
        connection_ = FileDescriptor(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(connection_);
    }
    [[nodiscard]] bool isAsked() const // for another connection
    {
        pollfd polled{socket_.fd(), POLLIN, 0};
        return ::poll(&polled, 1, 0) > 0;
    }
    void close() { connection_.reset(); }
    // Until picam has closed the connection.
    [[nodiscard]] bool isLeft() { return line().empty(); }

    // The next line that picam says; empty: it has closed, or says nothing.
    std::string line()
    {
        while (true) {
            if (const auto end = said_.find('\n'); end != std::string::npos) {
                const std::string line = said_.substr(0, end);
                said_.erase(0, end + 1);
                return line;
            }
            pollfd polled{connection_.get(), POLLIN, 0};
            std::array<char, 4096> bytes{};
            if (::poll(&polled, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) <= 0)
                return "nothing said";
            const ssize_t got = ::recv(connection_.get(), bytes.data(), bytes.size(), 0);
            if (got <= 0)
                return {};
            said_.append(bytes.data(), static_cast<std::size_t>(got));
        }
    }
    nlohmann::json wants() { return nlohmann::json::parse(line(), nullptr, false); }

    // False: picam has closed.
    bool send(const void *data, std::size_t bytes) // NOLINT(readability-make-member-function-const)
    {
        const auto *at = static_cast<const char *>(data);
        while (bytes > 0) {
            const ssize_t sent = ::send(connection_.get(), at, bytes, MSG_NOSIGNAL);
            if (sent <= 0)
                return false;
            at += sent;
            bytes -= static_cast<std::size_t>(sent);
        }
        return true;
    }
    bool send(const FrameHeader &header, const Bytes &payload)
    {
        const auto head = serializeFrameHeader(header);
        return send(head.data(), head.size()) && send(payload.data(), payload.size());
    }
    bool picture(const Bytes &jpeg, Size size, std::uint64_t wall_us = wallNow())
    {
        return send(header(jpeg, size, wall_us), jpeg);
    }
    FrameHeader header(const Bytes &jpeg, Size size, std::uint64_t wall_us = wallNow())
    {
        FrameHeader header;
        header.converged = true;
        header.payload_bytes = static_cast<std::uint32_t>(jpeg.size());
        header.sequence = ++sequence_;
        header.captured_wall_us = wall_us;
        header.width = static_cast<std::uint16_t>(size.width);
        header.height = static_cast<std::uint16_t>(size.height);
        return header;
    }
    bool state(const std::string &json, std::uint64_t wall_us = wallNow())
    {
        FrameHeader header;
        header.codec = Codec::kNone;
        header.captured_wall_us = wall_us;
        header.payload_bytes = static_cast<std::uint32_t>(json.size());
        return send(header, Bytes(json.begin(), json.end()));
    }

private:
    ListenSocket socket_;
    FileDescriptor connection_;
    std::string said_;
    std::uint64_t sequence_ = 0;
};

class Collector : public FrameSink {
public:
    using Item = Expected<std::shared_ptr<Frame>>;

    void onFrame(std::shared_ptr<Frame> frame) override
    {
        ++frames;
        slot_.put(Item(std::move(frame)));
    }
    void onSourceError(Error error) override { slot_.put(Item(tl::unexpected<Error>(std::move(error)))); }
    void onCameraAdded() override { ++added; }

    Item next(steady_clock::duration limit = kDeadline)
    {
        std::optional<Item> item;
        if (slot_.take(item, steady_clock::now() + limit) != NewestSlot<Item>::Wake::kItem)
            return fail(ErrorKind::kTimeout, "no frame");
        return std::move(*item);
    }
    // The first error, whatever frames come before it.
    Error error()
    {
        while (true)
            if (auto item = next(); !item)
                return item.error();
    }

    std::atomic<int> frames{0};
    std::atomic<int> added{0};

private:
    NewestSlot<Item> slot_;
};

class FeedSourceTest : public ::testing::Test {
protected:
    static SourceRequest request(Size size = kSize)
    {
        SourceRequest request;
        request.size = size;
        return request;
    }
    // start() while the program does `feeds`, which begins with a connection.
    template <class Feeds>
    Expected<SourceInfo> start(Feeds feeds, const SourceRequest &wanted = request())
    {
        std::thread program([&] {
            EXPECT_TRUE(feeder_->accept());
            feeds();
        });
        auto info = source_->start(wanted, sink_);
        program.join();
        return info;
    }
    Expected<SourceInfo> startWithPicture(const SourceRequest &wanted = request())
    {
        return start([&] { feeder_->picture(jpeg_, kSize); }, wanted);
    }
    template <class Condition>
    static bool becomes(Condition condition)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (!condition() && steady_clock::now() < deadline)
            std::this_thread::sleep_for(1ms);
        return condition();
    }

    static constexpr Size kSize{64, 48};
    const Bytes jpeg_ = jpegOf(kSize);
    const TempDir dir_;
    const std::string path_ = dir_.file("feed.sock");
    std::optional<Feeder> feeder_{path_};
    Collector sink_;
    std::unique_ptr<Source> source_ = createFeedSource(path_, 60s, 10s);
};

TEST_F(FeedSourceTest, PicturesPassUnchangedWithAllThatTheirHeaderSays)
{
    SourceRequest turned = request({48, 64});
    turned.transform.rotation = Rotation::k90;
    turned.still = true;
    turned.fps = 12.5;
    turned.controls.generation = 7;
    FrameHeader header = feeder_->header(jpeg_, kSize);
    header.exposure_us = 8333;
    header.iso = 640;
    header.controls_generation = 99;
    const auto before = steady_clock::now();
    const auto info = start([&] { feeder_->send(header, jpeg_); }, turned);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->name, "feed " + path_);
    EXPECT_EQ(info->format, (FrameFormat{PixelFormat::kJpeg, kSize}));
    EXPECT_EQ(info->remaining, turned.transform);
    EXPECT_TRUE(info->follows_demand);
    EXPECT_FALSE(info->still_output);
    const auto wants = feeder_->wants();
    EXPECT_EQ(wants["feed"], 1);
    EXPECT_EQ(wants["still"], true);
    EXPECT_EQ(wants["width"], 64) << "as the program has to give it, to be turned";
    EXPECT_EQ(wants["height"], 48);
    EXPECT_EQ(wants["fps"], 12.5);

    const auto frame = sink_.next();
    ASSERT_TRUE(frame);
    const Plane &plane = (*frame)->plane(0);
    EXPECT_EQ(Bytes(plane.data, plane.data + plane.size), jpeg_);
    EXPECT_LE((*frame)->captured(), steady_clock::now());
    EXPECT_GE((*frame)->captured(), before - 1s);
    const CaptureMetadata &metadata = (*frame)->metadata();
    EXPECT_EQ(metadata.exposure_converged, true);
    EXPECT_EQ(metadata.white_balance_converged, true);
    EXPECT_TRUE(metadata.convergence_judged);
    EXPECT_EQ(exposureOf(metadata), (Exposure{8333, 640, 0}));
    EXPECT_EQ(metadata.controls_generation, 7U) << "the sender's are its own";

    header.converged = false;
    header.exposure_us = header.iso = 0;
    source_->setControls({.generation = 8, .defaults = {}, .cameras = {}});
    ASSERT_TRUE(feeder_->send(header, jpeg_));
    const auto second = sink_.next();
    ASSERT_TRUE(second);
    EXPECT_EQ((*second)->metadata().exposure_converged, false);
    EXPECT_FALSE((*second)->metadata().exposure_time);
    EXPECT_EQ((*second)->metadata().controls_generation, 8U);
    EXPECT_GT((*second)->captured(), (*frame)->captured());
}

TEST_F(FeedSourceTest, TheRateThatIsTakenIsSaid)
{
    ASSERT_TRUE(startWithPicture());
    EXPECT_EQ(feeder_->wants()["fps"], 30);
    source_->setFrameRate(5);
    EXPECT_EQ(feeder_->wants()["fps"], 5);
    source_->setFrameRate(0.5);
    const auto wants = feeder_->wants();
    EXPECT_EQ(wants["fps"], 0.5);
    EXPECT_EQ(wants["width"], 64) << "each line has all";
    // Whoever does not read them is fed all the same, and the last one counts.
    for (int i = 0; i < 20'000; ++i)
        source_->setFrameRate(10 + i % 2);
    ASSERT_TRUE(sink_.next());
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    ASSERT_TRUE(sink_.next());
    source_->setFrameRate(1);
    std::string line;
    do {
        line = feeder_->line();
        ASSERT_TRUE(nlohmann::json::accept(line)) << line;
    } while (nlohmann::json::parse(line)["fps"] != 1);
}

TEST_F(FeedSourceTest, AClockThatIsHoursOffIsTranslatedOnceItIsTold)
{
    constexpr std::uint64_t kHours = 5ULL * 3600 * 1'000'000;
    ASSERT_TRUE(start([&] {
        feeder_->state(R"({"state":"streaming"})", wallNow() - kHours);
        feeder_->picture(jpeg_, kSize, wallNow() - kHours);
    }));
    const auto expectNew = [&] {
        const auto frame = sink_.next();
        ASSERT_TRUE(frame);
        EXPECT_GT((*frame)->captured(), steady_clock::now() - 60s);
        EXPECT_LE((*frame)->captured(), steady_clock::now());
    };
    expectNew();
    for (const std::uint64_t wall : {wallNow() - kHours, std::uint64_t{0}, wallNow() + kHours}) {
        ASSERT_TRUE(feeder_->picture(jpeg_, kSize, wall));
        expectNew();
    }
}

TEST_F(FeedSourceTest, AnOldPictureIsNone)
{
    source_ = createFeedSource(path_, 60s, 200ms);
    const std::uint64_t old = wallNow() - 100'000'000;
    const auto info = start([&] { feeder_->picture(jpeg_, kSize, old); });
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().kind, ErrorKind::kCameraFailed);
    EXPECT_THAT(info.error().message, HasSubstr("sends an old picture, taken 100 s ago by its clock"));
    feeder_->close();

    source_ = createFeedSource(path_, 60s, 10s);
    ASSERT_TRUE(start([&] {
        feeder_->picture(jpeg_, kSize, old);
        feeder_->picture(jpeg_, kSize, wallNow() - 30'000'000);
    }));
    const auto first = sink_.next();
    ASSERT_TRUE(first);
    EXPECT_LE((*first)->captured(), steady_clock::now() - 29s) << "and what is not new is not new";
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize, old));
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    const auto second = sink_.next();
    ASSERT_TRUE(second);
    EXPECT_GT((*second)->captured(), (*first)->captured() + 20s);
    EXPECT_EQ(sink_.frames, 2);
}

TEST_F(FeedSourceTest, TheNewestCountsAndNothingQueues)
{
    ASSERT_TRUE(startWithPicture());
    std::vector<std::shared_ptr<Frame>> held; // all that may be lent: two, and two of the source's own
    for (int i = 0; i < 4; ++i) {
        auto frame = sink_.next();
        ASSERT_TRUE(frame) << i;
        held.push_back(std::move(*frame));
        if (i < 3) {
            ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
        }
    }
    // Read, and left out: the program never waits.
    for (int i = 0; i < 2000; ++i)
        ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    EXPECT_EQ(sink_.frames, 4);
    held.pop_back();
    const std::uint64_t now = wallNow();
    const auto sent = steady_clock::now();
    ASSERT_TRUE(becomes([&] {
        static_cast<void>(feeder_->picture(jpeg_, kSize));
        return sink_.frames > 4;
    }));
    const auto frame = sink_.next();
    ASSERT_TRUE(frame);
    EXPECT_GE((*frame)->captured(), sent - 1s) << now;
}

TEST_F(FeedSourceTest, SlowlyByteByByteItIsAPictureAllTheSame)
{
    ASSERT_TRUE(startWithPicture());
    ASSERT_TRUE(sink_.next());
    const FrameHeader header = feeder_->header(jpeg_, kSize);
    const auto head = serializeFrameHeader(header);
    for (const std::uint8_t &byte : head)
        ASSERT_TRUE(feeder_->send(&byte, 1));
    for (const std::uint8_t &byte : jpeg_)
        ASSERT_TRUE(feeder_->send(&byte, 1));
    const auto frame = sink_.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ((*frame)->plane(0).size, jpeg_.size());
}

TEST_F(FeedSourceTest, ItSaysWhyThereIsNoConnection)
{
    const auto expect = [&](const std::string &path, ErrorKind kind, const std::string &why) {
        const auto info = createFeedSource(path, 60s)->start(request(), sink_);
        ASSERT_FALSE(info);
        EXPECT_EQ(info.error().kind, kind) << info.error().message;
        EXPECT_THAT(info.error().message, HasSubstr(why));
        EXPECT_THAT(info.error().message, HasSubstr(path));
    };
    expect(dir_.file("none"), ErrorKind::kNoCamera, "is not there");
    std::ofstream(dir_.file("plain")) << "x";
    expect(dir_.file("plain"), ErrorKind::kCameraFailed, "no program listens");
    expect(dir_.file(std::string(200, 'x')), ErrorKind::kIo, "no path of a socket");
}

TEST_F(FeedSourceTest, ItSaysWhyThereIsNoPicture)
{
    source_ = createFeedSource(path_, 60s, 200ms);
    const auto expect = [&](auto feeds, ErrorKind kind, const std::string &why,
                            const SourceRequest &wanted = request()) {
        const auto info = start(feeds, wanted);
        ASSERT_FALSE(info) << why;
        EXPECT_EQ(info.error().kind, kind) << info.error().message;
        EXPECT_THAT(info.error().message, HasSubstr(why));
        EXPECT_THAT(info.error().message, HasSubstr(path_));
        feeder_->close();
    };
    const FrameHeader header = feeder_->header(jpeg_, kSize);
    expect([&] { feeder_->close(); }, ErrorKind::kCameraFailed, "was closed");
    expect(
        [&] {
            const auto head = serializeFrameHeader(header);
            feeder_->send(head.data(), 30);
            feeder_->close();
        },
        ErrorKind::kCameraFailed, "was closed in the middle of a message");
    expect([] {}, ErrorKind::kCameraFailed, "is silent: no picture for 200 ms");
    expect([&] { feeder_->state(R"({"state":"starting"})"); }, ErrorKind::kCameraFailed, "is silent");
    expect([&] { feeder_->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 47); }, ErrorKind::kCorrupt,
           "something else than pictures: frame header: format version 72, not 1");
    expect([&] { feeder_->state("hello"); }, ErrorKind::kCorrupt, "something else than pictures: a state that");
    expect(
        [&] {
            auto head = serializeFrameHeader(header);
            head[4] = 0x7f;
            feeder_->send(head.data(), head.size());
        },
        ErrorKind::kCorrupt, "payload bytes 2130");
    expect(
        [&] {
            FrameHeader much = header;
            much.payload_bytes = kMaxPayloadBytes; // and one byte of it
            feeder_->send(much, {0xff});
        },
        ErrorKind::kCameraFailed, "is silent");
    expect([&] { feeder_->picture(Bytes(500, 'x'), kSize); }, ErrorKind::kCorrupt, "something else than JPEGs");
    expect([&] { feeder_->picture(jpeg_, {640, 480}); }, ErrorKind::kCorrupt, "sends JPEGs of 64x48 and says 640x480");
    expect([&] { feeder_->picture(jpeg_, kSize); }, ErrorKind::kUnsupported, "has 64x48, not 640x480",
           request({640, 480}));
    SourceRequest any = request({640, 480});
    any.exact_size = false;
    const auto info = startWithPicture(any);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->format.size, kSize);
}

TEST_F(FeedSourceTest, WhatGoesWrongLaterIsReported)
{
    const auto expect = [&](auto feeds, ErrorKind kind, const std::string &why) {
        const auto info = startWithPicture();
        ASSERT_TRUE(info) << info.error().message;
        feeds();
        const Error error = sink_.error();
        EXPECT_EQ(error.kind, kind) << error.message;
        EXPECT_THAT(error.message, HasSubstr(why));
        source_->stop();
        feeder_->close();
    };
    expect([&] { feeder_->close(); }, ErrorKind::kCameraFailed, "was closed");
    expect([&] { feeder_->picture(jpegOf({32, 32}), {32, 32}); }, ErrorKind::kCameraFailed, "went from 64x48 to 32x32");
    expect([&] { feeder_->send(Bytes(40, 9).data(), 40); }, ErrorKind::kCorrupt, "something else than pictures");
    expect([&] { feeder_->state(R"({"state":"unavailable","reason":"the lens cap is on"})"); },
           ErrorKind::kCameraFailed, "the lens cap is on");
    expect(
        [&] {
            feeder_->picture(jpeg_, kSize);
            feeder_.emplace(path_); // another one, as after its restart
        },
        ErrorKind::kCameraFailed, "was closed");
}

TEST_F(FeedSourceTest, ABadPictureLaterIsAnEncodersToDrop)
{
    ASSERT_TRUE(startWithPicture());
    ASSERT_TRUE(sink_.next());
    ASSERT_TRUE(feeder_->picture(Bytes(100, 'x'), kSize));
    const auto frame = sink_.next();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(JpegEncoder::create()->encode(**frame, {}));
    FrameHeader rung = feeder_->header(jpeg_, {32, 24});
    rung.rung = 1;
    ASSERT_TRUE(feeder_->send(rung, jpeg_)) << "of a smaller size beside it, which nobody asked for";
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    ASSERT_TRUE(sink_.next());
}

TEST_F(FeedSourceTest, AProgramWithoutAPictureIsWaitedForOnItsConnection)
{
    const auto reason = R"({"type":"state","state":"unavailable","reason":"the camera is unplugged"})";
    auto info = start([&] { feeder_->state(reason); });
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().kind, ErrorKind::kNoCamera);
    EXPECT_EQ(info.error().message, "the camera is unplugged");
    info = source_->start(request(), sink_); // as after a while
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().message, "the camera is unplugged");
    EXPECT_EQ(sink_.added, 0);
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    ASSERT_TRUE(becomes([&] { return sink_.added == 1; }));
    ASSERT_TRUE(feeder_->picture(jpeg_, kSize));
    info = source_->start(request(), sink_);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_TRUE(sink_.next());
    EXPECT_EQ(sink_.added, 1) << "once is enough";
    EXPECT_FALSE(feeder_->isAsked()) << "on the connection that there was";
    source_->stop();
    std::string line;
    do {
        line = feeder_->line();
        EXPECT_THAT(line, AnyOf("", HasSubstr("feed")));
    } while (!line.empty());
}

TEST_F(FeedSourceTest, AProgramThatGoesMeanwhileIsConnectedToAnew)
{
    ASSERT_FALSE(start([&] { feeder_->state(R"({"state":"unavailable"})"); }));
    feeder_.reset();
    ASSERT_TRUE(becomes([&] {
        const auto info = source_->start(request(), sink_);
        EXPECT_FALSE(info);
        return info.error().message.find("is not there") != std::string::npos;
    }));
    feeder_.emplace(path_);
    EXPECT_TRUE(startWithPicture());
    EXPECT_EQ(sink_.added, 0);
}

TEST_F(FeedSourceTest, AHungProgramHangsNobody)
{
    source_ = createFeedSource(path_, 60s, 60s);
    SourceRequest interrupted = request();
    std::stop_source stop;
    interrupted.interrupted = stop.get_token();
    const auto begun = steady_clock::now();
    const auto info = start([&] { stop.request_stop(); }, interrupted);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().kind, ErrorKind::kInterrupted);
    EXPECT_EQ(feeder_->wants()["feed"], 1);
    EXPECT_TRUE(feeder_->isLeft());
    // In the middle of a message, and of its own answer to nothing.
    ASSERT_TRUE(start([&] {
        feeder_->picture(jpeg_, kSize);
        feeder_->send(serializeFrameHeader(feeder_->header(jpeg_, kSize)).data(), 20);
    }));
    source_->stop();
    EXPECT_TRUE(feeder_->wants().is_object());
    EXPECT_TRUE(feeder_->isLeft());
    EXPECT_LT(steady_clock::now() - begun, kDeadline);
    EXPECT_FALSE(feeder_->isAsked());
}

TEST_F(FeedSourceTest, StoppedItIsSilentAndStartsAgain)
{
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(startWithPicture());
        ASSERT_TRUE(sink_.next());
        source_->stop();
        const int frames = sink_.frames;
        EXPECT_TRUE(feeder_->wants().is_object());
        EXPECT_TRUE(feeder_->isLeft());
        EXPECT_EQ(sink_.frames, frames);
    }
}

} // namespace
} // namespace picam
