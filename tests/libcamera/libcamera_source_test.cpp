// LibcameraSource over a libcamera that the test drives: cameras that come, go and fail in the middle.
#include "core/camera/libcamera_source.h"

#include "core/base/newest_slot.h"
#include "tests/fakes/fake_libcamera.h"
#include "tests/fakes/temp_dir.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace picam {
namespace {

namespace fake = testing::fake_libcamera;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::TempDir;

constexpr auto kDeadline = 30s;
constexpr const char *kWebcam = "usb-1-046d:0825";

SourceRequest anySize()
{
    SourceRequest request;
    request.size = {64, 48};
    request.fps = 1000;
    return request;
}

// Keeps what the source says.
class Sink : public FrameSink {
public:
    void onFrame(std::shared_ptr<Frame> frame) override { frames.put(std::move(frame)); }
    void onCameraAdded() override { added.put(true); }
    void onSourceError(Error error) override { errors.put(std::move(error)); }

    template <class T>
    static std::optional<T> next(NewestSlot<T> &slot)
    {
        std::optional<T> item;
        static_cast<void>(slot.take(item, steady_clock::now() + kDeadline));
        return item;
    }

    NewestSlot<std::shared_ptr<Frame>> frames;
    NewestSlot<bool> added;
    NewestSlot<Error> errors;
};

class LibcameraSourceTest : public ::testing::Test {
protected:
    ~LibcameraSourceTest() override
    {
        source_.reset();
        fake::unplugAll();
        EXPECT_EQ(fake::managers(), 0);
    }
    Expected<SourceInfo> start() { return source_->start(anySize(), sink_); }

    TempDir dir_;
    const std::shared_ptr<const CameraClaim> claim_ =
        std::make_shared<const CameraClaim>(CameraClaim::open(dir_.path(), "pi", "").value());
    Sink sink_;
    std::unique_ptr<Source> source_ = makeLibcameraSource({}, claim_);
};

TEST_F(LibcameraSourceTest, GivesFramesUntilItIsStopped)
{
    fake::plugIn(kWebcam);
    const auto info = start();
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->name, kWebcam);
    EXPECT_EQ(info->format.size, (Size{64, 48}));
    EXPECT_EQ(info->format.pixels, PixelFormat::kYuyv);
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(Sink::next(sink_.frames));
    source_->stop();
    EXPECT_EQ(fake::managers(), 0) << "an idle camera has no thread";
}

TEST_F(LibcameraSourceTest, WithoutACameraItTellsOfOneThatComes)
{
    const auto none = start();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNoCamera);
    fake::plugIn(kWebcam);
    ASSERT_TRUE(Sink::next(sink_.added));
    ASSERT_TRUE(start());
    ASSERT_TRUE(Sink::next(sink_.frames));
}

TEST_F(LibcameraSourceTest, OneThatIsStoppedTellsOfNoCamera)
{
    ASSERT_FALSE(start());
    source_->stop();
    EXPECT_EQ(fake::managers(), 0);
}

// The tests' libcamera ends the process where a camera outlives its manager.
TEST_F(LibcameraSourceTest, AStartThatFailsLeavesNoCamera)
{
    fake::plugIn(kWebcam);
    SourceRequest request = anySize();
    request.size = {998, 776};
    request.exact_size = true;
    const auto unsupported = source_->start(request, sink_);
    ASSERT_FALSE(unsupported);
    EXPECT_EQ(unsupported.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(fake::managers(), 0);

    fake::refuseAcquiring(1);
    const auto busy = start();
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().kind, ErrorKind::kCameraBusy);
    EXPECT_EQ(fake::managers(), 0);
    ASSERT_TRUE(start()) << "it is free again";
}

TEST_F(LibcameraSourceTest, ACameraThatIsUnpluggedIsReportedAndComesBack)
{
    fake::plugIn(kWebcam);
    ASSERT_TRUE(start());
    ASSERT_TRUE(Sink::next(sink_.frames));
    fake::unplug(kWebcam);
    const auto error = Sink::next(sink_.errors);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind, ErrorKind::kNoCamera);
    EXPECT_NE(error->message.find("unplugged"), std::string::npos) << error->message;
    source_->stop();
    fake::plugIn("usb-7-another");
    ASSERT_TRUE(start()) << "it was not there before: it takes the other's place";
}

