// The thread that encodes, over encoders in the test's hands.
#include "streamd/video/rung_encoders.h"

#include "tests/streamd/video/test_clip.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using testing::TestClip;

constexpr Size kSize{320, 240};
constexpr auto kDeadline = 20s;

// What fails, and how much it is used.
struct Behaviour {
    std::atomic<int> frames_left{1 << 20}; // then it fails
    std::atomic<bool> refuses{false};      // cannot be made
    std::atomic<bool> leaves_out{false};
    std::atomic<int> alive{0};
    std::atomic<int> made{0};
};

class FakeEncoder : public VideoEncoder {
public:
    FakeEncoder(Behaviour &behaviour, std::string_view name, Size size)
        : behaviour_(behaviour), name_(name), size_(size)
    {
        ++behaviour_.alive;
        ++behaviour_.made;
    }
    ~FakeEncoder() override { --behaviour_.alive; }
    Expected<std::optional<EncodedFrame>> encode(const Frame &frame, bool key) override
    {
        EXPECT_EQ(frame.format(), (FrameFormat{PixelFormat::kYuv420, size_}));
        if (behaviour_.frames_left-- <= 0)
            return fail(ErrorKind::kTimeout, "it stalls");
        if (behaviour_.leaves_out)
            return std::nullopt;
        EncodedFrame encoded;
        encoded.codec = Codec::kH264;
        encoded.key = std::exchange(first_, false) || key;
        encoded.size = size_;
        encoded.captured = frame.captured();
        encoded.bytes.assign(bitrate / 1000, 1);
        return encoded;
    }
    void setBitrate(std::uint32_t value) override { bitrate = value; }
    [[nodiscard]] std::string_view name() const override { return name_; }

    std::uint32_t bitrate = 0;

private:
    Behaviour &behaviour_;
    const std::string_view name_;
    const Size size_;
    bool first_ = true;
};

class RungEncodersTest : public ::testing::Test {
protected:
    RungEncodersTest() { frames->setDemand(0.0); }

    RungEncoders::Factory factory(Behaviour &behaviour, std::string_view name)
    {
        return [&behaviour, name](const VideoEncoderOptions &options) -> Expected<std::unique_ptr<VideoEncoder>> {
            if (behaviour.refuses)
                return fail(ErrorKind::kUnsupported, "there is none");
            return std::unique_ptr<VideoEncoder>(std::make_unique<FakeEncoder>(behaviour, name, options.size));
        };
    }
    void start()
    {
        encoders.emplace(
            *frames,
            RungEncoders::Options{kSize, {}, 30.0, {factory(hardware, "hardware"), factory(software, "software")}},
            RungEncoders::Events{[this](RungEncoders::Result result) {
                                     const MutexLock lock(mutex);
                                     results.push_back(std::move(result));
                                     changed.notify_all();
                                 },
                                 [this](const Error &) {
                                     const MutexLock lock(mutex);
                                     ++bad_frames;
                                     changed.notify_all();
                                 }});
    }
    void publish(PixelFormat pixels = PixelFormat::kYuv420)
    {
        const Frame frame = clip.frame(published++);
        auto format = frame.format();
        format.pixels = pixels;
        bus.publish(std::make_shared<const Frame>(format, std::array{frame.plane(0), frame.plane(1), frame.plane(2)},
                                                  frame.captured(), nullptr));
    }
    // Publishes until there are so many results.
    ::testing::AssertionResult await(std::size_t count)
    {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (std::chrono::steady_clock::now() < deadline) {
            publish();
            UniqueLock lock(mutex);
            if (results.size() >= count)
                return ::testing::AssertionSuccess();
            changed.wait_for(lock.native(), 1ms);
        }
        return ::testing::AssertionFailure() << "no result";
    }
    RungEncoders::Result last()
    {
        const MutexLock lock(mutex);
        return results.back();
    }
    std::size_t resultCount()
    {
        const MutexLock lock(mutex);
        return results.size();
    }

    Behaviour hardware;
    Behaviour software;
    TestClip clip{kSize};
    std::uint32_t published = 0;
    FrameBus bus{[] {}};
    std::unique_ptr<FrameBus::Subscription> frames = bus.subscribe(1);
    Mutex mutex;
    std::condition_variable changed;
    std::vector<RungEncoders::Result> results PICAM_GUARDED_BY(mutex);
    int bad_frames PICAM_GUARDED_BY(mutex) = 0;
    std::optional<RungEncoders> encoders;
};

