#include "core/camera/camera_controller.h"

#include "core/camera/pattern_controls.h"
#include "tests/fakes/fake_source.h"
#include "tests/fakes/temp_dir.h"

#include <condition_variable>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::FakeCamera;
using testing::TempDir;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

// Remembers what it hears, and waits for it.
class Observer : public CameraObserver {
public:
    void onCameraOpened(const SourceInfo &info) override { note("opened " + info.name); }
    void onCameraClosing() override { note("closing"); }
    void onCameraUnavailable(const Error &why) override { note("unavailable: " + why.message); }
    void onFrameRateChanged() override { note("another rate"); }
    void onStillRequested() override { note("still requested"); }
    void onCameraStopped() override { note("stopped"); }
    void note(const std::string &what)
    {
        {
            const MutexLock lock(mutex_);
            events_.push_back(what);
        }
        changed_.notify_all();
    }
    // Waits until an event that begins so has happened `count` times; the events so far, one a line, if it never does.
    [[nodiscard]] bool heard(const std::string &what, int count = 1)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        UniqueLock lock(mutex_);
        while (countOf(what) < count)
            if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                return false;
        return true;
    }
    [[nodiscard]] int count(const std::string &what)
    {
        const MutexLock lock(mutex_);
        return countOf(what);
    }
    [[nodiscard]] std::vector<std::string> events()
    {
        const MutexLock lock(mutex_);
        return events_;
    }

private:
    [[nodiscard]] int countOf(const std::string &what) const PICAM_REQUIRES(mutex_)
    {
        int count = 0;
        for (const std::string &event : events_)
            count += event.rfind(what, 0) == 0 ? 1 : 0;
        return count;
    }

    Mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> events_ PICAM_GUARDED_BY(mutex_);
};

class CameraControllerTest : public ::testing::Test {
protected:
    CameraControllerTest()
    {
        options_.lock_path = dir_.file("l");
        options_.name = "test";
        options_.stall_timeout = 10s;
        options_.policy = {.waits_for_lock = true, .yields = false, .retries = true};
        start();
    }
    void start()
    {
        frames_.reset();
        controller_.reset();
        controller_ =
            std::make_unique<CameraController>(options_, camera_.factory(), requests_, observer_,
                                               [this](const std::string &why) { observer_.note("gave up: " + why); });
        frames_ = controller_->bus().subscribe(1);
        controller_->start();
    }
    void demandAndOpen()
    {
        const int before = observer_.count("opened");
        frames_->setDemand(0);
        ASSERT_TRUE(observer_.heard("opened", before + 1));
    }
    [[nodiscard]] bool lockIsFree() const
    {
        const auto lock = CameraLock::tryTake(options_.lock_path, "another");
        return lock && *lock;
    }
    [[nodiscard]] bool lockBecomesFree() const
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (steady_clock::now() < deadline) {
            const auto seen = requests_.value(CameraRequests::Word::kEvent);
            if (lockIsFree())
                return true;
            requests_.waitChanged(CameraRequests::Word::kEvent, seen, deadline);
        }
        return false;
    }

    // What is wanted of the camera, from now on.
    void wantControls(std::uint32_t generation, ControlValues values)
    {
        {
            const MutexLock lock(wanted_mutex_);
            wanted_.generation = generation;
            wanted_.cameras["fake"].values = std::move(values);
        }
        requests_.setControlsGeneration(generation);
    }
    // As a process leaves it that ends with them.
    void leaveTrialOf(ControlValues values)
    {
        ControlsRequest request;
        request.cameras["fake"].values = std::move(values);
        ControlsTrial(dir_.file("trial")).begin(trialKey(request));
    }
    // Restarts the controller as one that loads them.
    void startWithControls()
    {
        options_.load_controls = [this] {
            const MutexLock lock(wanted_mutex_);
            return wanted_;
        };
        options_.trial_path = dir_.file("trial");
        camera_.controls = PatternControls::infos();
        start();
    }
    // Frames until one has these controls in force.
    [[nodiscard]] SharedFrame frameWith(std::uint32_t generation)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (steady_clock::now() < deadline) {
            camera_.emit();
            auto taken = frames_->take(steady_clock::now() + 100ms);
            if (taken && taken->frame->metadata().controls_generation == generation)
                return taken->frame;
        }
        return nullptr;
    }

    // Until "a" has been read as this.
    [[nodiscard]] bool reads(const ControlValue &value, bool asking = false)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (steady_clock::now() < deadline) {
            const ControlsInForce in_force = controller_->controlsInForce();
            if (in_force.read.contains("a") && in_force.read.at("a") == value)
                return true;
            if (asking)
                controller_->refreshControls();
            std::this_thread::yield();
        }
        return false;
    }

    Mutex wanted_mutex_;
    ControlsRequest wanted_ PICAM_GUARDED_BY(wanted_mutex_);
    TempDir dir_;
    FakeCamera camera_;
    Observer observer_;
    CameraController::Options options_;
    const CameraRequests requests_ = CameraRequests::open(dir_.file("s")).value();
    std::unique_ptr<CameraController> controller_;
    std::unique_ptr<FrameBus::Subscription> frames_; // before its bus goes
};

