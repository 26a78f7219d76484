#include "fcgi/still_capture.h"

#include "fcgi/stills.h"
#include "tests/fakes/fake_source.h"
#include "tests/fakes/open_store.h"
#include "tests/fakes/temp_dir.h"

#include <atomic>
#include <future>
#include <gtest/gtest.h>
#include <vector>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::FakeCamera;
using testing::OpenStore;
using testing::TempDir;
using namespace std::chrono_literals;

class StillCaptureTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        settings_.runtime_dir = dir_.path();
        settings_.snapshot.settle = 10s;
        settings_.snapshot.linger = 60s;
        settings_.snapshot.deadline = 20s;
        settings_.camera.stall = 60s;
        store_.emplace(settings_.storePath());
        start();
    }
    void start()
    {
        capture_.reset();
        capture_ = std::make_unique<StillCapture>(
            settings_, **store_, store_->requests(), fake_.factory(), [this] { return controls_; },
            [this](const std::string &why) { given_up_.set_value(why); }, driver_timeout_);
    }
    std::future<Expected<PicturePtr>> ask(MonotonicTime since = {})
    {
        return std::async(std::launch::async,
                          [this, since] { return capture_->capture(since, steady_clock::now() + 20s); });
    }
    // Frames until the answer is there.
    template <class Future>
    void feed(Future &future)
    {
        const auto deadline = steady_clock::now() + 20s;
        while (future.wait_for(1ms) != std::future_status::ready && steady_clock::now() < deadline)
            fake_.emit();
    }
    bool lockIsFree()
    {
        auto lock = CameraLock::tryTake(settings_.lockPath(), "test");
        return lock && *lock;
    }
    // Whether the lock becomes free before the deadline.
    bool lockBecomesFree()
    {
        const auto deadline = steady_clock::now() + 20s;
        while (steady_clock::now() < deadline) {
            const auto seen = store_->requests().value(CameraRequests::Word::kEvent);
            if (lockIsFree())
                return true;
            store_->requests().waitChanged(CameraRequests::Word::kEvent, seen, steady_clock::now() + 100ms);
        }
        return false;
    }

    TempDir dir_;
    FakeCamera fake_; // before what uses it
    Settings settings_;
    ControlsRequest controls_; // set before it is announced
    std::optional<OpenStore> store_;
    std::chrono::milliseconds driver_timeout_ = CameraController::kDriverTimeout;
    std::promise<std::string> given_up_;
    std::unique_ptr<StillCapture> capture_;
};

TEST_F(StillCaptureTest, OpensForTheFirstAndPublishes)
{
    EXPECT_TRUE(lockIsFree());
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    EXPECT_FALSE(lockIsFree());
    feed(asked);
    const auto picture = asked.get();
    ASSERT_TRUE(picture) << picture.error().message;
    EXPECT_EQ((*picture)->size, fake_.size);
    const auto stored = (*store_)->newest();
    ASSERT_TRUE(stored && *stored);
    EXPECT_EQ((*stored)->picture->bytes, (*picture)->bytes);
    EXPECT_EQ((*stored)->picture->sequence, (*picture)->sequence);
}

TEST_F(StillCaptureTest, WaitsUntilTheCameraHasConverged)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    CaptureMetadata searching;
    searching.exposure_converged = false;
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(fake_.emit(searching));
    EXPECT_EQ(asked.wait_for(50ms), std::future_status::timeout);
    feed(asked);
    EXPECT_TRUE(asked.get());
}

TEST_F(StillCaptureTest, ABadFrameIsLeftOutAndTheNextServes)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    fake_.cut = true;
    for (int i = 0; i < Convergence::kFramesInARow + CameraController::kMaxBadFrames - 2; ++i) {
        ASSERT_TRUE(fake_.emit());
        EXPECT_EQ(asked.wait_for(2ms), std::future_status::timeout);
    }
    fake_.cut = false;
    feed(asked);
    const auto picture = asked.get();
    ASSERT_TRUE(picture) << picture.error().message;
    EXPECT_EQ(fake_.starts(), 1);
}

TEST_F(StillCaptureTest, NothingButBadFramesIsABrokenCamera)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    fake_.cut = true;
    feed(asked);
    const auto picture = asked.get();
    ASSERT_FALSE(picture);
    EXPECT_EQ(picture.error().kind, ErrorKind::kCorrupt);
    EXPECT_TRUE(lockBecomesFree());
}

// A program that knows nothing of our lock has the device itself.
TEST_F(StillCaptureTest, ADeviceInUseElsewhereIsAnErrorAtOnceAndNoMore)
{
    fake_.start_error = Error{ErrorKind::kCameraBusy, "another program has the camera"};
    const auto busy = ask().get();
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().kind, ErrorKind::kCameraBusy);
    EXPECT_TRUE(lockBecomesFree());

    capture_->stop();
    fake_.start_error.reset();
    start();
    auto asked = ask();
    feed(asked);
    EXPECT_TRUE(asked.get());
}