TEST_F(RungEncodersTest, EncodesWhatIsAskedForAndNothingElse)
{
    start();
    for (int i = 0; i < 50; ++i)
        publish();
    EXPECT_EQ(hardware.made, 0) << "no encoder before one is wanted";
    encoders->request(0, {true, 500000});
    ASSERT_TRUE(await(1));
    const auto result = last();
    ASSERT_TRUE(result.frame && *result.frame);
    EXPECT_EQ(result.rung, 0U);
    EXPECT_EQ(result.encoder, "hardware");
    EXPECT_TRUE((*result.frame)->key);
    EXPECT_EQ((*result.frame)->size, kSize);
    EXPECT_EQ((*result.frame)->bytes.size(), 500U);
    encoders->request(0, {false, 300000});
    encoders->request(1, {false, 100000});
    ASSERT_TRUE(await(3));
    EXPECT_EQ(resultCount(), 3U);
    EXPECT_EQ(hardware.alive, 2);
    encoders->release(1);
    encoders->request(0, {false, 300000});
    ASSERT_TRUE(await(4));
    EXPECT_EQ(hardware.alive, 1) << "freed when nobody takes it";
    encoders.reset();
    EXPECT_EQ(hardware.alive, 0);
}

TEST_F(RungEncodersTest, AnEncoderThatStallsGivesWayToTheNextWithAKeyFrame)
{
    start();
    hardware.frames_left = 1;
    encoders->request(0, {true, 500000});
    ASSERT_TRUE(await(1));
    encoders->request(0, {false, 500000});
    ASSERT_TRUE(await(2));
    const auto result = last();
    ASSERT_TRUE(result.frame && *result.frame);
    EXPECT_EQ(result.encoder, "software");
    EXPECT_TRUE((*result.frame)->key) << "a chain of its own";
    // Freed and wanted again, the first is tried again.
    hardware.frames_left = 100;
    encoders->release(0);
    encoders->request(0, {true, 500000});
    ASSERT_TRUE(await(3));
    EXPECT_EQ(last().encoder, "hardware");
}

TEST_F(RungEncodersTest, WhenNoneWorksItSaysSo)
{
    start();
    hardware.refuses = true;
    software.frames_left = 0;
    encoders->request(1, {true, 500000});
    ASSERT_TRUE(await(1));
    EXPECT_FALSE(last().frame);
    EXPECT_EQ(last().rung, 1U);
    encoders->request(1, {true, 500000});
    ASSERT_TRUE(await(2)) << "and again, whoever asks";
    EXPECT_FALSE(last().frame);
}

TEST_F(RungEncodersTest, AFrameThatIsLeftOutIsAnAnswerToo)
{
    start();
    hardware.leaves_out = true;
    encoders->request(0, {true, 500000});
    ASSERT_TRUE(await(1));
    ASSERT_TRUE(last().frame);
    EXPECT_EQ(*last().frame, nullptr);
}

TEST_F(RungEncodersTest, ABadFrameIsSaidAndTheNextOneTaken)
{
    start();
    encoders->request(0, {true, 500000});
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
        publish(PixelFormat::kJpeg); // it is none
        UniqueLock lock(mutex);
        if (bad_frames > 0)
            break;
        changed.wait_for(lock.native(), 1ms);
    }
    EXPECT_EQ(resultCount(), 0U);
    ASSERT_TRUE(await(1));
    EXPECT_TRUE(last().frame && *last().frame);
}

TEST_F(RungEncodersTest, FreesWhatIsReleasedWhileNoFrameComes)
{
    start();
    std::size_t asked = 0;
    for (int round = 0; round < 50; ++round) { // the thread waits for a frame by then, or does not
        frames->setDemand(0.0);
        encoders->request(0, {false, 100000});
        encoders->request(1, {false, 50000});
        ASSERT_TRUE(await(asked += 2));
        encoders->request(0, {false, 100000});
        frames->setDemand(std::nullopt);
        for (int i = 0; i < round; ++i)
            std::this_thread::yield();
        encoders->release(0);
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (hardware.alive > 1 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        ASSERT_EQ(hardware.alive, 1) << "the other rung's";
    }
}

TEST_F(RungEncodersTest, EndsWhileNoFrameComes)
{
    start();
    encoders->request(0, {true, 500000});
    encoders.reset(); // returns
    start();
    encoders->request(0, {true, 500000});
    EXPECT_TRUE(await(1)) << "the interruption was the other's";
}

} // namespace
} // namespace picam