TEST_F(CameraControllerTest, WithoutASubscribersDemandThereIsNoCamera)
{
    EXPECT_TRUE(lockIsFree());
    EXPECT_EQ(camera_.starts(), 0);
    controller_->stop();
    EXPECT_EQ(observer_.events(), std::vector<std::string>{"stopped"});
    EXPECT_EQ(camera_.starts(), 0);
}

TEST_F(CameraControllerTest, HoldsTheLockAsLongAsTheCamera)
{
    demandAndOpen();
    EXPECT_FALSE(lockIsFree());
    frames_->setDemand(std::nullopt);
    EXPECT_TRUE(camera_.waitOpen(false));
    EXPECT_TRUE(lockBecomesFree());
    EXPECT_EQ(observer_.events(), (std::vector<std::string>{"opened fake", "closing"}));
}

TEST_F(CameraControllerTest, ReleasesTheLockWhenTheSourceDoesNotStart)
{
    camera_.start_error = Error{ErrorKind::kNoCamera, "none"};
    frames_->setDemand(0);
    ASSERT_TRUE(observer_.heard("unavailable: none"));
    EXPECT_TRUE(lockBecomesFree());
    EXPECT_EQ(observer_.count("opened"), 0);
}

// The pauses between tries would add up to minutes.
TEST_F(CameraControllerTest, ACameraThatIsPluggedInIsTriedAtOnce)
{
    camera_.start_error = Error{ErrorKind::kNoCamera, "none"};
    frames_->setDemand(0);
    for (int tries = 1; tries <= 15; ++tries) {
        ASSERT_TRUE(observer_.heard("unavailable: none", tries));
        EXPECT_TRUE(lockBecomesFree()) << "while it waits others may look";
        camera_.plugIn(false);
    }
    camera_.plugIn();
    ASSERT_TRUE(observer_.heard("opened"));
    EXPECT_FALSE(camera_.isWaiting());
}

TEST_F(CameraControllerTest, WhatWaitsForACameraEndsWithTheDemand)
{
    camera_.start_error = Error{ErrorKind::kNoCamera, "none"};
    frames_->setDemand(0);
    ASSERT_TRUE(observer_.heard("unavailable: none"));
    EXPECT_TRUE(camera_.isWaiting());
    frames_->setDemand(std::nullopt);
    EXPECT_TRUE(camera_.waitWaiting(false));
    frames_->setDemand(0);
    EXPECT_TRUE(camera_.waitWaiting(true));
    controller_->stop();
    EXPECT_FALSE(camera_.isWaiting());
}

