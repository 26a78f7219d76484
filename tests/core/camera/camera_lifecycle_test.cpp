#include "core/camera/camera_lifecycle.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using Action = CameraLifecycle::Action;
using State = CameraLifecycle::State;

constexpr CameraPolicy kStreams{.waits_for_lock = true, .yields = false, .retries = true};
constexpr CameraPolicy kStills{.waits_for_lock = false, .yields = true, .retries = false};

// The state machine with the test's clock: each helper takes the step that the owner would.
class Lifecycle {
public:
    explicit Lifecycle(CameraPolicy policy) : machine(policy, 3000ms, 1) {}

    CameraLifecycle::Step next() { return machine.next(in, now); }
    void demand(bool on)
    {
        in.generation += on ? 1U : 0U;
        in.demanded = on;
    }
    void lock()
    {
        ASSERT_EQ(next().action, Action::kTryLock);
        machine.lockTaken();
    }
    void open(double fps = 30)
    {
        lock();
        ASSERT_EQ(next().action, Action::kOpen);
        in.failure.reset();
        in.last_frame.reset();
        in.requested_elsewhere = false;
        machine.opened("cam", fps, now);
        ASSERT_EQ(machine.state(), State::kStreaming);
    }
    void frame(std::chrono::milliseconds later = 33ms)
    {
        now += later;
        in.last_frame = now;
    }
    void close()
    {
        ASSERT_EQ(next().action, Action::kClose);
        ASSERT_EQ(machine.state(), State::kClosing);
        machine.closed(in, now);
    }
    // A camera that is open gives nothing until it counts as hanging.
    void stall()
    {
        const auto step = next();
        ASSERT_EQ(step.action, Action::kWait);
        now = step.until;
        close();
    }
    std::string report()
    {
        const auto why = machine.takeReport();
        return why ? why->message : "";
    }

    CameraLifecycle machine;
    CameraLifecycle::Inputs in;
    MonotonicTime now{1h};
};

TEST(CameraLifecycle, NobodyDemandsFramesAndNothingIsTouched)
{
    Lifecycle camera(kStreams);
    const auto step = camera.next();
    EXPECT_EQ(step.action, Action::kWait);
    EXPECT_EQ(step.until, MonotonicTime::max()) << "no wake-up";
    EXPECT_EQ(camera.machine.state(), State::kIdle);
}

TEST(CameraLifecycle, OpensForADemandAndClosesWhenItEnds)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open();
    camera.frame();
    EXPECT_EQ(camera.next().action, Action::kWait);
    camera.demand(false);
    camera.close();
    EXPECT_EQ(camera.machine.state(), State::kIdle);
    EXPECT_EQ(camera.report(), "");
    EXPECT_EQ(camera.next().until, MonotonicTime::max());
}

TEST(CameraLifecycle, ADemandThatEndsWhileTheCameraOpensClosesIt)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open();
    camera.demand(false);
    camera.close();
    EXPECT_EQ(camera.machine.state(), State::kIdle);
}

TEST(CameraLifecycle, ADemandThatEndsBeforeTheLockIsTriedTouchesNothing)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    EXPECT_EQ(camera.next().action, Action::kTryLock);
    camera.demand(false);
    EXPECT_EQ(camera.next().action, Action::kWait);
    EXPECT_EQ(camera.machine.state(), State::kIdle);
}

TEST(CameraLifecycle, TheStreamWaitsForTheLockAndReportsAHolderOnlyAfterAWhile)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    std::string told;
    const auto begun = camera.now;
    int tries = 0;
    while (camera.now - begun < 3s) {
        ASSERT_EQ(camera.next().action, Action::kTryLock);
        camera.machine.lockHeldElsewhere("picam-snapshot 12", camera.now);
        ++tries;
        if (const auto why = camera.report(); !why.empty()) {
            EXPECT_GE(camera.now - begun, CameraLifecycle::kBusyReportDelay);
            EXPECT_EQ(told, "") << "once";
            told = why;
        }
        const auto step = camera.next();
        ASSERT_EQ(step.action, Action::kAwaitRelease);
        EXPECT_LE(step.until - camera.now, CameraLifecycle::kLockPoll);
        camera.now = step.until;
        camera.machine.releaseAwaited();
    }
    EXPECT_EQ(told, "the camera is in use by picam-snapshot 12");
    EXPECT_GE(tries, 6);
    camera.open();
}

