#include "streamd/pipeline/stream_pipeline.h"

#include "core/loop/event_loop.h"
#include "tests/fakes/fake_source.h"
#include "tests/fakes/open_store.h"
#include "tests/fakes/temp_dir.h"

#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using testing::FakeCamera;
using testing::OpenStore;
using testing::TempDir;

constexpr auto kDeadline = 20s;

// Keeps what the pipeline posts to the loop.
class FakeSink : public StreamSink {
public:
    void onPicture(const PicturePtr &picture) override { pictures.push_back(picture); }
    void onCameraStatus(const CameraStatus &camera) override { states.push_back(camera); }
    void onVideo(const RungEncoders::Result &result) override { video.push_back(result); }

    std::vector<PicturePtr> pictures;
    std::vector<CameraStatus> states;
    std::vector<RungEncoders::Result> video;
};

class StreamPipelineTest : public ::testing::Test {
protected:
    StreamPipelineTest()
    {
        settings.runtime_dir = dir.path();
        settings.stream.fps = 10000.0; // the test's frames come as fast as it likes
        settings.stream.size = camera.size;
        settings.camera.stall = 200ms;
        lock_path = settings.lockPath();
        store = std::make_unique<OpenStore>(settings.storePath());
        start();
    }
    // Anew, with the settings as they are now.
    void start()
    {
        pipeline.reset();
        pipeline = std::make_unique<StreamPipeline>(settings,
                                                    StreamPipeline::Parts{[this] { return makeSource(); },
                                                                          loop,
                                                                          **store,
                                                                          store->requests(),
                                                                          {},
                                                                          status,
                                                                          [this](const std::string &why) {
                                                                              const MutexLock lock(mutex);
                                                                              given_up.push_back(why);
                                                                          },
                                                                          video_encoders},
                                                    driver_timeout);
        pipeline->setSink(&sink);
    }
    [[nodiscard]] std::string gaveUp()
    {
        const MutexLock lock(mutex);
        return given_up.empty() ? "" : given_up.front();
    }

    Expected<std::unique_ptr<Source>> makeSource()
    {
        ++opened;
        while (driver_hangs)
            std::this_thread::yield();
        if (failures > 0) {
            --failures;
            return fail(failure,
                        failure == ErrorKind::kCameraBusy ? "another program has the camera" : "no camera found");
        }
        return camera.makeSource();
    }

    // Runs the loop, with frames coming in, until the condition holds.
    template <class Condition>
    [[nodiscard]] bool until(Condition condition, bool frames = true)
    {
        const auto deadline = loop.now() + kDeadline;
        const auto timer = loop.makeTimer();
        bool held = false;
        std::function<void()> look = [&] {
            held = condition();
            if (held || loop.now() >= deadline)
                return loop.stop();
            if (frames)
                camera.emit();
            timer->start(1ms, look);
        };
        timer->start(0ms, look);
        loop.run();
        return held;
    }

    [[nodiscard]] bool lockIsFree() const
    {
        const auto lock = CameraLock::tryTake(lock_path, "test");
        return lock && *lock;
    }
    [[nodiscard]] CameraState lastState() const
    {
        return sink.states.empty() ? CameraState::kIdle : sink.states.back().state;
    }
    [[nodiscard]] StatusValues values() const { return status.values(loop.now()); }

    TempDir dir;
    FakeCamera camera;
    std::atomic<int> opened{0};
    std::atomic<int> failures{0};
    std::atomic<bool> driver_hangs{false};
    std::chrono::milliseconds driver_timeout = CameraController::kDriverTimeout;
    Mutex mutex;
    std::vector<RungEncoders::Factory> video_encoders;
    std::vector<std::string> given_up PICAM_GUARDED_BY(mutex);
    Settings settings;
    ErrorKind failure = ErrorKind::kNoCamera;
    EventLoop loop;
    Status status{"1.0", "pi", loop.now()};
    FakeSink sink;
    std::string lock_path;
    std::unique_ptr<OpenStore> store;
    std::unique_ptr<StreamPipeline> pipeline;
};

TEST_F(StreamPipelineTest, TouchesNothingUntilItIsWanted)
{
    int turns = 0;
    ASSERT_TRUE(until([&] { return ++turns > 20; }));
    pipeline.reset(); // its thread has run to its end
    EXPECT_TRUE(lockIsFree());
    EXPECT_EQ(opened, 0);
    EXPECT_TRUE(sink.states.empty());
}