TEST_F(CameraControllerTest, FramesReachTheSubscriberAndSayWhetherTheyHaveConverged)
{
    demandAndOpen();
    CaptureMetadata searching;
    searching.exposure_converged = false;
    ASSERT_TRUE(camera_.emit(searching));
    auto taken = frames_->take(steady_clock::now() + kDeadline);
    ASSERT_TRUE(taken);
    EXPECT_FALSE(taken->frame->converged());
    EXPECT_FALSE(controller_->converged());
    for (int i = 0; i < Convergence::kFramesInARow; ++i)
        ASSERT_TRUE(camera_.emit());
    taken = frames_->take(steady_clock::now() + kDeadline);
    ASSERT_TRUE(taken);
    EXPECT_TRUE(taken->frame->converged());
    EXPECT_TRUE(controller_->converged());
    EXPECT_EQ(taken->replaced_before, 2U);
}

TEST_F(CameraControllerTest, AFrameInTheMailboxIsRecycledBeforeItsSourceGoes)
{
    demandAndOpen();
    ASSERT_TRUE(camera_.emit());
    EXPECT_EQ(camera_.lent(), 1);
    controller_->stop();
    EXPECT_EQ(camera_.lent(), 0);
}

TEST_F(CameraControllerTest, NoFrameFollowsAnError)
{
    demandAndOpen();
    ASSERT_TRUE(camera_.fail({ErrorKind::kNoCamera, "unplugged"}));
    camera_.emit(); // too late, if the camera is still open
    ASSERT_TRUE(observer_.heard("unavailable: unplugged"));
    EXPECT_EQ(frames_->take(steady_clock::now()).error().kind, ErrorKind::kTimeout);
}

TEST_F(CameraControllerTest, AStillAskedForAfterTheCameraFailedSaysWhy)
{
    camera_.still_size = Size{128, 96};
    demandAndOpen();
    ASSERT_TRUE(camera_.fail({ErrorKind::kNoCamera, "unplugged"}));
    const auto still = controller_->takeStill(steady_clock::now() + kDeadline);
    ASSERT_FALSE(still);
    EXPECT_EQ(still.error().message, "unplugged");
}

TEST_F(CameraControllerTest, WhatCannotBeEncodedIsTheCamerasFailure)
{
    demandAndOpen();
    controller_->reportFailure({ErrorKind::kCorrupt, "not a JPEG"});
    ASSERT_TRUE(observer_.heard("unavailable: not a JPEG"));
    ASSERT_TRUE(observer_.heard("opened", 2)) << "and it is opened anew";
}

TEST_F(CameraControllerTest, SoManyBadFramesInARowAreTheCamerasFailure)
{
    demandAndOpen();
    const Error bad{ErrorKind::kCorrupt, "JPEG is cut off"};
    for (int round = 0; round < 3; ++round) {
        for (int i = 1; i < CameraController::kMaxBadFrames; ++i)
            controller_->reportBadFrame(bad);
        controller_->reportGoodFrame();
    }
    ASSERT_TRUE(camera_.emit());
    ASSERT_TRUE(frames_->take(steady_clock::now() + kDeadline));
    EXPECT_EQ(observer_.count("unavailable"), 0);
    for (int i = 0; i < CameraController::kMaxBadFrames; ++i)
        controller_->reportBadFrame(bad);
    ASSERT_TRUE(observer_.heard("unavailable: JPEG is cut off"));
    ASSERT_TRUE(observer_.heard("opened", 2)) << "and it is opened anew";
}

TEST_F(CameraControllerTest, TheRateIsThePromisedOneOrWhatArrives)
{
    demandAndOpen();
    ASSERT_TRUE(camera_.emit());
    EXPECT_EQ(controller_->frameRate(), 30.0) << "promised";
    frames_->setDemand(std::nullopt);
    ASSERT_TRUE(camera_.waitOpen(false));
    camera_.fps = 0.0;
    frames_->setDemand(0);
    ASSERT_TRUE(camera_.waitOpen(true));
    const auto deadline = steady_clock::now() + kDeadline;
    while (controller_->frameRate() == 0.0 && steady_clock::now() < deadline)
        ASSERT_TRUE(camera_.emit());
    EXPECT_GT(controller_->frameRate(), 0.0);
    EXPECT_NE(controller_->frameRate(), 30.0);
}