// A camera that comes while its own is there is another one, however long ago its own was chosen.
TEST_F(LibcameraSourceTest, WhatCameWhileItStreamedIsNoSubstitute)
{
    fake::plugIn(kWebcam);
    ASSERT_TRUE(start());
    ASSERT_TRUE(Sink::next(sink_.frames));
    fake::plugIn("usb-9-nursery");
    ASSERT_TRUE(Sink::next(sink_.frames));
    fake::unplug(kWebcam);
    ASSERT_TRUE(Sink::next(sink_.errors));
    source_->stop();
    const auto none = start();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNoCamera);
    EXPECT_NE(none.error().message.find(kWebcam), std::string::npos) << none.error().message;
}

// The same webcam, moved to another port while nobody had told the source to stop.
TEST_F(LibcameraSourceTest, WhatComesWhenItsOwnHasGoneTakesItsPlace)
{
    fake::plugIn(kWebcam);
    ASSERT_TRUE(start());
    ASSERT_TRUE(Sink::next(sink_.frames));
    fake::unplug(kWebcam);
    ASSERT_TRUE(Sink::next(sink_.errors));
    fake::plugIn("usb-3-046d:0825");
    fake::settle();
    source_->stop();
    const auto info = start();
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->name, "usb-3-046d:0825");
}

// Of a camera that promises no rate: whoever watches its exposure, or for its end, needs them; what the stream's rate
// leaves out is the frame bus's to leave out.
TEST_F(LibcameraSourceTest, AllFramesComeWhateverRateIsAskedFor)
{
    fake::plugIn(kWebcam);
    SourceRequest request = anySize();
    request.fps = 0.1;
    ASSERT_TRUE(source_->start(request, sink_));
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(Sink::next(sink_.frames)) << i;
}

TEST_F(LibcameraSourceTest, ACameraThatDoesNotAnswerAtItsOpeningIsAStall)
{
    fake::plugIn(kWebcam);
    for (const auto refuse : {fake::failStarts, fake::failConfiguring}) {
        refuse(1);
        const auto silent = start();
        ASSERT_FALSE(silent);
        EXPECT_EQ(silent.error().kind, ErrorKind::kStalled) << silent.error().message;
    }
    ASSERT_TRUE(start());
}

// None of its buffers is lost: with four of them, four that are lost would be the end.
TEST_F(LibcameraSourceTest, RefusedAndCancelledRequestsLoseNoBuffer)
{
    fake::plugIn(kWebcam);
    ASSERT_TRUE(start());
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(Sink::next(sink_.frames)) << i;
        fake::refuseRequests(1);
        ASSERT_TRUE(Sink::next(sink_.frames)) << i;
        fake::cancelRequests(2);
    }
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(Sink::next(sink_.frames)) << i;
}

// In the middle of whatever it is doing: frames are held, recycled, requests under way; and it is closed because of
// that, or by chance at the same moment. AddressSanitizer sees what is freed while libcamera still has it.
TEST_F(LibcameraSourceTest, UnpluggedTwoHundredTimesWhileItStreams)
{
    std::minstd_rand random(7);
    const auto number = [&random](int below) { return std::uniform_int_distribution(0, below - 1)(random); };
    for (int i = 0; i < 200; ++i) {
        fake::plugIn(kWebcam);
        const auto info = start();
        ASSERT_TRUE(info) << i << ": " << info.error().message;
        std::vector<std::shared_ptr<Frame>> held;
        for (int more = 1 + number(6); more > 0; --more) {
            auto frame = Sink::next(sink_.frames);
            ASSERT_TRUE(frame) << i;
            EXPECT_EQ((*frame)->plane(0).data[0], 0);
            if (number(3) == 0 && held.size() < 2)
                held.push_back(std::move(*frame));
        }
        fake::unplug(kWebcam);
        if (number(2) == 0) {
            const auto error = Sink::next(sink_.errors);
            ASSERT_TRUE(error) << i;
            EXPECT_EQ(error->kind, ErrorKind::kNoCamera) << error->message;
        }
        if (number(2) == 0)
            held.clear();
        source_->stop();
        sink_.errors.clear();
        ASSERT_FALSE(start()) << i;
        source_->stop();
        EXPECT_EQ(fake::managers(), 0);
    }
}

} // namespace
} // namespace picam