TEST_F(StreamPipelineTest, StreamsWhileItIsWanted)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return sink.pictures.size() >= 3; }));
    EXPECT_FALSE(lockIsFree());
    ASSERT_EQ(sink.states.size(), 1U);
    EXPECT_EQ(sink.states[0].state, CameraState::kStreaming);
    EXPECT_EQ(sink.states[0].source, "fake");
    EXPECT_EQ(sink.states[0].size, camera.size);
    EXPECT_EQ(sink.pictures[0]->bytes.at(0), 0xFF);
    EXPECT_EQ(sink.pictures[0]->size, camera.size);
    EXPECT_TRUE(sink.pictures[0]->converged || sink.pictures[2]->converged);

    pipeline->want(false);
    ASSERT_TRUE(camera.waitOpen(false));
    ASSERT_TRUE(until([&] { return lockIsFree(); }, false));
    EXPECT_EQ(camera.lent(), 0);
    EXPECT_EQ(values().camera_starts, 1U);
}

TEST_F(StreamPipelineTest, PublishesEveryPictureWithItsTag)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return sink.pictures.size() >= 2; }));
    const auto newest = (*store)->newest();
    ASSERT_TRUE(newest && *newest);
    EXPECT_TRUE((**newest).tag.stream);
    EXPECT_FALSE((**newest).tag.still_size);
    EXPECT_EQ((**newest).tag.interval, std::chrono::microseconds(33333)) << "no more often than the camera gives them";
    EXPECT_GE((**newest).picture->sequence, sink.pictures[1]->sequence);
    EXPECT_GT(sink.pictures[1]->sequence, sink.pictures[0]->sequence);
}

TEST_F(StreamPipelineTest, SequencesGoOnAcrossOpenings)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    pipeline->want(false);
    ASSERT_TRUE(camera.waitOpen(false));
    const auto last = sink.pictures.back()->sequence;
    sink.pictures.clear();
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    EXPECT_GT(sink.pictures.front()->sequence, last);
}

TEST_F(StreamPipelineTest, NothingArrivesAfterItIsNoLongerWanted)
{
    pipeline->want(true);
    ASSERT_TRUE(camera.waitOpen(true));
    // Pictures are made, and posted; the loop has not run.
    while (values().encoded < 3)
        camera.emit();
    pipeline->want(false);
    ASSERT_TRUE(camera.waitOpen(false));
    bool ran = false;
    ASSERT_TRUE(until([&] { return std::exchange(ran, true); }, false));
    EXPECT_TRUE(sink.pictures.empty());
    EXPECT_TRUE(sink.states.empty());
}

TEST_F(StreamPipelineTest, AChangeOfMindKeepsTheCameraAndTellsAgain)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    sink.states.clear();
    pipeline->want(false);
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.states.empty(); }));
    EXPECT_EQ(lastState(), CameraState::kStreaming);
}

// A program that knows nothing of our lock has the device itself.
TEST_F(StreamPipelineTest, ADeviceInUseElsewhereIsSaidAndTriedAgain)
{
    failures = 2;
    failure = ErrorKind::kCameraBusy;
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kUnavailable; }));
    EXPECT_EQ(sink.states.back().reason, "another program has the camera");
    EXPECT_TRUE(sink.pictures.empty());
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    EXPECT_EQ(opened, 3);
}

TEST_F(StreamPipelineTest, ACameraThatIsNotThereIsTriedAgain)
{
    failures = 2;
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.states.empty(); }));
    EXPECT_EQ(sink.states[0].state, CameraState::kUnavailable);
    EXPECT_EQ(sink.states[0].reason, "no camera found");
    EXPECT_TRUE(lockIsFree()) << "others may have it meanwhile";
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    EXPECT_EQ(opened, 3);
    EXPECT_EQ(values().camera_failures, 2U);
}

TEST_F(StreamPipelineTest, GivingUpDoesNotWaitForTheNextTry)
{
    failures = 1000;
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return values().camera_failures >= 3; }, false)); // the next is a second away
    const auto before = loop.now();
    pipeline.reset();
    EXPECT_LT(loop.now() - before, 400ms);
}

TEST_F(StreamPipelineTest, ACameraThatStallsOnceIsStartedAgainAndNobodyHearsOfIt)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    ASSERT_TRUE(until([&] { return camera.starts() == 2; }, false));
    sink.pictures.clear();
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    for (const CameraStatus &state : sink.states)
        EXPECT_EQ(state.state, CameraState::kStreaming) << state.reason;
}

TEST_F(StreamPipelineTest, ACameraThatStallsOnIsOpenedAnewAndViewersHearWhy)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kUnavailable; }, false));
    EXPECT_NE(sink.states.back().reason.find("no frame"), std::string::npos) << sink.states.back().reason;
    EXPECT_EQ(camera.starts(), 2);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    EXPECT_EQ(camera.starts(), 3);
    EXPECT_EQ(gaveUp(), "");
}