TEST(CameraLifecycle, WaitingForTheLockEndsWithTheDemand)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("", camera.now);
    camera.demand(false);
    EXPECT_EQ(camera.next().action, Action::kWait);
    EXPECT_EQ(camera.machine.state(), State::kIdle);
}

TEST(CameraLifecycle, AnotherDemandWhileItWaitsForTheLockHearsOfTheHolderToo)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("x", camera.now);
    camera.now += 2s;
    camera.machine.releaseAwaited();
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("x", camera.now);
    EXPECT_NE(camera.report(), "");
    camera.demand(true);
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("x", camera.now);
    EXPECT_EQ(camera.report(), "") << "the time counts anew";
    camera.now += 2s;
    camera.machine.releaseAwaited();
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("x", camera.now);
    EXPECT_NE(camera.report(), "");
}

TEST(CameraLifecycle, StillsAreRefusedAtOnceWhenTheLockIsHeldElsewhere)
{
    Lifecycle camera(kStills);
    camera.demand(true);
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.lockHeldElsewhere("picam-streamd 7", camera.now);
    EXPECT_EQ(camera.machine.takeReport()->kind, ErrorKind::kInterrupted);
    const auto step = camera.next();
    EXPECT_EQ(step.action, Action::kWait);
    EXPECT_EQ(step.until, MonotonicTime::max());
    camera.demand(true); // another one
    camera.open();
}

TEST(CameraLifecycle, OnlyStillsYieldToAnotherProcess)
{
    Lifecycle stills(kStills);
    stills.demand(true);
    stills.open();
    stills.frame();
    stills.in.requested_elsewhere = true;
    ASSERT_EQ(stills.next().action, Action::kClose);
    EXPECT_EQ(stills.machine.takeReport()->kind, ErrorKind::kInterrupted) << "said before it is closed";
    stills.machine.closed(stills.in, stills.now);
    EXPECT_EQ(stills.machine.state(), State::kRefused);
    EXPECT_EQ(stills.next().action, Action::kWait) << "the same demand does not take it back";

    Lifecycle stream(kStreams);
    stream.demand(true);
    stream.open();
    stream.in.requested_elsewhere = true;
    EXPECT_EQ(stream.next().action, Action::kWait);
}

TEST(CameraLifecycle, AFailedOpeningIsTriedAgainWithBackoff)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    auto longest = 0ms;
    for (int i = 0; i < 8; ++i) {
        camera.lock();
        ASSERT_EQ(camera.next().action, Action::kOpen);
        camera.machine.failed({ErrorKind::kNoCamera, "there is no camera"}, camera.in, camera.now);
        EXPECT_EQ(camera.report(), "there is no camera");
        const auto step = camera.next();
        ASSERT_EQ(step.action, Action::kWait);
        EXPECT_EQ(camera.machine.state(), State::kBackingOff);
        longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(step.until - camera.now));
        camera.now = step.until;
    }
    EXPECT_GT(longest, 4s);
    EXPECT_LE(longest, Backoff::kLongest);
    camera.open(); // a camera that is not there is waited for as long as it takes
}

TEST(CameraLifecycle, ACameraThatIsPluggedInEndsBackingOffAndStartsThePausesAnew)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    for (int i = 0; i < 8; ++i) {
        camera.lock();
        camera.machine.failed({ErrorKind::kNoCamera, "none"}, camera.in, camera.now);
        const auto step = camera.next();
        ASSERT_EQ(step.action, Action::kWait);
        if (i < 7)
            camera.now = step.until;
    }
    ASSERT_GT(camera.machine.backoff(), Backoff::kFirst);
    camera.in.camera_added = true;
    camera.lock();
    // It may need a moment until it can be opened.
    camera.machine.failed({ErrorKind::kCameraFailed, "not yet"}, camera.in, camera.now);
    EXPECT_LE(camera.machine.backoff(), Backoff::kFirst);
}

TEST(CameraLifecycle, BackingOffEndsWithTheDemandAndWithAnotherOne)
{
    for (const bool again : {false, true}) {
        Lifecycle camera(kStreams);
        camera.demand(true);
        camera.lock();
        camera.machine.failed({ErrorKind::kNoCamera, "none"}, camera.in, camera.now);
        camera.demand(again);
        EXPECT_EQ(camera.next().action, again ? Action::kTryLock : Action::kWait);
        EXPECT_EQ(camera.machine.state(), again ? State::kLocking : State::kIdle);
    }
}

