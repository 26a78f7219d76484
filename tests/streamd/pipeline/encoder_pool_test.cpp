#include "streamd/pipeline/encoder_pool.h"

#include <condition_variable>
#include <gtest/gtest.h>
#include <set>

namespace picam {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

// Encoders that the test holds back: each frame is encoded when its number has been released.
class Gate {
public:
    void begin(int number)
    {
        UniqueLock lock(mutex_);
        begun_.insert(number);
        changed_.notify_all();
        while (!released_.count(number))
            changed_.wait(lock.native());
    }
    [[nodiscard]] bool begun(std::size_t count)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        UniqueLock lock(mutex_);
        while (begun_.size() < count)
            if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                return false;
        return true;
    }
    void release(int number)
    {
        const MutexLock lock(mutex_);
        released_.insert(number);
        changed_.notify_all();
    }

private:
    Mutex mutex_;
    std::condition_variable changed_;
    std::set<int> begun_ PICAM_GUARDED_BY(mutex_);
    std::set<int> released_ PICAM_GUARDED_BY(mutex_);
};

// A frame's number is its capture time in seconds.
int numberOf(MonotonicTime captured)
{
    return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(captured.time_since_epoch()).count());
}

class FakeEncoder : public Encoder {
public:
    explicit FakeEncoder(Gate &gate) : gate_(gate) {}
    [[nodiscard]] Expected<EncodedFrame> encode(const Frame &frame) override
    {
        const int number = numberOf(frame.captured());
        gate_.begin(number);
        if (number % 10 == 9)
            return fail(ErrorKind::kCorrupt, "a bad frame");
        EncodedFrame encoded;
        encoded.captured = frame.captured();
        return encoded;
    }

private:
    Gate &gate_;
};

class EncoderPoolTest : public ::testing::Test, protected EncodedFrameSink {
protected:
    ~EncoderPoolTest() override { pool_.reset(); }
    void start(int encoders)
    {
        frames_ = bus_.subscribe(static_cast<unsigned>(encoders));
        frames_->setDemand(0);
        std::vector<std::unique_ptr<Encoder>> made;
        for (int i = 0; i < encoders; ++i)
            made.push_back(std::make_unique<FakeEncoder>(gate_));
        EncodedFrameSink &sink = *this;
        pool_ = std::make_unique<EncoderPool>(*frames_, std::move(made), sink);
    }
    void publish(int number)
    {
        ++alive_;
        bus_.publish(std::make_shared<Frame>(FrameFormat{}, std::array<Plane, 3>{},
                                             MonotonicTime(std::chrono::seconds(number)), [this] { --alive_; }));
    }
    [[nodiscard]] unsigned generation() const override { return 7; }
    void onEncoded(Result result) override
    {
        const MutexLock lock(mutex_);
        committed_.push_back(result.frame ? numberOf(result.frame->captured) : -1);
        generations_.insert(result.generation);
        changed_.notify_all();
    }
    [[nodiscard]] std::vector<int> committed(std::size_t count)
    {
        const auto deadline = steady_clock::now() + kDeadline;
        UniqueLock lock(mutex_);
        while (committed_.size() < count)
            if (changed_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
                break;
        return committed_;
    }

    Gate gate_;
    std::atomic<int> alive_{0};
    FrameBus bus_{[] {}};
    std::unique_ptr<FrameBus::Subscription> frames_;
    Mutex mutex_;
    std::condition_variable changed_;
    std::vector<int> committed_ PICAM_GUARDED_BY(mutex_);
    std::set<unsigned> generations_ PICAM_GUARDED_BY(mutex_);
    std::unique_ptr<EncoderPool> pool_;
};

TEST_F(EncoderPoolTest, CommitsInTheOrderOfTheFrames)
{
    start(3);
    for (int number = 1; number <= 3; ++number) {
        publish(number);
        ASSERT_TRUE(gate_.begun(static_cast<std::size_t>(number))) << "each by an encoder that is free";
    }
    gate_.release(3);
    gate_.release(2);
    EXPECT_TRUE(committed(0).empty()) << "the first is not done";
    gate_.release(1);
    EXPECT_EQ(committed(3), (std::vector<int>{1, 2, 3}));
    const MutexLock lock(mutex_);
    EXPECT_EQ(generations_, std::set<unsigned>{7});
}

TEST_F(EncoderPoolTest, ABadFrameIsReportedInItsTurn)
{
    start(2);
    publish(9);
    ASSERT_TRUE(gate_.begun(1));
    publish(10);
    ASSERT_TRUE(gate_.begun(2));
    gate_.release(10);
    gate_.release(9);
    EXPECT_EQ(committed(2), (std::vector<int>{-1, 10}));
}

TEST_F(EncoderPoolTest, BusyEncodersCostFramesAndNeverAQueue)
{
    start(1);
    publish(1);
    ASSERT_TRUE(gate_.begun(1));
    for (int number = 2; number <= 50; ++number)
        publish(number);
    EXPECT_EQ(alive_, 2) << "the one being encoded, and the newest";
    gate_.release(1);
    gate_.release(50);
    EXPECT_EQ(committed(2), (std::vector<int>{1, 50}));
}

TEST_F(EncoderPoolTest, EndsWhileItWaitsForFrames)
{
    start(4);
    pool_.reset(); // must return
    publish(1);
    EXPECT_EQ(alive_, 1) << "nobody takes it any more";
    frames_->setDemand(std::nullopt);
    EXPECT_EQ(alive_, 0);
}

} // namespace
} // namespace picam
