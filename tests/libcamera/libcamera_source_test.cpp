// LibcameraSource over a libcamera that the test drives: cameras that come, go and fail in the middle.
#include "core/camera/libcamera_source.h"

#include "core/base/newest_slot.h"
#include "tests/fakes/fake_libcamera.h"
#include "tests/fakes/temp_dir.h"

#include <atomic>
#include <gtest/gtest.h>
#include <limits>
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
    void onControlProblems(const ControlProblems &said) override { problems.put(ControlProblems(said)); }
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
    NewestSlot<ControlProblems> problems;
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
    // Until frames come for which the generation is in force.
    bool comesInForce(std::uint32_t generation)
    {
        for (int i = 0; i < 1000; ++i) {
            const auto frame = Sink::next(sink_.frames);
            if (!frame)
                return false;
            if ((*frame)->metadata().controls_generation == generation)
                return true;
        }
        return false;
    }
    static ControlsRequest wanted(std::uint32_t generation, ControlValues values)
    {
        ControlsRequest request;
        request.generation = generation;
        request.cameras[kWebcam].values = std::move(values);
        return request;
    }

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

TEST_F(LibcameraSourceTest, ControlsAreSetAtTheStartAndWhileItIsOpen)
{
    fake::plugIn(kWebcam);
    fake::refuseControls(0);
    SourceRequest request = anySize();
    request.controls = wanted(7, {{"Brightness", 0.5}});
    const auto info = source_->start(request, sink_);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->id, kWebcam);
    EXPECT_NE(findControl(info->controls, "Brightness"), nullptr);
    ASSERT_TRUE(comesInForce(7));
    source_->setControls(
        wanted(8, {{"ExposureTimeMode", std::string("Manual")}, {"ExposureTime", std::int64_t{5000}}}));
    ASSERT_TRUE(comesInForce(8));
    // The default goes to the device, which would keep the old value; the automatism ends before the value comes.
    EXPECT_EQ(fake::controlsSaid(), (std::vector<std::string>{"Brightness=0.500000", "AeEnable=false",
                                                              "Brightness=0.000000", "ExposureTime=5000"}));
    const auto problems = Sink::next(sink_.problems);
    EXPECT_TRUE(problems && problems->empty());
}

TEST_F(LibcameraSourceTest, AControlThatTheDriverRefusesIsAProblemAndNoHang)
{
    fake::plugIn(kWebcam);
    ASSERT_TRUE(start());
    ASSERT_TRUE(Sink::next(sink_.frames));
    sink_.problems.clear();
    for (std::uint32_t generation = 1; generation <= 20; ++generation) {
        fake::refuseControls(1);
        source_->setControls(wanted(generation, {{"Brightness", generation / 100.0}}));
        ASSERT_TRUE(comesInForce(generation)) << "what is refused is not waited for";
        auto problems = Sink::next(sink_.problems);
        while (problems && problems->empty())
            problems = Sink::next(sink_.problems);
        ASSERT_TRUE(problems);
        EXPECT_TRUE(problems->contains("Brightness"));
    }
    std::optional<Error> error;
    EXPECT_EQ(sink_.errors.take(error, steady_clock::now()), NewestSlot<Error>::Wake::kTimeout);
    source_->setControls(wanted(21, {{"Brightness", -0.5}}));
    ASSERT_TRUE(comesInForce(21));
    auto problems = Sink::next(sink_.problems);
    while (problems && !problems->empty())
        problems = Sink::next(sink_.problems);
    EXPECT_TRUE(problems) << "it is none any more";
}

// Somebody moves sliders meanwhile, so that there is always a request that has said something of the controls.
TEST_F(LibcameraSourceTest, ADriverThatCancelsAllIsAHangWhateverIsWanted)
{
    class Restless : public Sink {
    public:
        void onControlProblems(const ControlProblems & /*problems*/) override
        {
            if (wanting_.exchange(true)) // from within setControls()
                return;
            const std::uint32_t generation = ++generation_;
            source->setControls(
                wanted(generation, {{"ExposureTimeMode", std::string(generation % 2 == 0 ? "Auto" : "Manual")},
                                    {"Brightness", generation % 100 / 100.0}}));
            wanting_ = false;
        }
        Source *source = nullptr;

    private:
        std::atomic<bool> wanting_{false};
        std::atomic<std::uint32_t> generation_{1};
    };
    fake::plugIn(kWebcam);
    Restless sink;
    sink.source = source_.get();
    ASSERT_TRUE(source_->start(anySize(), sink));
    ASSERT_TRUE(Sink::next(sink.frames));
    fake::refuseControls(std::numeric_limits<int>::max());
    sink.onControlProblems({});
    ASSERT_TRUE(Sink::next(sink.frames));
    fake::cancelRequests(std::numeric_limits<int>::max());
    const auto error = Sink::next(sink.errors);
    source_->stop();
    fake::cancelRequests(0);
    fake::refuseControls(0);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind, ErrorKind::kStalled) << error->message;
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