TEST(CameraLifecycle, ForStillsAFailureIsReportedAndTheNextDemandTriesAgain)
{
    Lifecycle camera(kStills);
    camera.demand(true);
    camera.lock();
    camera.machine.failed({ErrorKind::kCameraBusy, "another program has the camera"}, camera.in, camera.now);
    EXPECT_EQ(camera.report(), "another program has the camera");
    EXPECT_EQ(camera.machine.state(), State::kRefused);
    EXPECT_EQ(camera.next().until, MonotonicTime::max());
    camera.demand(false);
    EXPECT_EQ(camera.next().action, Action::kWait);
    camera.demand(true);
    camera.open();
}

TEST(CameraLifecycle, AFailureThatNobodyDemandsAnyMoreIsNotReported)
{
    for (const bool again : {false, true}) {
        Lifecycle camera(kStreams);
        camera.demand(true);
        camera.lock();
        camera.demand(again);
        camera.machine.failed({ErrorKind::kNoCamera, "none"}, camera.in, camera.now);
        EXPECT_EQ(camera.report(), "");
        EXPECT_EQ(camera.next().action, again ? Action::kTryLock : Action::kWait);
    }
}

TEST(CameraLifecycle, AnOpenCameraAnswersALaterDemandAndFailsForIt)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open();
    camera.frame();
    camera.demand(true);
    EXPECT_EQ(camera.next().action, Action::kWait);
    camera.in.failure = Error{ErrorKind::kCameraFailed, "the cable fell out"};
    camera.close();
    EXPECT_EQ(camera.report(), "the cable fell out");
    EXPECT_EQ(camera.machine.state(), State::kBackingOff);
}

TEST(CameraLifecycle, TheFirstStallIsRestartedAtOnceAndNobodyHears)
{
    for (const CameraPolicy &policy : {kStreams, kStills}) {
        Lifecycle camera(policy);
        camera.demand(true);
        camera.open();
        camera.frame();
        camera.stall();
        EXPECT_EQ(camera.report(), "");
        EXPECT_EQ(camera.machine.state(), State::kLocking);
        camera.open();
    }
}

TEST(CameraLifecycle, ASlowRateIsNoStall)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open(0.1);
    camera.now += 19s;
    EXPECT_EQ(camera.next().action, Action::kWait);
    camera.now += 2s;
    EXPECT_EQ(camera.next().action, Action::kClose);
}

// Three of them: those that were begun before it was set take as long.
TEST(CameraLifecycle, ALongExposureSetByHandIsNoStall)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open();
    camera.frame();
    camera.in.exposure = 10s;
    camera.now += 29s;
    EXPECT_EQ(camera.next().action, Action::kWait);
    camera.in.exposure = 0s;
    EXPECT_EQ(camera.next().action, Action::kClose) << "it is short again, and nothing comes";
}

TEST(CameraLifecycle, StallsInARowAreReportedAndAtLastGivenUp)
{
    for (const CameraPolicy &policy : {kStreams, kStills}) {
        Lifecycle camera(policy);
        camera.demand(true);
        for (int i = 1; i < CameraLifecycle::kMaxStalls; ++i) {
            camera.open();
            camera.stall(); // without a single frame
            EXPECT_NE(camera.report().find("cam gave no frame for 3000 ms"), std::string::npos);
            if (policy.retries)
                camera.now = camera.next().until;
            else
                camera.demand(true);
        }
        camera.open();
        camera.stall();
        EXPECT_NE(camera.report(), "");
        ASSERT_EQ(camera.next().action, Action::kGiveUp);
        EXPECT_NE(camera.machine.error()->message.find("4 times in a row"), std::string::npos);
        EXPECT_EQ(camera.next().action, Action::kWait) << "once";
        camera.in.stopping = true;
        EXPECT_EQ(camera.next().action, Action::kEnd);
    }
}