TEST_F(CameraControllerTest, AStallAfterFramesIsRestartedInSilence)
{
    options_.stall_timeout = 100ms;
    start();
    demandAndOpen();
    ASSERT_TRUE(camera_.emit());
    ASSERT_TRUE(observer_.heard("opened", 2));
    EXPECT_EQ(observer_.count("unavailable"), 0);
}

TEST_F(CameraControllerTest, FramesKeepAStallAway)
{
    options_.stall_timeout = 300ms;
    start();
    demandAndOpen();
    const auto until = steady_clock::now() + 900ms;
    while (steady_clock::now() < until) {
        ASSERT_TRUE(camera_.emit());
        static_cast<void>(frames_->take(steady_clock::now() + 20ms)); // the time between two frames
    }
    EXPECT_EQ(observer_.count("closing"), 0);
}

TEST_F(CameraControllerTest, RequestsTheCameraAndTakesItWhenItIsReleased)
{
    auto theirs = CameraLock::tryTake(options_.lock_path, "another");
    ASSERT_TRUE(theirs && *theirs);
    const auto seen = requests_.value(CameraRequests::Word::kCameraRequest);
    frames_->setDemand(0);
    const auto deadline = steady_clock::now() + kDeadline;
    while (requests_.value(CameraRequests::Word::kCameraRequest) == seen && steady_clock::now() < deadline)
        requests_.waitChanged(CameraRequests::Word::kCameraRequest, seen, deadline);
    EXPECT_TRUE(requests_.isCameraRequested(60s));
    theirs->reset();
    requests_.signal(CameraRequests::Word::kEvent);
    ASSERT_TRUE(observer_.heard("opened"));
    EXPECT_FALSE(requests_.isCameraRequested(60s)) << "granted";
}

TEST_F(CameraControllerTest, ReportsAHolderThatDoesNotReleaseIt)
{
    auto theirs = CameraLock::tryTake(options_.lock_path, "another");
    frames_->setDemand(0);
    EXPECT_TRUE(observer_.heard("unavailable: the camera is in use by another "));
    frames_->setDemand(std::nullopt);
    controller_->stop(); // which does not wait for the lock
    EXPECT_EQ(camera_.starts(), 0);
}

TEST_F(CameraControllerTest, YieldsToAnotherProcessAndMakesWay)
{
    options_.policy = {.waits_for_lock = false, .yields = true, .retries = false};
    start();
    demandAndOpen();
    requests_.requestCamera();
    ASSERT_TRUE(observer_.heard("unavailable: another process has the camera"));
    EXPECT_TRUE(lockBecomesFree());
    // Demanded anew, it lets the other one go first.
    frames_->setDemand(std::nullopt);
    requests_.requestCamera();
    frames_->setDemand(0);
    ASSERT_TRUE(observer_.heard("unavailable: another process has the camera", 2));
    EXPECT_EQ(camera_.starts(), 1);
}

TEST_F(CameraControllerTest, PassesStillRequestsOn)
{
    demandAndOpen();
    requests_.signal(CameraRequests::Word::kStillRequest);
    EXPECT_TRUE(observer_.heard("still requested"));
}

TEST_F(CameraControllerTest, ADriverThatHangsInOpenIsGivenUp)
{
    options_.driver_timeout = 50ms;
    camera_.hang(FakeCamera::Hang::kInOpen);
    start();
    frames_->setDemand(0);
    EXPECT_TRUE(observer_.heard("gave up: the camera's driver does not come back: opening the camera"));
    camera_.hang(FakeCamera::Hang::kNowhere);
    EXPECT_TRUE(observer_.heard("opened"));
}