TEST_F(StillCaptureTest, OneCaptureAnswersAllWhoAsk)
{
    auto first = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    std::vector<std::future<Expected<PicturePtr>>> others;
    for (int i = 0; i < 20; ++i)
        others.push_back(ask());
    feed(first);
    const auto picture = first.get();
    ASSERT_TRUE(picture);
    for (auto &other : others) {
        feed(other);
        ASSERT_TRUE(other.get());
    }
    EXPECT_EQ(fake_.starts(), 1);
}

TEST_F(StillCaptureTest, APictureIsAsNewAsAsked)
{
    auto first = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(first);
    ASSERT_TRUE(first.get());
    const auto since = steady_clock::now();
    auto second = ask(since);
    feed(second);
    const auto picture = second.get();
    ASSERT_TRUE(picture);
    EXPECT_GE((*picture)->captured, since);
}

TEST_F(StillCaptureTest, APictureFromBeforeAChangeOfTheControlsServesNobodyAfterIt)
{
    auto first = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(first);
    ASSERT_TRUE(first.get());
    for (std::uint32_t generation = 1; generation <= 20; ++generation) {
        controls_.generation = generation;
        store_->requests().setControlsGeneration(generation);
        auto second = ask(); // however old: the picture of before is
        feed(second);
        const auto picture = second.get();
        ASSERT_TRUE(picture);
        EXPECT_EQ((*picture)->controls_generation, generation);
    }
}

TEST_F(StillCaptureTest, ClosesAfterTheLinger)
{
    settings_.snapshot.linger = 20ms;
    start();
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(asked);
    ASSERT_TRUE(asked.get());
    EXPECT_TRUE(fake_.waitOpen(false));
    EXPECT_TRUE(lockBecomesFree());
    EXPECT_EQ(fake_.lent(), 0);
}

TEST_F(StillCaptureTest, ReleasesTheCameraWhenItIsRequested)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(asked);
    ASSERT_TRUE(asked.get());
    const auto event = store_->requests().value(CameraRequests::Word::kEvent);
    ASSERT_FALSE(lockIsFree());
    store_->requests().requestCamera();
    EXPECT_TRUE(fake_.waitOpen(false));
    EXPECT_TRUE(lockBecomesFree());
    EXPECT_NE(store_->requests().value(CameraRequests::Word::kEvent), event);
}

TEST_F(StillCaptureTest, ReleasesItWhileItWaitsForAFrame)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    store_->requests().requestCamera();
    const auto answer = asked.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kInterrupted);
    EXPECT_TRUE(lockBecomesFree());
}

TEST_F(StillCaptureTest, TakesAPictureForAnotherWorker)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(asked);
    const auto first = asked.get();
    ASSERT_TRUE(first);
    store_->requests().signal(CameraRequests::Word::kStillRequest);
    const auto deadline = steady_clock::now() + 20s;
    std::uint64_t newest = 0;
    while (newest <= (*first)->sequence && steady_clock::now() < deadline) {
        fake_.emit();
        newest = (*(*store_)->newestEntry())->picture->sequence;
    }
    EXPECT_GT(newest, (*first)->sequence);
}

TEST_F(StillCaptureTest, AnErrorIsToldToAllAndTheNextAskTriesAgain)
{
    fake_.start_error = Error{ErrorKind::kNoCamera, "there is no camera"};
    EXPECT_EQ(ask().get().error().message, "there is no camera");
    EXPECT_TRUE(lockIsFree());
    fake_.start_error.reset();
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    ASSERT_TRUE(fake_.fail({ErrorKind::kCameraFailed, "unplugged"}));
    EXPECT_EQ(asked.get().error().message, "unplugged");
    auto again = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    feed(again);
    EXPECT_TRUE(again.get());
}

TEST_F(StillCaptureTest, AStalledCameraIsAnError)
{
    settings_.camera.stall = 30ms;
    fake_.fps = 1000;
    start();
    EXPECT_EQ(ask().get().error().kind, ErrorKind::kStalled);
    EXPECT_TRUE(lockBecomesFree());
}

TEST_F(StillCaptureTest, AnAskEndsAtItsDeadline)
{
    EXPECT_EQ(capture_->capture({}, steady_clock::now() + 20ms).error().kind, ErrorKind::kTimeout);
}

TEST_F(StillCaptureTest, ADriverThatDoesNotComeBackIsLeftToAFreshProcess)
{
    driver_timeout_ = 50ms;
    fake_.hang(FakeCamera::Hang::kInOpen);
    start();
    auto asked = ask();
    auto given_up = given_up_.get_future();
    ASSERT_EQ(given_up.wait_for(20s), std::future_status::ready);
    EXPECT_EQ(given_up.get(), "the camera's driver does not come back: opening the camera");
    fake_.hang(FakeCamera::Hang::kNowhere);
    feed(asked);
    EXPECT_TRUE(asked.get());
}

