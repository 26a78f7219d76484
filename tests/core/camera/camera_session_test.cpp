#include "core/camera/camera_session.h"

#include "tests/fakes/fake_source.h"
#include "tests/fakes/temp_dir.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::FakeCamera;
using testing::TempDir;
using namespace std::chrono_literals;

class CameraSessionTest : public ::testing::Test {
protected:
    Expected<std::unique_ptr<CameraSession>> open(Milliseconds stall = 10s)
    {
        auto lock = CameraLock::tryTake(dir_.file("l"), "test");
        if (!lock || !*lock)
            return fail(ErrorKind::kCameraBusy, "locked");
        return CameraSession::open(std::move(**lock), camera_.makeSource(), SourceRequest{}, stall);
    }
    bool lockIsFree()
    {
        auto lock = CameraLock::tryTake(dir_.file("l"), "test");
        return lock && *lock;
    }

    TempDir dir_;
    FakeCamera camera_;
};

TEST_F(CameraSessionTest, HoldsTheLockAsLongAsTheCamera)
{
    auto session = open();
    ASSERT_TRUE(session);
    EXPECT_FALSE(lockIsFree());
    EXPECT_TRUE(camera_.waitOpen(true));
    session->reset();
    EXPECT_TRUE(camera_.waitOpen(false));
    EXPECT_TRUE(lockIsFree());
}

TEST_F(CameraSessionTest, ReleasesTheLockWhenTheSourceDoesNotStart)
{
    camera_.start_error = Error{ErrorKind::kNoCamera, "none"};
    const auto session = open();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::kNoCamera);
    EXPECT_TRUE(lockIsFree());
}

TEST_F(CameraSessionTest, GivesTheNewestFrameAndCountsTheOthers)
{
    auto session = open();
    ASSERT_TRUE(session);
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(camera_.emit());
    {
        const auto frame = (*session)->nextFrame(steady_clock::time_point::max());
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->dropped_before, 4U);
        EXPECT_EQ(camera_.lent(), 1);
    }
    EXPECT_EQ(camera_.lent(), 0);
    ASSERT_TRUE(camera_.emit());
    session->reset(); // with a frame still in the slot
    EXPECT_EQ(camera_.lent(), 0);
}

TEST_F(CameraSessionTest, SaysWhenTheCameraStallsOrFails)
{
    camera_.fps = 1000; // two intervals are less than the stall
    auto session = open(20ms);
    ASSERT_TRUE(session);
    EXPECT_EQ((*session)->nextFrame(steady_clock::time_point::max()).error().kind, ErrorKind::kStalled);
    ASSERT_TRUE(camera_.fail({ErrorKind::kNoCamera, "unplugged"}));
    ASSERT_TRUE(camera_.emit()); // comes too late to hide the error
    EXPECT_EQ((*session)->nextFrame(steady_clock::time_point::max()).error().message, "unplugged");
}

TEST_F(CameraSessionTest, AStillAskedForAfterTheCameraFailedSaysWhy)
{
    auto session = open();
    ASSERT_TRUE(session);
    ASSERT_TRUE(camera_.fail({ErrorKind::kNoCamera, "unplugged"}));
    for (int asked = 0; asked < 2; ++asked)
        EXPECT_EQ((*session)->takeStill(steady_clock::time_point::max()).error().message, "unplugged");
    EXPECT_EQ((*session)->nextFrame(steady_clock::time_point::max()).error().message, "unplugged");
}

TEST_F(CameraSessionTest, TheDeadlineAndAnInterruptionEndTheWait)
{
    auto session = open();
    ASSERT_TRUE(session);
    EXPECT_EQ((*session)->nextFrame(steady_clock::now()).error().kind, ErrorKind::kTimeout);
    (*session)->interrupt();
    EXPECT_EQ((*session)->nextFrame(steady_clock::time_point::max()).error().kind, ErrorKind::kInterrupted);
}

} // namespace
} // namespace picam