TEST_F(StreamPipelineTest, ACameraThatNeverGivesAFrameIsLeftToAFreshProcess)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !gaveUp().empty(); }, false));
    EXPECT_EQ(camera.starts(), CameraLifecycle::kMaxStalls);
    EXPECT_NE(gaveUp().find("4 times in a row"), std::string::npos) << gaveUp();
    EXPECT_EQ(lastState(), CameraState::kUnavailable);
}

TEST_F(StreamPipelineTest, ACameraThatIsNotThereIsWaitedForAsLongAsItTakes)
{
    failures = 2 * CameraLifecycle::kMaxStalls;
    settings.camera.stall = 10s;
    start();
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return opened >= 5; }));
    EXPECT_EQ(gaveUp(), "");
}

TEST_F(StreamPipelineTest, ADriverThatDoesNotComeBackIsLeftToAFreshProcess)
{
    driver_timeout = 50ms;
    driver_hangs = true;
    start();
    pipeline->want(true);
    EXPECT_TRUE(until([&] { return !gaveUp().empty(); }));
    driver_hangs = false;
    EXPECT_EQ(gaveUp(), "the camera's driver does not come back: opening the camera");
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    // One that does come back is not reported.
    ASSERT_TRUE(until([begun = loop.now(), this] { return loop.now() - begun > 2 * driver_timeout; }));
    const MutexLock lock(mutex);
    EXPECT_EQ(given_up.size(), 1U);
}

TEST_F(StreamPipelineTest, WorkersKeepTheOrderOfTheFrames)
{
    settings.stream.workers = 4;
    camera.size = settings.stream.size = {320, 240};
    settings.camera.stall = 10s;
    start();
    pipeline->want(true);
    ASSERT_TRUE(camera.waitOpen(true));
    std::atomic<bool> enough{false};
    std::thread feeder([&] {
        while (!enough)
            camera.emit(); // as fast as it goes: all workers are behind
    });
    EXPECT_TRUE(until([&] { return sink.pictures.size() >= 300; }, false));
    enough = true;
    feeder.join();
    for (std::size_t i = 1; i < sink.pictures.size(); ++i) {
        EXPECT_GT(sink.pictures[i]->sequence, sink.pictures[i - 1]->sequence);
        EXPECT_GE(sink.pictures[i]->captured, sink.pictures[i - 1]->captured);
    }
    pipeline->want(false);
    ASSERT_TRUE(camera.waitOpen(false));
    // The one that lies in the slot goes back after the camera has stopped.
    EXPECT_TRUE(until([&] { return camera.lent() == 0; }, false));
}

// Which thread meets the error first must not matter.
TEST_F(StreamPipelineTest, WorkersEndTogetherWhenTheCameraFails)
{
    settings.stream.workers = 3;
    settings.camera.stall = 10s;
    start();
    pipeline->want(true);
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
        ASSERT_TRUE(camera.fail({ErrorKind::kCameraFailed, "the cable fell out"}));
        ASSERT_TRUE(until([&] { return lastState() == CameraState::kUnavailable; }));
        EXPECT_EQ(sink.states.back().reason, "the cable fell out");
    }
}

TEST_F(StreamPipelineTest, ACameraThatFailsIsReopened)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    ASSERT_TRUE(camera.fail({ErrorKind::kCameraFailed, "the cable fell out"}));
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kUnavailable; }, false)); // no frame follows an error
    EXPECT_EQ(sink.states.back().reason, "the cable fell out");
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
}

TEST_F(StreamPipelineTest, AsksWhoHasTheCameraAndTakesItWhenItIsGivenUp)
{
    auto theirs = CameraLock::tryTake(lock_path, "picam-snapshot");
    ASSERT_TRUE(theirs && *theirs);
    const auto before = store->requests().value(CameraRequests::Word::kCameraRequest);
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return store->requests().value(CameraRequests::Word::kCameraRequest) != before; }));
    EXPECT_EQ(opened, 0);
    theirs->reset();
    store->requests().signal(CameraRequests::Word::kEvent);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
    EXPECT_EQ(sink.states.size(), 1U) << "a short wait is not reported";
}

TEST_F(StreamPipelineTest, AHolderThatWasKilledSaysNothing)
{
    auto theirs = CameraLock::tryTake(lock_path, "picam-snapshot");
    ASSERT_TRUE(theirs && *theirs);
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kUnavailable; }));
    EXPECT_EQ(sink.states.back().reason, "the camera is in use by picam-snapshot " + std::to_string(::getpid()));
    theirs->reset();
    ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; }));
}

