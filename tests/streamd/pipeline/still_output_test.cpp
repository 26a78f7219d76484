#include "streamd/pipeline/still_output.h"

#include "tests/fakes/fake_source.h"
#include "tests/fakes/temp_dir.h"

#include <gtest/gtest.h>
#include <thread>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::FakeCamera;
using testing::TempDir;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

class StillOutputTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        camera_.still_size = Size{128, 96};
        store_.emplace(*FrameStore::open(dir_.file("s")));
        SourceRequest request;
        request.size = camera_.size;
        request.still_output = StillOutputRequest{*camera_.still_size, true};
        auto lock = CameraLock::tryTake(dir_.file("l"), "test");
        ASSERT_TRUE(lock && *lock);
        session_ = *CameraSession::open(std::move(**lock), camera_.makeSource(), request, 10s);
        ASSERT_TRUE(session_->info().still_output);
        output_.emplace(*session_, *store_, *JpegEncoder::create(), 90);
    }
    void TearDown() override
    {
        output_.reset();
        session_.reset();
        EXPECT_EQ(camera_.lent(), 0);
    }

    [[nodiscard]] PicturePtr newestStill() const
    {
        const auto stored = store_->newest(FrameStore::Kind::kStillSize);
        return stored && *stored ? (*stored)->picture : nullptr;
    }
    // Frames, until there is a still that was captured at `since` or later.
    [[nodiscard]] PicturePtr stillSince(MonotonicTime since)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (steady_clock::now() < deadline) {
            camera_.emit();
            if (auto still = newestStill(); still && still->captured >= since)
                return still;
            std::this_thread::yield();
        }
        return nullptr;
    }

    TempDir dir_;
    FakeCamera camera_;
    std::optional<FrameStore> store_;
    std::unique_ptr<CameraSession> session_;
    std::optional<StillOutput> output_;
};

TEST_F(StillOutputTest, GivesAStillToWhomWishesAndToNobodyElse)
{
    output_->setSettled();
    for (int i = 0; i < 100; ++i)
        camera_.emit();
    EXPECT_FALSE(newestStill());
    MonotonicTime last{};
    for (int i = 0; i < 5; ++i) {
        const auto asked = steady_clock::now();
        store_->signal(FrameStore::Word::kStillWish);
        const PicturePtr still = stillSince(asked);
        ASSERT_TRUE(still);
        EXPECT_EQ(still->size, *camera_.still_size);
        EXPECT_EQ(still->jpeg.at(0), 0xff);
        EXPECT_GT(still->captured, last);
        last = still->captured;
    }
}

TEST_F(StillOutputTest, WaitsUntilTheCameraHasSettled)
{
    store_->signal(FrameStore::Word::kStillWish);
    const auto unsettled_until = steady_clock::now() + 50ms;
    while (steady_clock::now() < unsettled_until)
        camera_.emit();
    EXPECT_FALSE(newestStill());
    output_->setSettled();
    EXPECT_TRUE(stillSince({}));
}

TEST_F(StillOutputTest, AWishFromBeforeACameraFailureEndsWithIt)
{
    output_->setSettled();
    store_->signal(FrameStore::Word::kStillWish);
    ASSERT_TRUE(camera_.fail({ErrorKind::kCameraFailed, "the cable fell out"}));
    EXPECT_EQ(session_->nextFrame(steady_clock::now() + kDeadline).error().kind, ErrorKind::kCameraFailed);
}

TEST_F(StillOutputTest, EndsWhileItWaitsForAFrame)
{
    output_->setSettled();
    store_->signal(FrameStore::Word::kStillWish);
    const auto begun = steady_clock::now();
    output_.reset();
    EXPECT_LT(steady_clock::now() - begun, kDeadline);
}

} // namespace
} // namespace picam