TEST(CameraLifecycle, ACameraThatDoesNotAnswerWhenItIsOpenedIsAStallToo)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    for (int i = 0; i < CameraLifecycle::kMaxStalls; ++i) {
        ASSERT_NE(camera.machine.state(), State::kGivenUp) << i;
        camera.lock();
        camera.machine.failed({ErrorKind::kStalled, "the camera does not answer"}, camera.in, camera.now);
        EXPECT_EQ(camera.report(), "the camera does not answer");
        camera.now += 1h;
    }
    EXPECT_EQ(camera.machine.state(), State::kGivenUp);
    EXPECT_EQ(camera.next().action, Action::kGiveUp);
}

TEST(CameraLifecycle, AFrameBetweenStallsStartsTheCountAnew)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    for (int i = 0; i < 3 * CameraLifecycle::kMaxStalls; ++i) {
        camera.open();
        camera.frame();
        camera.stall();
        ASSERT_EQ(camera.machine.state(), State::kLocking);
    }
}

TEST(CameraLifecycle, FailuresOfOtherKindsAreNeverGivenUp)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    for (int i = 0; i < 3 * CameraLifecycle::kMaxStalls; ++i) {
        camera.open();
        camera.in.failure = Error{ErrorKind::kCameraFailed, "driver error"};
        camera.close();
        ASSERT_EQ(camera.machine.state(), State::kBackingOff);
        camera.now = camera.next().until;
    }
}

TEST(CameraLifecycle, StoppingClosesWhatIsOpenAndEnds)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.open();
    camera.in.stopping = true;
    camera.close();
    EXPECT_EQ(camera.next().action, Action::kEnd);

    Lifecycle locked(kStreams);
    locked.demand(true);
    locked.lock();
    locked.in.stopping = true;
    EXPECT_EQ(locked.next().action, Action::kUnlock);
    locked.machine.unlocked();
    EXPECT_EQ(locked.next().action, Action::kEnd);
}

TEST(CameraLifecycle, ADemandThatEndsWithTheLockTakenReleasesIt)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    camera.lock();
    camera.demand(false);
    EXPECT_EQ(camera.next().action, Action::kUnlock);
    camera.machine.unlocked();
    EXPECT_EQ(camera.next().action, Action::kWait);
}

TEST(CameraLifecycle, ALockFileThatCannotBeOpenedIsAFailureLikeAnyOther)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    ASSERT_EQ(camera.next().action, Action::kTryLock);
    camera.machine.failed({ErrorKind::kIo, "no such folder"}, camera.in, camera.now);
    EXPECT_EQ(camera.report(), "no such folder");
    EXPECT_EQ(camera.machine.state(), State::kBackingOff);
    const auto step = camera.next();
    EXPECT_EQ(step.action, Action::kWait);
    camera.now = step.until;
    camera.open();
}

TEST(CameraLifecycle, StoppingEndsEveryWait)
{
    const Error broken{ErrorKind::kCameraFailed, "broken"};
    Lifecycle backing_off(kStreams);
    backing_off.demand(true);
    backing_off.lock();
    backing_off.machine.failed(broken, backing_off.in, backing_off.now);
    ASSERT_EQ(backing_off.machine.state(), State::kBackingOff);
    Lifecycle waiting(kStreams);
    waiting.demand(true);
    ASSERT_EQ(waiting.next().action, Action::kTryLock);
    waiting.machine.lockHeldElsewhere("another", waiting.now);
    ASSERT_EQ(waiting.machine.state(), State::kWaitingForLock);
    Lifecycle refused(kStills);
    refused.demand(true);
    refused.lock();
    refused.machine.failed(broken, refused.in, refused.now);
    ASSERT_EQ(refused.machine.state(), State::kRefused);
    for (Lifecycle *camera : {&backing_off, &waiting, &refused}) {
        camera->in.stopping = true;
        EXPECT_EQ(camera->next().action, Action::kEnd);
    }
}

TEST(CameraLifecycle, FramesThatNobodyCanUseAreNoReasonToTryAgainAtOnce)
{
    Lifecycle camera(kStreams);
    camera.demand(true);
    for (int round = 0; round < 8; ++round) {
        camera.open();
        camera.frame();
        camera.in.failure = Error{ErrorKind::kCorrupt, "JPEG is cut off"};
        camera.close();
        ASSERT_EQ(camera.machine.state(), State::kBackingOff);
        camera.now = camera.next().until;
    }
    EXPECT_GE(camera.machine.backoff(), 2000ms) << "it has grown";
}

} // namespace
} // namespace picam
