#include "streamd/pipeline/store_stills.h"

#include "core/image/jpeg_frame_encoder.h"
#include "tests/fakes/fake_source.h"
#include "tests/fakes/open_store.h"
#include "tests/fakes/temp_dir.h"

#include <future>
#include <gtest/gtest.h>
#include <thread>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::FakeCamera;
using testing::OpenStore;
using testing::TempDir;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

class StoreStillsTest : public ::testing::Test, private CameraObserver {
protected:
    void open(bool still_output)
    {
        if (still_output)
            fake_.still_size = Size{128, 96};
        CameraController::Options options;
        options.lock_path = dir_.file("l");
        options.name = "test";
        options.request.size = fake_.size;
        options.request.still_output = StillOutputRequest{{128, 96}, true};
        options.convergence_timeout = 60s;
        options.stall_timeout = 60s;
        CameraObserver &observer = *this;
        camera_.emplace(options, fake_.factory(), store_.requests(), observer, [](const std::string &) {});
        keeps_open_ = camera_->bus().subscribe(0);
        frames_ = camera_->bus().subscribe(1);
        camera_->start();
        keeps_open_->setDemand(FrameBus::kKeepOpen);
        ASSERT_EQ(opened_.get_future().wait_for(kDeadline), std::future_status::ready);
        StoreStills::Parts parts;
        parts.frame_encoder = *JpegFrameEncoder::create({80, {}});
        if (still_output)
            parts.still_encoder = *JpegFrameEncoder::create({90, {}});
        parts.needs_frame = [this] {
            ++needs_frame_asked_;
            return needs_frame_.load();
        };
        stills_.emplace(*camera_, *frames_, *store_, std::move(parts));
    }
    void TearDown() override
    {
        stills_.reset();
        if (camera_)
            camera_->stop();
        EXPECT_EQ(fake_.lent(), 0);
        frames_.reset();
        keeps_open_.reset();
    }
    void onCameraOpened(const SourceInfo & /*info*/) override { opened_.set_value(); }
    void onCameraClosing() override {}
    void onCameraUnavailable(const Error & /*why*/) override {}

    [[nodiscard]] std::optional<StoredPicture> newest(FrameStore::Kind kind)
    {
        auto stored = store_->newest(kind);
        return stored ? *stored : std::nullopt;
    }
    // Frames, until there is a picture that was captured at `since` or later.
    [[nodiscard]] std::optional<StoredPicture> pictureSince(FrameStore::Kind kind, MonotonicTime since)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        while (steady_clock::now() < deadline) {
            fake_.emit();
            if (auto stored = newest(kind); stored && stored->picture->captured >= since)
                return stored;
            std::this_thread::yield();
        }
        return std::nullopt;
    }
    void leavesOutBadOnes(FrameStore::Kind kind)
    {
        fake_.cut = true;
        stills_->request();
        for (int i = 0; i < Convergence::kFramesInARow + CameraController::kMaxBadFrames - 2; ++i) {
            ASSERT_TRUE(fake_.emit());
            EXPECT_FALSE(newest(kind));
        }
        fake_.cut = false;
        EXPECT_TRUE(pictureSince(kind, {}));
        EXPECT_EQ(fake_.starts(), 1);
    }

    TempDir dir_;
    FakeCamera fake_;
    OpenStore store_{dir_.file("s")};
    std::promise<void> opened_;
    std::atomic<bool> needs_frame_{false};
    std::atomic<int> needs_frame_asked_{0};
    std::optional<CameraController> camera_;
    std::unique_ptr<FrameBus::Subscription> keeps_open_;
    std::unique_ptr<FrameBus::Subscription> frames_;
    std::optional<StoreStills> stills_;
};

TEST_F(StoreStillsTest, GivesAStillToWhoeverRequestsOneAndToNobodyElse)
{
    open(true);
    for (int i = 0; i < 100; ++i)
        fake_.emit();
    EXPECT_FALSE(newest(FrameStore::Kind::kStillSize));
    MonotonicTime last{};
    for (int i = 0; i < 5; ++i) {
        const auto asked = steady_clock::now();
        stills_->request();
        const auto still = pictureSince(FrameStore::Kind::kStillSize, asked);
        ASSERT_TRUE(still);
        EXPECT_EQ(still->picture->size, *fake_.still_size);
        EXPECT_EQ(still->picture->bytes.at(0), 0xff);
        EXPECT_GT(still->picture->captured, last);
        last = still->picture->captured;
    }
    EXPECT_FALSE(newest(FrameStore::Kind::kSequence)) << "the stream's own frames serve";
}