TEST_F(CameraControllerTest, ADriverThatHangsInCloseIsGivenUpAndStoppingDoesNotWait)
{
    options_.driver_timeout = 50ms;
    start();
    demandAndOpen();
    camera_.hang(FakeCamera::Hang::kInClose);
    const int before = observer_.count("stopped"); // of the controller before
    controller_->requestStop();                    // returns, though the driver does not
    EXPECT_TRUE(observer_.heard("gave up: the camera's driver does not come back: closing the camera"));
    EXPECT_EQ(observer_.count("stopped"), before);
    camera_.hang(FakeCamera::Hang::kNowhere);
    EXPECT_TRUE(observer_.heard("stopped", before + 1));
}

TEST_F(CameraControllerTest, ADriverThatComesBackIsNotReported)
{
    options_.driver_timeout = 50ms;
    start();
    demandAndOpen();
    const auto until = steady_clock::now() + 150ms;
    while (steady_clock::now() < until)
        static_cast<void>(frames_->take(until));
    EXPECT_EQ(observer_.count("gave up"), 0);
}

TEST_F(CameraControllerTest, TheRateReachesTheSource)
{
    demandAndOpen();
    controller_->setFrameRate(5.0);
    const auto deadline = steady_clock::now() + kDeadline;
    while (camera_.rate() != 5.0 && steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(camera_.rate(), 5.0);
}

TEST_F(CameraControllerTest, ASourceThatFollowsDemandIsAskedForWhatIsTaken)
{
    camera_.follows_demand = true;
    camera_.fps = 0.0;
    options_.stall_timeout = 4s;
    options_.request.fps = 20.0;
    start();
    const auto others = controller_->bus().subscribe(1);
    const auto becomes = [&](double rate) {
        const auto deadline = steady_clock::now() + kDeadline;
        while (camera_.rate() != rate && steady_clock::now() < deadline)
            std::this_thread::yield();
        return camera_.rate() == rate;
    };
    demandAndOpen();
    EXPECT_TRUE(becomes(20.0)) << "every frame: what the settings say";
    frames_->setDemand(5.0);
    EXPECT_TRUE(becomes(5.0));
    others->setDemand(12.0);
    EXPECT_TRUE(becomes(12.0));
    others->setDemand(100.0);
    EXPECT_TRUE(becomes(20.0));
    controller_->setFrameRate(8.0);
    EXPECT_TRUE(becomes(8.0)) << "no more than that";
    others->setDemand(std::nullopt);
    frames_->setDemand(FrameBus::kKeepOpen);
    EXPECT_TRUE(becomes(0.5)) << "two in the time of a stall, to see that it lives";
}

TEST_F(CameraControllerTest, OneThatDoesNotIsNot)
{
    demandAndOpen();
    const double rate = camera_.rate();
    frames_->setDemand(5.0);
    controller_->setFrameRate(7.0); // the next thing that it hears
    const auto deadline = steady_clock::now() + kDeadline;
    while (camera_.rate() == rate && steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(camera_.rate(), 7.0);
}

TEST_F(CameraControllerTest, AnOpeningThatWaitsEndsWithTheDemand)
{
    camera_.hang(FakeCamera::Hang::kInWait);
    const auto becomes = [&](bool waiting) {
        const auto deadline = steady_clock::now() + kDeadline;
        while (camera_.waits() != waiting && steady_clock::now() < deadline)
            std::this_thread::yield();
        return camera_.waits() == waiting;
    };
    frames_->setDemand(0);
    ASSERT_TRUE(becomes(true));
    frames_->setDemand(std::nullopt);
    ASSERT_TRUE(becomes(false));
    EXPECT_TRUE(lockBecomesFree());
    frames_->setDemand(0);
    ASSERT_TRUE(becomes(true));
    controller_->stop();
    EXPECT_TRUE(lockIsFree());
    EXPECT_EQ(observer_.count("unavailable"), 0) << "nobody is there to hear of it";
    EXPECT_EQ(camera_.starts(), 0);
}

TEST_F(CameraControllerTest, ControlsAreThereAtTheOpeningAndWhenTheyChange)
{
    startWithControls();
    wantControls(3, {{"Brightness", 0.5}});
    demandAndOpen();
    EXPECT_EQ(camera_.controlsRequest().generation, 3U);
    EXPECT_EQ(camera_.controlsRequest().wantedOf("fake").at("Brightness"), ControlValue(0.5));
    ASSERT_TRUE(frameWith(3));
    wantControls(4, {{"Brightness", 0.75}});
    ASSERT_TRUE(frameWith(4));
    EXPECT_EQ(camera_.controlsRequest().wantedOf("fake").at("Brightness"), ControlValue(0.75));
    EXPECT_EQ(controller_->controlsInForce().generation, 4U);
    EXPECT_EQ(camera_.starts(), 1);
}

TEST_F(CameraControllerTest, ControlsAreReadAtTheOpeningAfterAChangeAndWhenSomebodyAsks)
{
    options_.reads_controls = true;
    startWithControls();
    camera_.setActual({{"a", std::int64_t{1}}});
    controller_->refreshControls(); // nothing is open
    EXPECT_EQ(camera_.reads(), 0);
    demandAndOpen();
    ASSERT_TRUE(reads(std::int64_t{1}));
    EXPECT_EQ(camera_.reads(), 1);
    EXPECT_TRUE(controller_->controlsInForce().read_lately);
    camera_.setActual({{"a", std::int64_t{2}}});
    wantControls(4, {{"Brightness", 0.75}});
    ASSERT_TRUE(reads(std::int64_t{2}));
    EXPECT_EQ(camera_.reads(), 2);
    // However often somebody asks.
    camera_.setActual({{"a", std::int64_t{3}}});
    const auto begun = steady_clock::now();
    ASSERT_TRUE(reads(std::int64_t{3}, true));
    const int more = camera_.reads() - 2;
    EXPECT_GE(more, 1);
    EXPECT_LE(more, 1 + (steady_clock::now() - begun) / CameraController::kReadInterval);
    // What another opening has read is none of this one's.
    frames_->setDemand(std::nullopt);
    ASSERT_TRUE(observer_.heard("closing"));
    ASSERT_TRUE(lockBecomesFree());
    camera_.setActual({});
    demandAndOpen();
    EXPECT_FALSE(controller_->controlsInForce().read.contains("a"));
}

TEST_F(CameraControllerTest, WhereNobodyAsksNothingIsRead)
{
    startWithControls();
    demandAndOpen();
    wantControls(4, {{"Brightness", 0.75}});
    ASSERT_TRUE(frameWith(4));
    EXPECT_EQ(camera_.reads(), 0);
    camera_.setActual({{"a", true}});
    controller_->refreshControls();
    ASSERT_TRUE(reads(true));
}

TEST_F(CameraControllerTest, ADriverThatHangsWhenItIsReadIsGivenUp)
{
    options_.driver_timeout = 50ms;
    start();
    demandAndOpen();
    camera_.hang(FakeCamera::Hang::kInRead);
    controller_->refreshControls();
    EXPECT_TRUE(observer_.heard("gave up: the camera's driver does not come back: reading controls"));
    EXPECT_TRUE(camera_.emit()) << "frames do not wait for it";
    ASSERT_TRUE(frames_->take(steady_clock::now() + kDeadline));
    EXPECT_EQ(controller_->controlsInForce().read, ControlValues{});
    camera_.hang(FakeCamera::Hang::kNowhere);
}

// What the file says may be newer than what was announced, after a reboot, and older, when it was lost.
TEST_F(CameraControllerTest, FramesAreNeverOfAnOlderGenerationThanWasAnnounced)
{
    startWithControls();
    {
        const MutexLock lock(wanted_mutex_);
        wanted_.generation = 17;
    }
    demandAndOpen();
    ASSERT_TRUE(frameWith(17));
    requests_.setControlsGeneration(20);
    ASSERT_TRUE(frameWith(20));
}

TEST_F(CameraControllerTest, AfterAChangeTheCameraConvergesAnew)
{
    options_.convergence_timeout = 1min;
    startWithControls();
    demandAndOpen();
    for (int i = 0; i < Convergence::kFramesInARow; ++i)
        camera_.emit();
    EXPECT_TRUE(controller_->converged());
    wantControls(1, {{"ExposureValue", 1.0}});
    const auto first = frameWith(1);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->converged());
}

TEST_F(CameraControllerTest, ALongExposureIsASlowRateThatIsSaidAtOnce)
{
    startWithControls();
    demandAndOpen();
    EXPECT_EQ(controller_->frameRate(), 30.0);
    wantControls(1, {{"ExposureTimeMode", std::string("Manual")}, {"ExposureTime", std::int64_t{2'000'000}}});
    ASSERT_TRUE(observer_.heard("another rate"));
    EXPECT_EQ(controller_->frameRate(), 0.5);
    wantControls(2, {});
    ASSERT_TRUE(frameWith(2));
    EXPECT_EQ(controller_->frameRate(), 30.0);
}

TEST_F(CameraControllerTest, AfterAnEndDuringATrialItOpensOnceWithDefaults)
{
    leaveTrialOf({{"Brightness", 0.5}});
    startWithControls();
    wantControls(7, {{"Brightness", 0.5}});
    demandAndOpen();
    EXPECT_TRUE(camera_.controlsRequest().cameras.empty());
    EXPECT_TRUE(controller_->controlsInForce().held_back);
    ASSERT_TRUE(frameWith(7)) << "stills are not held up";
    frames_->setDemand(std::nullopt);
    ASSERT_TRUE(camera_.waitOpen(false));
    demandAndOpen();
    EXPECT_FALSE(camera_.controlsRequest().cameras.empty());
    EXPECT_FALSE(controller_->controlsInForce().held_back);
}

TEST_F(CameraControllerTest, WhatSomebodyChangesAfterwardsIsTriedAtOnce)
{
    leaveTrialOf({{"Brightness", 0.5}});
    startWithControls();
    wantControls(7, {{"Brightness", 0.5}});
    demandAndOpen();
    wantControls(8, {{"Brightness", 0.25}});
    ASSERT_TRUE(frameWith(8));
    EXPECT_FALSE(camera_.controlsRequest().cameras.empty());
    EXPECT_FALSE(controller_->controlsInForce().held_back);
}

TEST_F(CameraControllerTest, ATrialLastsUntilTheCameraIsClosedInGoodOrder)
{
    startWithControls();
    wantControls(7, {{"Brightness", 0.5}});
    demandAndOpen();
    EXPECT_TRUE(std::ifstream(dir_.file("trial")).good());
    frames_->setDemand(std::nullopt);
    ASSERT_TRUE(observer_.heard("closing"));
    controller_->stop();
    EXPECT_FALSE(std::ifstream(dir_.file("trial")).good());
}

// The values of before come with it: they are what has to be held back.
TEST_F(CameraControllerTest, APresetThatIsKeptDoesNotEndTheHoldingBack)
{
    leaveTrialOf({{"Brightness", 0.5}});
    startWithControls();
    wantControls(7, {{"Brightness", 0.5}});
    demandAndOpen();
    {
        const MutexLock lock(wanted_mutex_);
        wanted_.cameras["fake"].presets["night"] = {{"Brightness", 0.25}};
    }
    wantControls(8, {{"Brightness", 0.5}});
    ASSERT_TRUE(frameWith(8));
    EXPECT_TRUE(camera_.controlsRequest().cameras.empty());
    EXPECT_TRUE(controller_->controlsInForce().held_back);
}

TEST_F(CameraControllerTest, WhatHasTheCameraHangIsHeldBackAtTheNextOpening)
{
    options_.stall_timeout = 50ms;
    startWithControls();
    demandAndOpen();
    ASSERT_TRUE(frameWith(0));
    wantControls(7, {{"Brightness", 0.5}});
    ASSERT_TRUE(observer_.heard("opened", 2)) << "it gave no frame any more";
    EXPECT_TRUE(controller_->controlsInForce().held_back);
    EXPECT_TRUE(camera_.controlsRequest().cameras.empty());
}

} // namespace
} // namespace picam