TEST_F(StillCaptureTest, StoppingAnswersWhoWaits)
{
    auto asked = ask();
    ASSERT_TRUE(fake_.waitOpen(true));
    capture_->stop();
    EXPECT_FALSE(asked.get());
    EXPECT_FALSE(capture_->capture({}, steady_clock::now() + 20s));
    EXPECT_TRUE(lockIsFree());
}

TEST_F(StillCaptureTest, TheRequesterMayTakeTheCameraFirst)
{
    auto asked = ask();
    feed(asked);
    ASSERT_TRUE(asked.get());
    store_->requests().requestCamera();
    ASSERT_TRUE(lockBecomesFree());
    const auto refused = ask(steady_clock::now()).get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInterrupted);
    EXPECT_TRUE(lockIsFree());
    // Nobody came: the next who asks gets a picture again.
    Expected<PicturePtr> again = refused;
    const auto deadline = steady_clock::now() + 20s;
    while (!again && steady_clock::now() < deadline) {
        auto next = ask();
        feed(next);
        again = next.get();
    }
    EXPECT_TRUE(again);
    // Or it has come and gone.
    store_->requests().requestCamera();
    ASSERT_TRUE(lockBecomesFree());
    store_->requests().cameraGranted();
    auto next = ask(steady_clock::now());
    feed(next);
    EXPECT_TRUE(next.get());
}

// The rules of "a still", with the camera lock in another's hands.
class StillsTest : public StillCaptureTest {
protected:
    void SetUp() override
    {
        StillCaptureTest::SetUp();
        other_ = std::move(*CameraLock::tryTake(settings_.lockPath(), "picam-other"));
        stills_.emplace(settings_, **store_, store_->requests(), *capture_);
    }
    // What another process, which has the camera, publishes.
    enum class As { kCapture, kStream, kStreamThatOffersStills, kStillBeside };
    std::uint32_t controls_generation_ = 0;
    void publish(std::chrono::milliseconds age, As as, bool converged = true)
    {
        Picture picture;
        picture.bytes = {0xff, 0xd8, 0xff, 0xd9};
        picture.size = as == As::kStillBeside ? Size{128, 96} : Size{64, 48};
        picture.captured = steady_clock::now() - age;
        picture.captured_wall = wallTimeOf(picture.captured);
        picture.converged = converged;
        picture.controls_generation = controls_generation_;
        StoreTag tag;
        tag.stream = as != As::kCapture;
        tag.still_offered = as == As::kStreamThatOffersStills;
        tag.still_size = as == As::kStillBeside;
        tag.interval = tag.stream ? 33ms : 0ms;
        ASSERT_TRUE((*store_)->publish(picture, tag));
    }

    std::optional<CameraLock> other_;
    std::optional<Stills> stills_;
};

TEST_F(StillsTest, TheStreamsNewestFrame)
{
    publish(10ms, As::kStream);
    const auto still = stills_->get();
    ASSERT_TRUE(still) << still.error().message;
    EXPECT_EQ(still->origin, StillOrigin::kStream);
    EXPECT_EQ(fake_.starts(), 0);
}

TEST_F(StillsTest, AnotherWorkersPictureIfItIsYoungEnough)
{
    publish(500ms, As::kCapture);
    const auto still = stills_->get();
    ASSERT_TRUE(still);
    EXPECT_EQ(still->origin, StillOrigin::kCache);
}

TEST_F(StillsTest, ElseWaitsForTheCaptureOfTheOther)
{
    publish(5000ms, As::kCapture);
    auto asked = std::async(std::launch::async, [this] { return stills_->get(); });
    const auto request = store_->requests().value(CameraRequests::Word::kStillRequest);
    const auto deadline = steady_clock::now() + 20s;
    while (store_->requests().value(CameraRequests::Word::kStillRequest) == request &&
           asked.wait_for(0s) != std::future_status::ready && steady_clock::now() < deadline)
        store_->requests().waitChanged(CameraRequests::Word::kStillRequest, request, steady_clock::now() + 100ms);
    publish(0ms, As::kCapture);
    const auto still = asked.get();
    ASSERT_TRUE(still);
    EXPECT_EQ(still->origin, StillOrigin::kCapture);
}

TEST_F(StillsTest, AnOldFrameOfTheStreamIsNotServedAsNew)
{
    settings_.snapshot.deadline = 100ms;
    stills_.emplace(settings_, **store_, store_->requests(), *capture_);
    publish(2000ms, As::kStream);
    const auto still = stills_->get();
    ASSERT_FALSE(still);
    EXPECT_EQ(still.error().kind, ErrorKind::kTimeout);
    EXPECT_NE(still.error().message.find("picam-other"), std::string::npos);
}

