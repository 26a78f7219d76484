#include "streamd/viewers/hub.h"

#include "tests/streamd/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FakeConnection;
using testing::FakeScheduler;
using testing::FakeSwitch;
using testing::FakeVideo;
using ::testing::IsEmpty;
using testing::makePicture;

class HubTest : public ::testing::Test {
protected:
    struct Member {
        std::shared_ptr<FakeConnection> connection;
        std::shared_ptr<ViewerEvents> viewer;

        void leave() { std::exchange(viewer, nullptr)->onClosed(); }
    };

    static HubOptions options()
    {
        HubOptions options;
        options.hello = {"1.0", "pi", {64, 48}, 30.0, false};
        options.linger = 5s;
        options.max_viewers = 3;
        return options;
    }

    Member join(WireFormat format = WireFormat::kJpeg, double max_fps = 0.0)
    {
        Member member{std::make_shared<FakeConnection>(), nullptr};
        member.viewer = hub.join(member.connection, format, max_fps);
        return member;
    }

    // A frame time passes and the camera gives the next picture.
    std::uint64_t picture()
    {
        time.pass(33ms);
        hub.onPicture(makePicture(++sequence, time.now()));
        return sequence;
    }
    void streaming() { hub.onCameraStatus({CameraState::kStreaming, {}, "fake", {64, 48}, 30.0}); }
    void unavailable() { hub.onCameraStatus({CameraState::kUnavailable, "it is gone", {}, {}, 0.0}); }
    [[nodiscard]] StatusValues values() const { return status.values(time.now()); }

    FakeScheduler time;
    FakeSwitch camera;
    Status status{"1.0", "pi", time.now()};
    FakeVideo video;
    Hub hub{time, camera, video, status, options()};
    std::uint64_t sequence = 0;
};

TEST_F(HubTest, NothingRunsBeforeTheFirstViewer)
{
    EXPECT_FALSE(camera.wanted);
    EXPECT_EQ(time.timersRunning(), 0U);
}

TEST_F(HubTest, FirstViewerOpensTheCameraAndTheLastClosesItAfterTheLinger)
{
    auto one = join();
    EXPECT_TRUE(camera.wanted);
    EXPECT_EQ(values().camera.state, CameraState::kStarting);
    auto two = join();
    EXPECT_EQ(camera.changes, 1);
    one.leave();
    time.pass(1min);
    EXPECT_TRUE(camera.wanted);
    two.leave();
    EXPECT_EQ(camera.demand, CameraSwitch::kNobody);
    time.pass(4999ms);
    EXPECT_TRUE(camera.wanted);
    time.pass(1ms);
    EXPECT_FALSE(camera.wanted);
    EXPECT_EQ(values().camera.state, CameraState::kIdle);
    EXPECT_EQ(camera.changes, 2);
    time.pass(1min);
    EXPECT_EQ(time.timersRunning(), 0U) << "nothing wakes up while nobody watches";
}

TEST_F(HubTest, AViewerWithinTheLingerKeepsTheCamera)
{
    join().leave();
    time.pass(4s);
    auto next = join();
    time.pass(10s);
    EXPECT_TRUE(camera.wanted);
    EXPECT_EQ(camera.changes, 1);
}

TEST_F(HubTest, EveryViewerGetsEveryPicture)
{
    auto one = join(WireFormat::kJpeg);
    auto two = join(WireFormat::kBase64);
    for (int i = 0; i < 3; ++i) {
        picture();
        one.viewer->onFrameWritten();
        two.viewer->onFrameWritten();
    }
    EXPECT_THAT(one.connection->frames, ElementsAre(1, 2, 3));
    EXPECT_THAT(two.connection->frames, ElementsAre(1, 2, 3));
    EXPECT_THAT(two.connection->formats, ElementsAre(WireFormat::kBase64, WireFormat::kBase64, WireFormat::kBase64));
    EXPECT_EQ(values().sent, 6U);
    EXPECT_EQ(values().sent_bytes, 6000U);
}

TEST_F(HubTest, SlowViewerGetsTheNewestAndDelaysNobody)
{
    auto slow = join();
    auto fast = join();
    for (int i = 0; i < 5; ++i) {
        picture();
        fast.viewer->onFrameWritten();
    }
    EXPECT_THAT(slow.connection->frames, ElementsAre(1)) << "nothing is queued behind a write";
    slow.viewer->onFrameWritten();
    EXPECT_THAT(slow.connection->frames, ElementsAre(1, 5));
    EXPECT_THAT(fast.connection->frames, ElementsAre(1, 2, 3, 4, 5));
    EXPECT_EQ(values().skipped, 3U);
}

TEST_F(HubTest, LateJoinerGetsStateAndPictureAtOnce)
{
    auto first = join();
    streaming();
    picture();
    auto late = join(WireFormat::kV1);
    ASSERT_EQ(late.connection->texts.size(), 2U);
    EXPECT_EQ(late.connection->texts[0]["type"], "hello");
    EXPECT_EQ(late.connection->texts[1]["state"], "streaming");
    EXPECT_THAT(late.connection->frames, ElementsAre(1));
}

TEST_F(HubTest, NobodyGetsAnOldPicture)
{
    auto first = join();
    streaming();
    picture();
    time.pass(1s); // the camera has hung since
    EXPECT_THAT(join(WireFormat::kV1).connection->frames, IsEmpty());
    picture();
    unavailable();
    auto late = join(WireFormat::kV1);
    EXPECT_THAT(late.connection->frames, IsEmpty());
    EXPECT_THAT(late.connection->states(), ElementsAre("unavailable"));
}