TEST_F(StoreStillsTest, WhileTheStreamsFramesAreNotEncodedOneIsForEachRequest)
{
    open(false);
    needs_frame_ = true;
    for (int i = 0; i < 100; ++i)
        fake_.emit();
    EXPECT_FALSE(newest(FrameStore::Kind::kSequence));
    std::uint64_t sequence = 0;
    for (int i = 0; i < 3; ++i) {
        const auto asked = steady_clock::now();
        stills_->request();
        const auto picture = pictureSince(FrameStore::Kind::kSequence, asked);
        ASSERT_TRUE(picture);
        EXPECT_TRUE(picture->tag.stream);
        EXPECT_FALSE(picture->tag.still_offered);
        EXPECT_EQ(picture->tag.interval, 33333us);
        EXPECT_TRUE(i == 0 || picture->picture->sequence == sequence + 1) << "one for each";
        sequence = picture->picture->sequence;
    }
}

TEST_F(StoreStillsTest, BesideAStillOutputTheFrameComesFirst)
{
    open(true);
    needs_frame_ = true;
    const auto asked = steady_clock::now();
    stills_->request();
    ASSERT_TRUE(pictureSince(FrameStore::Kind::kStillSize, asked));
    const auto frame = newest(FrameStore::Kind::kSequence);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->tag.still_offered);
}

TEST_F(StoreStillsTest, WaitsUntilTheCameraHasConverged)
{
    open(true);
    CaptureMetadata searching;
    searching.exposure_converged = false;
    stills_->request();
    const auto until = steady_clock::now() + 50ms;
    while (steady_clock::now() < until)
        fake_.emit(searching);
    EXPECT_FALSE(newest(FrameStore::Kind::kStillSize));
    EXPECT_TRUE(pictureSince(FrameStore::Kind::kStillSize, {}));
}

TEST_F(StoreStillsTest, ABadFrameIsLeftOutAndTheNextServes)
{
    open(false);
    needs_frame_ = true;
    leavesOutBadOnes(FrameStore::Kind::kSequence);
}

TEST_F(StoreStillsTest, ABadStillIsLeftOutAndTheNextServes)
{
    open(true);
    leavesOutBadOnes(FrameStore::Kind::kStillSize);
}

TEST_F(StoreStillsTest, ARequestFromBeforeACameraFailureEndsWithIt)
{
    open(true);
    stills_->request();
    // It waits for a still that never comes, long before its own timeout.
    const auto deadline = steady_clock::now() + kDeadline;
    while (!fake_.stillWanted() && steady_clock::now() < deadline)
        std::this_thread::yield();
    ASSERT_TRUE(fake_.stillWanted());
    const int answered = needs_frame_asked_;
    const auto failed = steady_clock::now();
    ASSERT_TRUE(fake_.fail({ErrorKind::kCameraFailed, "the cable fell out"}));
    // The thread is free for the next request long before the still's own timeout of two seconds.
    while (needs_frame_asked_ == answered && steady_clock::now() < deadline) {
        stills_->request();
        std::this_thread::yield();
    }
    EXPECT_GT(needs_frame_asked_, answered);
    EXPECT_LT(steady_clock::now() - failed, 1500ms);
    EXPECT_FALSE(newest(FrameStore::Kind::kStillSize));
}

// The still's timeout is two seconds: interrupted, the wait takes none of it.
TEST_F(StoreStillsTest, EndsWhileItWaitsForAStill)
{
    open(true);
    stills_->request();
    const auto deadline = steady_clock::now() + kDeadline;
    while (!fake_.stillWanted() && steady_clock::now() < deadline)
        std::this_thread::yield();
    ASSERT_TRUE(fake_.stillWanted());
    const auto begun = steady_clock::now();
    stills_.reset();
    EXPECT_LT(steady_clock::now() - begun, 1500ms);
}

TEST_F(StoreStillsTest, EndsWhileItWaitsForAFrame)
{
    open(false);
    needs_frame_ = true;
    stills_->request();
    CaptureMetadata searching;
    searching.exposure_converged = false;
    const auto deadline = steady_clock::now() + kDeadline;
    // It has begun when it takes a frame, and waits for a better one.
    while (needs_frame_asked_ == 0 && steady_clock::now() < deadline)
        fake_.emit(searching);
    ASSERT_GT(needs_frame_asked_, 0);
    const auto begun = steady_clock::now();
    stills_.reset();
    EXPECT_LT(steady_clock::now() - begun, 1500ms);
}

} // namespace
} // namespace picam