// Whoever made it, and however new it is.
TEST_F(StillsTest, PicturesFromBeforeAChangeOfTheControlsAreNotServed)
{
    settings_.snapshot.deadline = 50ms;
    stills_.emplace(settings_, **store_, store_->requests(), *capture_);
    store_->requests().setControlsGeneration(2);
    for (const As as : {As::kCapture, As::kStream, As::kStillBeside}) {
        controls_generation_ = 2;
        publish(0ms, as == As::kStillBeside ? As::kStreamThatOffersStills : as);
        controls_generation_ = 1;
        publish(0ms, as);
        if (as == As::kStillBeside) { // the stream's own is new enough, but it has another size
            controls_generation_ = 2;
            publish(0ms, As::kStreamThatOffersStills);
        }
        const auto still = stills_->get();
        EXPECT_TRUE(!still || still->picture->controls_generation == 2);
        EXPECT_TRUE(as == As::kStillBeside || !still);
    }
    controls_generation_ = 2;
    publish(0ms, As::kStream);
    EXPECT_TRUE(stills_->get());
    controls_generation_ = 3; // already, while this process has not heard of the change
    publish(0ms, As::kStream);
    EXPECT_TRUE(stills_->get());
}

TEST_F(StillsTest, AStreamThatHasNotConvergedIsWaitedFor)
{
    settings_.snapshot.settle = 100ms;
    stills_.emplace(settings_, **store_, store_->requests(), *capture_);
    const auto asked = steady_clock::now();
    auto still = std::async(std::launch::async, [this] { return stills_->get(); });
    while (still.wait_for(5ms) != std::future_status::ready)
        publish(0ms, As::kStream, false);
    ASSERT_TRUE(still.get());
    EXPECT_GE(steady_clock::now() - asked, 100ms);
}

// Older than one interval: the next is being encoded, and is waited for.
TEST_F(StillsTest, AFrameOlderThanAnIntervalIsNotOfNow)
{
    publish(50ms, As::kStream);
    const auto asked = steady_clock::now();
    auto still = std::async(std::launch::async, [this] { return stills_->get(); });
    EXPECT_EQ(still.wait_for(20ms), std::future_status::timeout);
    publish(0ms, As::kStream);
    const auto got = still.get();
    ASSERT_TRUE(got);
    EXPECT_GE(got->picture->captured + 33ms, asked);
}

TEST_F(StillsTest, OneOfItsOwnSizeIsRequestedBesideTheStream)
{
    publish(0ms, As::kStillBeside); // somebody else's, before: still new enough to share
    publish(0ms, As::kStreamThatOffersStills);
    const auto shared = stills_->get();
    ASSERT_TRUE(shared);
    EXPECT_EQ(shared->origin, StillOrigin::kStream);
    EXPECT_EQ(shared->picture->size, (Size{128, 96}));

    const auto request = store_->requests().value(CameraRequests::Word::kStillRequest);
    const auto later = steady_clock::now() + 40ms; // that one is older than an interval then
    while (steady_clock::now() < later)
        publish(0ms, As::kStreamThatOffersStills);
    const auto asked = steady_clock::now();
    auto still = std::async(std::launch::async, [this] { return stills_->get(); });
    const auto deadline = steady_clock::now() + 20s;
    while (store_->requests().value(CameraRequests::Word::kStillRequest) == request && steady_clock::now() < deadline)
        publish(0ms, As::kStreamThatOffersStills);
    EXPECT_NE(still.wait_for(0s), std::future_status::ready);
    publish(0ms, As::kStillBeside);
    const auto got = still.get();
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->picture->size, (Size{128, 96}));
    EXPECT_GE(got->picture->captured + 33ms, asked);
    EXPECT_EQ(fake_.starts(), 0);
}

TEST_F(StillsTest, ABrokenStillOutputCostsTheSizeAndNotThePicture)
{
    settings_.snapshot.deadline = 1s;
    stills_.emplace(settings_, **store_, store_->requests(), *capture_);
    auto still = std::async(std::launch::async, [this] { return stills_->get(); });
    while (still.wait_for(5ms) != std::future_status::ready)
        publish(0ms, As::kStreamThatOffersStills);
    const auto got = still.get();
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->picture->size, (Size{64, 48}));
}

TEST_F(StillsTest, AHolderThatDiesIsNoticed)
{
    auto asked = std::async(std::launch::async, [this] { return stills_->get(); });
    other_.reset(); // as the kernel does: without a word to the store
    ASSERT_TRUE(fake_.waitOpen(true, 20s));
    feed(asked);
    const auto still = asked.get();
    ASSERT_TRUE(still);
    EXPECT_EQ(still->origin, StillOrigin::kCapture);
}

} // namespace
} // namespace picam