TEST_F(HubTest, WhatWaitsIsForgottenWhenTheCameraFails)
{
    auto slow = join();
    streaming();
    picture();
    picture();
    unavailable();
    slow.viewer->onFrameWritten();
    EXPECT_THAT(slow.connection->frames, ElementsAre(1));
}

TEST_F(HubTest, StatesReachV1ViewersOnceEach)
{
    auto viewer = join(WireFormat::kV1);
    auto plain = join(WireFormat::kJpeg);
    unavailable();
    streaming();
    EXPECT_THAT(viewer.connection->states(), ElementsAre("starting", "unavailable", "streaming"));
    EXPECT_EQ(viewer.connection->texts[2]["reason"], "it is gone");
    EXPECT_THAT(plain.connection->texts, IsEmpty());
}

TEST_F(HubTest, MultipartWithoutACameraIsToldToComeLater)
{
    auto viewer = join(WireFormat::kMultipart);
    unavailable();
    ASSERT_EQ(viewer.connection->closes.size(), 1U);
    EXPECT_EQ(viewer.connection->closes[0], std::make_pair(CloseCode::kTryAgainLater, std::string("it is gone")));

    auto second = join(WireFormat::kMultipart);
    EXPECT_EQ(second.connection->closes.size(), 1U) << "known already";
}

TEST_F(HubTest, MultipartThatHasBegunStays)
{
    auto viewer = join(WireFormat::kMultipart);
    picture();
    viewer.viewer->onFrameWritten();
    unavailable();
    EXPECT_THAT(viewer.connection->closes, IsEmpty());
    streaming();
    picture();
    EXPECT_THAT(viewer.connection->frames, ElementsAre(1, 2));
}

TEST_F(HubTest, AllPausedIsNobody)
{
    auto one = join(WireFormat::kV1);
    auto two = join(WireFormat::kV1);
    one.viewer->onText(R"({"type":"pause"})");
    EXPECT_EQ(values().paused, 1U);
    EXPECT_EQ(camera.demand, 0.0);
    two.viewer->onText(R"({"type":"pause"})");
    EXPECT_EQ(camera.demand, CameraSwitch::kNobody);
    time.pass(5s);
    EXPECT_FALSE(camera.wanted);
    one.connection->texts.clear();
    one.viewer->onText(R"({"type":"resume"})");
    EXPECT_TRUE(camera.wanted);
    EXPECT_THAT(one.connection->states(), ElementsAre("starting"));
    EXPECT_EQ(values().paused, 1U);
    two.leave();
    EXPECT_EQ(values().paused, 0U);
}

TEST_F(HubTest, PausedViewerGetsNothingAndOnResumeTheNewest)
{
    auto other = join();
    auto viewer = join(WireFormat::kV1);
    streaming();
    viewer.viewer->onText(R"({"type":"pause"})");
    viewer.connection->texts.clear();
    picture();
    picture();
    unavailable();
    streaming();
    picture();
    EXPECT_THAT(viewer.connection->frames, IsEmpty());
    EXPECT_THAT(viewer.connection->texts, IsEmpty());
    viewer.viewer->onText(R"({"type":"resume"})");
    EXPECT_THAT(viewer.connection->states(), ElementsAre("streaming"));
    EXPECT_THAT(viewer.connection->frames, ElementsAre(3));
}

TEST_F(HubTest, DemandIsTheHighestRate)
{
    auto one = join(WireFormat::kMultipart, 5.0);
    EXPECT_EQ(camera.demand, 5.0);
    auto two = join(WireFormat::kV1);
    EXPECT_EQ(camera.demand, 0.0) << "all there is";
    two.viewer->onText(R"({"type":"rate","fps":12})");
    EXPECT_EQ(camera.demand, 12.0);
    two.leave();
    EXPECT_EQ(camera.demand, 5.0);
}

TEST_F(HubTest, AdmissionsAreCountedAndReleased)
{
    auto a = hub.admit();
    auto b = hub.admit();
    auto c = hub.admit();
    EXPECT_TRUE(a && b && c);
    EXPECT_FALSE(hub.admit());
    EXPECT_EQ(values().refused, 1U);
    b.reset();
    EXPECT_TRUE(hub.admit());
    hub.refuseViewers();
    EXPECT_FALSE(hub.admit());
}

TEST_F(HubTest, TheRelayHasItsOwnPlaces)
{
    const std::vector<std::shared_ptr<void>> viewers{hub.admit(), hub.admit(), hub.admit()};
    ASSERT_FALSE(hub.admit());
    auto relay = hub.admitRelay();
    const auto next = hub.admitRelay();
    EXPECT_TRUE(relay && next);
    EXPECT_FALSE(hub.admitRelay());
    relay.reset();
    EXPECT_FALSE(hub.admit()) << "the relay's place is nobody else's";
    EXPECT_TRUE(hub.admitRelay());
    hub.refuseViewers();
    EXPECT_FALSE(hub.admitRelay());
}

TEST_F(HubTest, ShutdownClosesTheViewers)
{
    auto one = join();
    auto two = join(WireFormat::kV1);
    hub.closeViewers(CloseCode::kGoingAway, "the server is stopping");
    EXPECT_EQ(one.connection->closes.at(0).first, CloseCode::kGoingAway);
    EXPECT_EQ(two.connection->closes.at(0).first, CloseCode::kGoingAway);
    EXPECT_EQ(hub.viewerCount(), 2U);
    one.leave();
    two.leave();
    EXPECT_EQ(hub.viewerCount(), 0U);
    EXPECT_EQ(values().viewers, (std::array<std::uint64_t, kWireFormats>{}));
}

} // namespace
} // namespace picam