TEST_F(StreamPipelineTest, WaitingForTheLockEndsAtOnce)
{
    auto theirs = CameraLock::tryTake(lock_path, "picam-snapshot");
    ASSERT_TRUE(theirs && *theirs);
    const auto seen = store->requests().value(CameraRequests::Word::kCameraRequest);
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return store->requests().value(CameraRequests::Word::kCameraRequest) != seen; }));
    const auto before = loop.now();
    pipeline.reset();
    EXPECT_LT(loop.now() - before, 400ms);
}

TEST_F(StreamPipelineTest, ReleasingTheCameraWakesWhoeverWaitsForIt)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    pipeline->want(false);
    ASSERT_TRUE(camera.waitOpen(false));
    // As another program does it: look at the word, try the lock, wait for the word.
    const auto deadline = loop.now() + kDeadline;
    while (loop.now() < deadline) {
        const auto seen = store->requests().value(CameraRequests::Word::kEvent);
        if (lockIsFree())
            return;
        store->requests().waitChanged(CameraRequests::Word::kEvent, seen, deadline);
    }
    FAIL() << "nobody said that the camera is free";
}

TEST_F(StreamPipelineTest, WhileNobodyTakesFramesNothingIsEncodedUntilAStillAsks)
{
    settings.stream.fps = 100.0;
    start();
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return sink.pictures.size() >= 3; }));
    pipeline->setDemand(CameraSwitch::kNobody);
    bool quiet = false;
    std::uint64_t encoded = 0;
    // What was under way is done when two looks agree; from then on it stays so.
    ASSERT_TRUE(until(
        [&] { return quiet = std::exchange(encoded, values().encoded) == values().encoded && camera.lent() == 0; }));
    const auto asked = loop.now();
    for (int i = 0; i < 200; ++i)
        ASSERT_TRUE(camera.emit());
    EXPECT_EQ(values().encoded, encoded);
    EXPECT_EQ(camera.lent(), 0) << "frames that nobody wants are recycled at once";

    store->requests().signal(CameraRequests::Word::kStillRequest);
    const auto published = [&] {
        const auto newest = (*store)->newestEntry();
        return newest && *newest && (**newest).picture->captured >= asked;
    };
    ASSERT_TRUE(until(published));
    EXPECT_EQ(values().encoded, encoded) << "not one of the stream's";
    EXPECT_FALSE(lockIsFree()) << "the camera stayed open";
}

TEST_F(StreamPipelineTest, AViewersRateIsNotExceeded)
{
    settings.stream.fps = 100.0;
    start();
    pipeline->want(true);
    pipeline->setDemand(5.0);
    const auto begun = loop.now();
    ASSERT_TRUE(until([&] { return loop.now() - begun > 1100ms; }));
    EXPECT_GE(values().encoded, 2U);
    EXPECT_LE(values().encoded, 8U);
    EXPECT_GE(values().paced, values().encoded);
}

TEST_F(StreamPipelineTest, StoppingReturnsAtOnceThoughTheDriverIsSlowToClose)
{
    pipeline->want(true);
    ASSERT_TRUE(until([&] { return !sink.pictures.empty(); }));
    camera.hang(FakeCamera::Hang::kInClose);
    bool stopped = false;
    pipeline->requestStop([&] { stopped = true; }); // returns: the driver does not
    // The loop runs on: viewers get their close frame, the service manager its watchdog.
    int turns = 0;
    ASSERT_TRUE(until([&] { return ++turns >= 20; }, false));
    EXPECT_FALSE(stopped);
    camera.hang(FakeCamera::Hang::kNowhere);
    EXPECT_TRUE(until([&] { return stopped; }, false));
    EXPECT_TRUE(lockIsFree());
}

// Its thread is interrupted at the end of an opening, whether it waited for a still then or not.
TEST_F(StreamPipelineTest, TheFirstStillOfEveryOpeningIsGiven)
{
    settings.snapshot.size = {128, 96};
    camera.still_size = settings.snapshot.size;
    start();
    for (int round = 0; round < 3; ++round) {
        sink.states.clear();
        pipeline->want(true);
        pipeline->setDemand(0);
        ASSERT_TRUE(until([&] { return lastState() == CameraState::kStreaming; })) << round;
        const auto asked = std::chrono::steady_clock::now();
        store->requests().signal(CameraRequests::Word::kStillRequest); // once
        EXPECT_TRUE(until([&] {
            const auto newest = (**store).newest(FrameStore::Kind::kStillSize);
            return newest && *newest && (*newest)->picture->captured >= asked;
        })) << round;
        pipeline->want(false);
        ASSERT_TRUE(until([&] { return lockIsFree(); })) << round;
    }
}

} // namespace
} // namespace picam
