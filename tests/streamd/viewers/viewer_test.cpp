#include "streamd/viewers/viewer.h"

#include "streamd/viewers/stream_frame.h"
#include "tests/streamd/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FakeConnection;
using testing::FakeScheduler;
using ::testing::IsEmpty;

class FakeOwner : public ViewerOwner {
public:
    void onDemandChanged() override { ++demand_changes; }
    void onResumed(Viewer &) override { ++resumed; }
    void onViewerClosed(Viewer &) override { ++closed; }
    void onVideoWanted(Viewer &viewer) override { video_wanted = viewer.wantsVideo(); }
    void onVideoReady(Viewer &) override { ++video_ready; }
    void onKeyWanted(Viewer &) override { ++keys_wanted; }

    int demand_changes = 0;
    int resumed = 0;
    int closed = 0;
    bool video_wanted = false;
    int video_ready = 0;
    int keys_wanted = 0;
};

class ViewerTest : public ::testing::Test {
protected:
    Viewer &make(WireFormat format, double max_fps = 0.0)
    {
        viewer = std::make_unique<Viewer>(connection, format, max_fps, limits, time, status, owner);
        return *viewer;
    }
    void offer(std::chrono::milliseconds after = 33ms)
    {
        time.pass(after);
        auto frame = std::make_shared<StreamFrame>();
        frame->sequence = ++sequence;
        frame->bytes = 1000;
        frame->captured = time.now();
        viewer->offer(frame);
    }
    void ack(std::uint64_t of) { viewer->onText(R"({"type":"ack","sequence":)" + std::to_string(of) + "}"); }
    [[nodiscard]] CloseCode closeCode() const
    {
        return connection->closes.size() == 1 ? connection->closes[0].first : CloseCode{};
    }

    FakeScheduler time;
    Status status{"1.0", "pi", time.now()};
    FakeOwner owner;
    ViewerLimits limits{.offers_h264 = true, .video = {30000, 2000000, 750000}};
    std::shared_ptr<FakeConnection> connection = std::make_shared<FakeConnection>();
    std::unique_ptr<Viewer> viewer;
    std::uint64_t sequence = 0;
};

TEST_F(ViewerTest, V1WaitsForTheAcknowledgementAndSendsTheNewest)
{
    make(WireFormat::kV1);
    offer();
    viewer->onFrameWritten();
    offer();
    offer();
    EXPECT_THAT(connection->frames, ElementsAre(1));
    ack(1);
    EXPECT_THAT(connection->frames, ElementsAre(1, 3));
    EXPECT_EQ(status.values(time.now()).skipped, 1U);
}

TEST_F(ViewerTest, V1AcknowledgedBeforeTheWriteIsReportedWaitsForIt)
{
    make(WireFormat::kV1);
    offer();
    offer();
    ack(1);
    EXPECT_THAT(connection->frames, ElementsAre(1)) << "one write at a time";
    viewer->onFrameWritten();
    EXPECT_THAT(connection->frames, ElementsAre(1, 2));
}

TEST_F(ViewerTest, V1WindowOpensOnALongWay)
{
    make(WireFormat::kV1);
    // Acknowledgements come 100 ms after the frames: three frame times.
    std::deque<std::pair<std::uint64_t, std::chrono::steady_clock::time_point>> on_way;
    std::size_t acknowledged = 0;
    for (int i = 0; i < 300; ++i) {
        offer();
        while (acknowledged + on_way.size() < connection->frames.size()) {
            on_way.emplace_back(connection->frames[acknowledged + on_way.size()], time.now());
            viewer->onFrameWritten();
        }
        while (!on_way.empty() && time.now() - on_way.front().second >= 99ms) {
            ack(on_way.front().first);
            on_way.pop_front();
            ++acknowledged;
        }
    }
    EXPECT_GE(viewer->flow().window(), 3.0);
    EXPECT_GE(connection->frames.size(), 250U);
    EXPECT_THAT(connection->closes, IsEmpty());
}

TEST_F(ViewerTest, RateThins)
{
    make(WireFormat::kV1);
    viewer->onText(R"({"type":"rate","fps":10})");
    EXPECT_EQ(owner.demand_changes, 1);
    for (int i = 0; i < 30; ++i) {
        offer();
        if (!connection->frames.empty() && connection->frames.back() == sequence) {
            viewer->onFrameWritten();
            ack(sequence);
        }
    }
    EXPECT_NEAR(static_cast<double>(connection->frames.size()), 10, 1);
}

TEST_F(ViewerTest, NonsenseCloses)
{
    make(WireFormat::kV1).onText("hello?");
    EXPECT_EQ(closeCode(), CloseCode::kInvalidPayload);
    offer();
    EXPECT_THAT(connection->frames, IsEmpty()) << "nothing follows a close";
    viewer->onText(R"({"type":"ping","t":1})");
    EXPECT_THAT(connection->texts, IsEmpty());
}

TEST_F(ViewerTest, AckOfAFrameNeverSentCloses)
{
    make(WireFormat::kV1);
    offer();
    ack(2);
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(ViewerTest, BinaryCloses)
{
    make(WireFormat::kV1).onBinary(std::string(10, '\0'));
    EXPECT_EQ(closeCode(), CloseCode::kUnsupportedData);
}

TEST_F(ViewerTest, PlainViewersMaySayWhatTheyLike)
{
    make(WireFormat::kBase64).onText("hello?");
    EXPECT_THAT(connection->closes, IsEmpty());
}

TEST_F(ViewerTest, TooManyMessagesClose)
{
    make(WireFormat::kBase64);
    for (int i = 0; i < 64; ++i)
        viewer->onText("hello?");
    EXPECT_THAT(connection->closes, IsEmpty());
    viewer->onPing();
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(ViewerTest, AFewMessagesAFrameAreFine)
{
    make(WireFormat::kV1);
    for (int i = 0; i < 300; ++i) {
        offer();
        viewer->onFrameWritten();
        ack(sequence);
        for (int j = 0; j < 3; ++j)
            viewer->onText(R"({"type":"ping","t":1})");
    }
    EXPECT_THAT(connection->closes, IsEmpty());
    EXPECT_EQ(connection->frames.size(), 300U);
}

TEST_F(ViewerTest, PongEchoesTheTime)
{
    make(WireFormat::kV1).onText(R"({"type":"ping","t":42.5})");
    ASSERT_EQ(connection->texts.size(), 1U);
    EXPECT_EQ(connection->texts[0]["t"], 42.5);
    const auto wall =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
    EXPECT_NEAR(connection->texts[0]["server_time_us"].get<double>(), static_cast<double>(wall.count()), 60e6);
}

TEST_F(ViewerTest, SilentViewerIsClosed)
{
    make(WireFormat::kV1);
    offer();
    viewer->onFrameWritten();
    time.pass(9999ms);
    viewer->onText(R"({"type":"ping","t":1})"); // talk is no acknowledgement
    viewer->checkTimeouts();
    EXPECT_THAT(connection->closes, IsEmpty());
    time.pass(1ms);
    viewer->checkTimeouts();
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(ViewerTest, PausedViewerOwesNoAcknowledgement)
{
    make(WireFormat::kV1);
    offer();
    viewer->onFrameWritten();
    viewer->onText(R"({"type":"pause"})");
    for (int i = 0; i < 120; ++i) {
        time.pass(1s);
        viewer->checkTimeouts();
        viewer->onAlive(); // it answers pings
    }
    EXPECT_THAT(connection->closes, IsEmpty());
    viewer->onText(R"({"type":"resume"})");
    EXPECT_EQ(owner.resumed, 1);
    offer();
    EXPECT_THAT(connection->frames, ElementsAre(1, 2)) << "the window is free";
}

TEST_F(ViewerTest, DeadPeerIsFoundByPings)
{
    make(WireFormat::kJpeg);
    time.pass(19s);
    viewer->checkTimeouts();
    EXPECT_EQ(connection->pings, 0);
    time.pass(1s);
    viewer->checkTimeouts();
    EXPECT_EQ(connection->pings, 1);
    viewer->onAlive();
    time.pass(20s);
    viewer->checkTimeouts();
    EXPECT_EQ(connection->pings, 2);
    time.pass(39s);
    viewer->checkTimeouts();
    EXPECT_THAT(connection->closes, IsEmpty());
    time.pass(1s);
    viewer->checkTimeouts();
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
    EXPECT_EQ(connection->pings, 2);
}

TEST_F(ViewerTest, AWriteThatNeverEndsCloses)
{
    make(WireFormat::kMultipart);
    offer();
    time.pass(59s);
    offer(); // newer frames do not give it more time
    viewer->checkTimeouts();
    EXPECT_THAT(connection->closes, IsEmpty());
    time.pass(1s);
    viewer->checkTimeouts();
    EXPECT_EQ(connection->closes.size(), 1U);
}

TEST_F(ViewerTest, EndsOnceAndCountsItself)
{
    make(WireFormat::kV1);
    EXPECT_EQ(status.values(time.now()).viewers[static_cast<std::size_t>(WireFormat::kV1)], 1U);
    viewer->onClosed();
    viewer->onClosed();
    EXPECT_EQ(owner.closed, 1);
    EXPECT_EQ(status.values(time.now()).viewers[static_cast<std::size_t>(WireFormat::kV1)], 0U);
    viewer->onFrameWritten(); // of a message that died with the connection
    offer();
    viewer->checkTimeouts();
    viewer->close(CloseCode::kGoingAway, "");
    EXPECT_THAT(connection->frames, IsEmpty());
    EXPECT_THAT(connection->closes, IsEmpty());
}

// picam.v2: binary acknowledgements, H.264 as VideoRungs sends it, pictures in its place.
class V2ViewerTest : public ViewerTest {
protected:
    void take(const std::string &codecs) { viewer->onText(R"({"type":"take","codecs":[)" + codecs + "]}"); }
    static FramePtr video(std::uint64_t of, std::uint8_t rung = 0)
    {
        auto frame = std::make_shared<StreamFrame>();
        frame->codec = Codec::kH264;
        frame->rung = rung;
        frame->sequence = of;
        frame->bytes = 3000;
        return frame;
    }
    void ackFrame(Codec codec, std::uint8_t rung, std::uint64_t of)
    {
        std::string message(10, '\0');
        message[0] = static_cast<char>(codec);
        message[1] = static_cast<char>(rung);
        for (std::size_t i = 0; i < 8; ++i)
            message[9 - i] = static_cast<char>(of >> (8 * i));
        viewer->onBinary(message);
    }
};

TEST_F(V2ViewerTest, NothingIsSentBeforeItSaysWhatItTakes)
{
    make(WireFormat::kV2);
    viewer->sendHello({"1.0", "pi", {640, 480}, 30.0, true});
    ASSERT_EQ(connection->texts.size(), 1U);
    EXPECT_EQ(connection->texts[0]["codecs"], nlohmann::json({"h264", "jpeg"}));
    offer();
    EXPECT_THAT(connection->frames, IsEmpty());
    EXPECT_FALSE(viewer->wantsPictures());
    EXPECT_FALSE(viewer->wantsVideo());
    take(R"("h264","jpeg","av1")");
    EXPECT_TRUE(owner.video_wanted);
    EXPECT_FALSE(viewer->wantsPictures()) << "until there is a reason to";
    take(R"("jpeg")");
    EXPECT_FALSE(owner.video_wanted);
    offer();
    EXPECT_THAT(connection->frames, ElementsAre(2));
}

TEST_F(V2ViewerTest, FramesGoAtOnceAndTheWindowFollowsTheAcknowledgements)
{
    make(WireFormat::kV2);
    take(R"("h264","jpeg")");
    ASSERT_TRUE(viewer->mayTake(time.now()));
    viewer->sendVideo(video(1));
    EXPECT_FALSE(viewer->mayTake(time.now())) << "it is being written";
    viewer->onFrameWritten();
    EXPECT_EQ(owner.video_ready, 1);
    std::uint64_t next = 2;
    while (viewer->mayTake(time.now()) && next < 100) {
        viewer->sendVideo(video(next++));
        viewer->onFrameWritten();
    }
    EXPECT_LT(next, 10U) << "few before the first acknowledgement";
    time.pass(20ms);
    ackFrame(Codec::kH264, 0, next - 1);
    EXPECT_TRUE(viewer->mayTake(time.now()));
    EXPECT_EQ(closeCode(), CloseCode{});
    EXPECT_GT(viewer->bitrate(), 0U);
}

TEST_F(V2ViewerTest, ChangesOfRungKeepWhatIsInFlight)
{
    make(WireFormat::kV2);
    take(R"("h264","jpeg")");
    viewer->sendVideo(video(40, 0));
    viewer->onFrameWritten();
    viewer->sendVideo(video(3, 1));
    viewer->onFrameWritten();
    ackFrame(Codec::kH264, 0, 40);
    ackFrame(Codec::kH264, 1, 3);
    ackFrame(Codec::kH264, 0, 40);
    EXPECT_EQ(closeCode(), CloseCode{});
    viewer->setPictures(true);
    offer();
    EXPECT_THAT(connection->frames, ElementsAre(40, 3, 1));
    viewer->onFrameWritten();
    offer();
    EXPECT_EQ(connection->frames.size(), 3U) << "one picture at a time, as picam.v1";
    ackFrame(Codec::kJpeg, 0, 1);
    EXPECT_THAT(connection->frames, ElementsAre(40, 3, 1, 2));
    viewer->onFrameWritten();
    ackFrame(Codec::kH264, 1, 4);
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(V2ViewerTest, WhatIsNoAcknowledgementCloses)
{
    make(WireFormat::kV2);
    viewer->onBinary("short");
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(V2ViewerTest, ItsTextAcknowledgementIsRefused)
{
    make(WireFormat::kV2);
    ack(1);
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(V2ViewerTest, PausedItTakesNothingAndARateMeansPictures)
{
    make(WireFormat::kV2);
    take(R"("h264","jpeg")");
    viewer->sendVideo(video(1));
    viewer->onFrameWritten();
    viewer->onText(R"({"type":"pause"})");
    EXPECT_FALSE(owner.video_wanted);
    EXPECT_FALSE(viewer->mayTake(time.now()));
    ackFrame(Codec::kH264, 0, 1);
    EXPECT_EQ(closeCode(), CloseCode{}) << "late, and no offence";
    viewer->onText(R"({"type":"resume"})");
    EXPECT_TRUE(owner.video_wanted);
    viewer->onText(R"({"type":"rate","fps":5})");
    EXPECT_FALSE(owner.video_wanted);
    EXPECT_TRUE(viewer->wantsPictures());
    viewer->onText(R"({"type":"rate","fps":0})");
    EXPECT_TRUE(owner.video_wanted);
    viewer->onText(R"({"type":"key"})");
    EXPECT_EQ(owner.keys_wanted, 1);
}

TEST_F(V2ViewerTest, OneThatAcknowledgesNothingIsClosed)
{
    make(WireFormat::kV2);
    take(R"("h264")");
    viewer->sendVideo(video(1));
    viewer->onFrameWritten();
    time.pass(11s);
    viewer->checkTimeouts();
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(V2ViewerTest, MediaSourcesGetFragmentsAndTheInitSegmentWhereTheyBegin)
{
    const auto unit = [this](bool key) {
        auto encoded = std::make_shared<EncodedFrame>();
        encoded->codec = Codec::kH264;
        encoded->key = key;
        encoded->size = {640, 480};
        encoded->bytes = {0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0x95, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88};
        viewer->sendVideo(makeStreamFrame(encoded, 0, ++sequence));
        viewer->onFrameWritten();
        return std::string(connection->sent.back()->lead.begin(), connection->sent.back()->lead.end());
    };
    make(WireFormat::kV2);
    viewer->onText(R"({"type":"take","codecs":["h264","jpeg"],"container":"mp4"})");
    EXPECT_EQ(viewer->keyInterval(), Viewer::kPageKeyInterval);
    EXPECT_NE(unit(true).find("ftyp"), std::string::npos);
    EXPECT_EQ(unit(true).find("ftyp"), std::string::npos);
    viewer->onText(R"({"type":"key"})");
    EXPECT_NE(unit(true).find("ftyp"), std::string::npos);
    const int keys = owner.keys_wanted;
    take(R"("h264")");
    EXPECT_EQ(owner.keys_wanted, keys + 1) << "access units begin with a key frame, too";
    EXPECT_EQ(unit(true), "");
    EXPECT_THAT(connection->closes, IsEmpty());
    viewer->onText(R"({"type":"take","codecs":["h264"],"container":"webm"})");
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(ViewerTest, AnMp4OverHttpEndsAtAnotherSize)
{
    make(WireFormat::kMp4);
    for (const Size size : {Size{640, 480}, Size{320, 240}}) {
        auto encoded = std::make_shared<EncodedFrame>();
        encoded->codec = Codec::kH264;
        encoded->size = size;
        encoded->bytes = {0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0x95, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88};
        viewer->sendVideo(makeStreamFrame(encoded, 0, ++sequence));
        viewer->onFrameWritten();
    }
    EXPECT_EQ(connection->frames.size(), 1U);
    EXPECT_EQ(closeCode(), CloseCode::kTryAgainLater);
    EXPECT_FALSE(viewer->canTake());
    EXPECT_EQ(owner.closed, 0) << "from the loop, when the connection has ended";
}

TEST_F(V2ViewerTest, AV1ViewerKnowsNothingOfIt)
{
    make(WireFormat::kV1);
    take(R"("h264")");
    EXPECT_EQ(closeCode(), CloseCode::kPolicyViolation);
}

TEST_F(ViewerTest, ABareViewerOfH264IsAProgram)
{
    make(WireFormat::kH264);
    EXPECT_TRUE(viewer->wantsVideo());
    EXPECT_FALSE(viewer->takesPictures());
    EXPECT_EQ(viewer->bitrate(), 0U);
    offer();
    EXPECT_THAT(connection->frames, IsEmpty());
    viewer->endVideo();
    EXPECT_EQ(closeCode(), CloseCode::kTryAgainLater);
}

} // namespace
} // namespace picam
