// Who is on which rung, and what is asked of the encoders: viewers, links and encoders in the test's hands.
#include "streamd/viewers/video_rungs.h"

#include "tests/streamd/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using testing::FakeScheduler;
using testing::FakeVideo;

constexpr Size kVga{640, 480};
constexpr std::uint32_t kVgaMin = 250000;

// Busy with a frame until the next one is due.
struct FakeViewer : VideoViewer {
    FakeViewer() { everybody.push_back(this); }
    FakeViewer(const FakeViewer &) = delete;
    FakeViewer &operator=(const FakeViewer &) = delete;
    ~FakeViewer() override { std::erase(everybody, this); }

    [[nodiscard]] bool mayTake(Time) const override
    {
        ++looks;
        return ready && window && !writing;
    }
    [[nodiscard]] bool canTake() const override { return ready && !writing; }
    [[nodiscard]] std::uint32_t bitrate() const override { return link; }
    [[nodiscard]] std::chrono::steady_clock::duration transferTime(std::size_t bytes, Time) const override
    {
        return link == 0 ? 0s : std::chrono::microseconds(std::uint64_t{bytes} * 8 * 1000000 / link);
    }
    void sendVideo(const FramePtr &frame) override
    {
        got.push_back(frame);
        writing = true;
    }
    [[nodiscard]] bool takesPictures() const override { return takes_jpeg; }
    void setPictures(bool is_on) override { pictures = is_on; }
    [[nodiscard]] std::chrono::seconds keyInterval() const override { return key_interval; }
    void endVideo() override { ended = true; }

    // Frames that refer to one that it has not got.
    [[nodiscard]] int broken() const
    {
        int count = 0;
        const StreamFrame *before = nullptr;
        for (const FramePtr &frame : got) {
            const bool continues =
                before != nullptr && before->rung == frame->rung && before->sequence + 1 == frame->sequence;
            count += frame->key || continues ? 0 : 1;
            before = frame.get();
        }
        return count;
    }
    [[nodiscard]] std::size_t on(unsigned rung) const
    {
        return static_cast<std::size_t>(
            std::count_if(got.begin(), got.end(), [rung](const FramePtr &frame) { return frame->rung == rung; }));
    }

    static inline std::vector<FakeViewer *> everybody;
    static inline std::size_t looks = 0; // at all of them
    bool ready = true;
    bool window = true;
    bool writing = false;
    std::uint32_t link = 1000000;
    bool takes_jpeg = true;
    bool pictures = false;
    bool ended = false;
    std::chrono::seconds key_interval{0};
    std::vector<FramePtr> got;
};

class VideoRungsTest : public ::testing::Test {
protected:
    // The encoders' answers to all that has been asked; each frame so large.
    void answer(std::size_t bytes = 3000)
    {
        const auto asked = std::exchange(video.asked, {});
        for (const auto &[rung, key, bitrate] : asked) {
            last_bitrate.at(rung) = bitrate;
            auto frame = std::make_shared<EncodedFrame>();
            frame->codec = Codec::kH264;
            frame->key = key || !encoding.at(rung);
            encoding.at(rung) = true;
            frame->size = rungSize(kVga, rung);
            frame->bytes.assign(bytes, 0);
            keys.at(rung) += frame->key ? 1 : 0;
            rungs.onVideo({rung, EncodedFramePtr(frame), 1ms, "fake"});
        }
    }
    void frames(int count, std::size_t bytes = 3000)
    {
        for (int i = 0; i < count; ++i) {
            answer(bytes);
            written();
            time.pass(33ms);
            ready();
        }
    }
    void written()
    {
        for (FakeViewer *viewer : FakeViewer::everybody)
            viewer->writing = false;
        ready();
    }
    // As each viewer says it of itself.
    void ready()
    {
        for (const FakeViewer *viewer : FakeViewer::everybody)
            rungs.onReady(*viewer);
    }

    FakeScheduler time;
    FakeVideo video;
    Status status{"1.0", "pi", time.now()};
    int changes = 0;
    VideoRungs rungs{time, video, status, {kVga, 5s, {}}, [this] { ++changes; }};
    std::array<bool, kVideoRungs> encoding{};
    std::array<int, kVideoRungs> keys{};
    std::array<std::uint32_t, kVideoRungs> last_bitrate{};
};

TEST_F(VideoRungsTest, OneFrameAtATimeAndOnlyWhenItCanGo)
{
    EXPECT_TRUE(video.asked.empty());
    FakeViewer viewer;
    rungs.join(viewer);
    EXPECT_TRUE(video.wanted);
    ASSERT_EQ(video.asked.size(), 1U);
    EXPECT_TRUE(video.asked[0].key);
    EXPECT_EQ(video.asked[0].bitrate, 1000000U);
    ready();
    EXPECT_EQ(video.asked.size(), 1U) << "one is on its way";
    answer();
    ASSERT_EQ(viewer.got.size(), 1U);
    EXPECT_TRUE(video.asked.empty());
    written();
    ASSERT_EQ(video.asked.size(), 1U);
    EXPECT_FALSE(video.asked[0].key);
    viewer.ready = false;
    answer(); // came too late for it: the chain is broken
    EXPECT_EQ(viewer.got.size(), 1U);
    EXPECT_TRUE(video.asked.empty());
    viewer.ready = true;
    time.pass(1s);
    ready();
    ASSERT_EQ(video.asked.size(), 1U);
    EXPECT_TRUE(video.asked[0].key);
    answer();
    EXPECT_EQ(viewer.broken(), 0);
    rungs.leave(viewer);
    EXPECT_FALSE(video.wanted);
    EXPECT_TRUE(video.released.empty());
    time.pass(6s);
    EXPECT_THAT(video.released, ::testing::ElementsAre(0U)) << "after the linger";
}

TEST_F(VideoRungsTest, JoinersShareAKeyFrameAndItIsOneASecond)
{
    std::array<FakeViewer, 10> viewers;
    for (FakeViewer &viewer : viewers) {
        rungs.join(viewer);
        frames(3);
    }
    frames(30);
    EXPECT_LE(keys[0], 3);
    for (const FakeViewer &viewer : viewers) {
        EXPECT_EQ(viewer.broken(), 0);
        EXPECT_GT(viewer.got.size(), 10U);
    }
}

TEST_F(VideoRungsTest, OneWhoStallsIsWaitedForShortlyAndComesBackWithAKeyFrame)
{
    FakeViewer good;
    FakeViewer stalls;
    rungs.join(good);
    rungs.join(stalls);
    frames(40);
    answer();
    stalls.ready = false;
    const std::size_t before = good.got.size();
    frames(3);
    EXPECT_EQ(good.got.size(), before) << "waited for";
    frames(4);
    EXPECT_GE(good.got.size(), before + 3) << "but not for long";
    frames(30);
    stalls.ready = true;
    frames(40);
    EXPECT_EQ(stalls.broken(), 0);
    EXPECT_EQ(good.broken(), 0);
    EXPECT_EQ(keys[0], 2) << "one for both who began, and one for who came back";
    EXPECT_EQ(stalls.on(1), 0U);
    EXPECT_GT(stalls.got.size(), 60U);
    // Again, soon: it moves down, and the others are rid of it.
    stalls.ready = false;
    frames(10);
    stalls.ready = true;
    frames(10);
    EXPECT_GT(stalls.on(1), 5U);
    EXPECT_EQ(stalls.broken(), 0);
}

// Writes end, and acknowledgements come, one after the other: no reason to lose those who come second, time and again.
TEST_F(VideoRungsTest, OneWhoHasLostTheChainIsStillWaitedForWhileTheFrameIsWritten)
{
    FakeViewer first;
    FakeViewer second;
    second.link = 0;
    rungs.join(first);
    rungs.join(second);
    frames(5);
    second.ready = false;
    frames(10);
    second.ready = true;
    frames(60);
    const std::size_t before = second.got.size();
    for (int i = 0; i < 30; ++i) {
        answer();
        for (FakeViewer *viewer : {&first, &second}) {
            viewer->writing = false;
            rungs.onReady(*viewer);
        }
        time.pass(33ms);
    }
    EXPECT_EQ(second.got.size(), before + 30);
    EXPECT_EQ(second.broken(), 0);
}

TEST_F(VideoRungsTest, EachAcknowledgementOfManyLooksAtAFewViewers)
{
    constexpr std::size_t kMany = 200;
    std::vector<FakeViewer> viewers(kMany);
    for (FakeViewer &viewer : viewers)
        rungs.join(viewer);
    answer();
    written();
    FakeViewer::looks = 0;
    constexpr std::size_t kFrames = 10;
    for (std::size_t i = 0; i < kFrames; ++i) {
        answer();
        for (FakeViewer &viewer : viewers) {
            viewer.writing = false;
            rungs.onReady(viewer);
        }
        time.pass(33ms);
    }
    for (const FakeViewer &viewer : viewers)
        EXPECT_EQ(viewer.got.size(), kFrames + 1);
    EXPECT_LE(FakeViewer::looks, 10 * kFrames * kMany);
}

// A client that acknowledges nothing and reads slowly has the others wait once, not for ever.
TEST_F(VideoRungsTest, OneWhoCannotMoveDownHoldsNobodyUp)
{
    FakeViewer good;
    FakeViewer slow;
    slow.link = 0;
    slow.takes_jpeg = false;
    rungs.join(good);
    rungs.join(slow);
    for (int i = 0; i < 300; ++i) {
        slow.ready = i % 15 == 0;
        frames(1);
    }
    EXPECT_GT(good.got.size(), 280U);
    EXPECT_EQ(good.broken(), 0);
    EXPECT_EQ(slow.broken(), 0);
    EXPECT_LE(keys[0], 7) << "ever more seldom";
    EXPECT_EQ(slow.on(1), 0U);
}

// A stall of the link: acknowledgements are overdue when a frame that was asked for comes.
TEST_F(VideoRungsTest, AnOverdueAcknowledgementBreaksNoChain)
{
    FakeViewer viewer;
    rungs.join(viewer);
    frames(10);
    for (int stall = 0; stall < 5; ++stall) {
        ASSERT_EQ(video.asked.size(), 1U);
        viewer.window = false;
        const std::size_t before = viewer.got.size();
        frames(5);
        EXPECT_EQ(viewer.got.size(), before + 1) << "what was asked for, and no more";
        viewer.window = true;
        frames(5);
    }
    EXPECT_EQ(keys[0], 1);
    EXPECT_EQ(viewer.on(1), 0U);
    EXPECT_EQ(viewer.broken(), 0);
}

// Who lags again and again, on a link that is wide enough, is on the smallest rung, not on JPEGs.
TEST_F(VideoRungsTest, OnlyTooThinALinkLeadsToJpegs)
{
    FakeViewer viewer;
    FakeViewer other;
    rungs.join(viewer);
    rungs.join(other);
    for (int i = 0; i < 100; ++i) {
        frames(10);
        viewer.ready = i % 3 != 0;
    }
    viewer.ready = true;
    frames(300);
    EXPECT_FALSE(viewer.pictures);
    EXPECT_EQ(viewer.broken(), 0);
    EXPECT_EQ(other.broken(), 0);
}

TEST_F(VideoRungsTest, AThinLinkMovesDownAndBackUpWhenItHasRoom)
{
    FakeViewer viewer;
    rungs.join(viewer);
    frames(30);
    viewer.link = kVgaMin / 2;
    frames(20);
    EXPECT_GT(viewer.on(1), 0U);
    EXPECT_LE(last_bitrate[1], kVgaMin / 2);
    viewer.link = kVgaMin / 20;
    frames(20);
    EXPECT_TRUE(viewer.pictures) << "below the last rung it is sent JPEGs";
    EXPECT_EQ(changes, 1);
    const std::size_t before = viewer.got.size();
    frames(30);
    EXPECT_EQ(viewer.got.size(), before);
    viewer.link = 2 * kVgaMin;
    frames(2000);
    EXPECT_FALSE(viewer.pictures);
    EXPECT_EQ(viewer.got.back()->rung, 0U);
    EXPECT_EQ(viewer.broken(), 0);
    EXPECT_EQ(changes, 2);
}

TEST_F(VideoRungsTest, ALinkThatComesAndGoesIsTriedEverMoreSeldom)
{
    FakeViewer viewer;
    rungs.join(viewer);
    int ups = 0;
    for (int second = 0; second < 600; ++second) {
        const bool up = !viewer.got.empty() && viewer.got.back()->rung == 0;
        viewer.link = up ? kVgaMin / 2 : 2 * kVgaMin; // the full size is too much for it each time
        ups += up ? 1 : 0;
        frames(30);
    }
    EXPECT_LE(ups, 12);
    EXPECT_EQ(viewer.broken(), 0);
}

// As often as it pauses: it comes back to the full size as soon as after the first time.
TEST_F(VideoRungsTest, ALinkThatPausesNowAndThenIsBackSoon)
{
    FakeViewer viewer;
    rungs.join(viewer);
    for (int pauses = 0; pauses < 5; ++pauses) {
        frames(30 * 120);
        EXPECT_EQ(viewer.got.back()->rung, 0U);
        viewer.link = kVgaMin / 20;
        frames(60);
        EXPECT_TRUE(viewer.pictures);
        viewer.link = 2 * kVgaMin;
        frames(30 * 6);
        EXPECT_FALSE(viewer.pictures);
        frames(30 * 6);
        EXPECT_EQ(viewer.got.back()->rung, 0U) << pauses << " pauses before";
    }
    EXPECT_EQ(viewer.broken(), 0);
}

TEST_F(VideoRungsTest, WhoHasJustMovedUpMayLagOnce)
{
    FakeViewer viewer;
    FakeViewer other;
    rungs.join(viewer);
    rungs.join(other);
    const auto lagOnce = [&] {
        viewer.ready = false;
        frames(10);
        viewer.ready = true;
        frames(30);
    };
    frames(30);
    lagOnce();
    lagOnce();
    ASSERT_EQ(viewer.got.back()->rung, 1U);
    for (int i = 0; i < 300 && viewer.got.back()->rung != 0; ++i)
        frames(1);
    ASSERT_EQ(viewer.got.back()->rung, 0U);
    lagOnce();
    EXPECT_EQ(viewer.got.back()->rung, 0U);
    EXPECT_EQ(viewer.broken(), 0);
}

TEST_F(VideoRungsTest, AFrameTooLargeForALinkIsNotSentToIt)
{
    FakeViewer thin;
    FakeViewer wide;
    wide.link = 20000000;
    rungs.join(thin);
    rungs.join(wide);
    frames(40);
    const std::size_t before = wide.got.size();
    answer(114000); // a cut
    EXPECT_EQ(wide.got.size(), before + 1);
    frames(1, 20000);
    frames(10);
    EXPECT_GT(thin.on(1), 0U) << "a key frame of half the size in its place";
    for (const FramePtr &frame : thin.got)
        EXPECT_LT(frame->bytes, 114000U);
    EXPECT_EQ(thin.broken(), 0);
    EXPECT_EQ(wide.broken(), 0);
}

TEST_F(VideoRungsTest, TheThinnestLinkDecidesTheBitrate)
{
    FakeViewer one;
    FakeViewer two;
    rungs.join(one);
    rungs.join(two);
    one.link = 20000000;
    two.link = 600000;
    frames(3);
    EXPECT_EQ(last_bitrate[0], 600000U);
    rungs.leave(two);
    frames(3);
    EXPECT_EQ(last_bitrate[0], bitrateRange(kVga, 0, {}).max);
    one.link = 0; // acknowledges nothing
    frames(3);
    EXPECT_EQ(last_bitrate[0], 3 * kVgaMin);
}

TEST_F(VideoRungsTest, WhenNoEncoderWorksThereAreJpegs)
{
    FakeViewer viewer;
    FakeViewer program;
    program.takes_jpeg = false;
    rungs.join(viewer);
    rungs.join(program);
    rungs.onVideo({0, fail(ErrorKind::kUnsupported, "broken"), 0ms, ""});
    EXPECT_TRUE(viewer.pictures);
    EXPECT_TRUE(program.ended);
    EXPECT_EQ(status.values(time.now()).video_failures, 1U);
    // With the camera opened anew they are tried again.
    video.asked.clear();
    rungs.onCameraOpened(kVga);
    time.pass(10s);
    ASSERT_FALSE(video.asked.empty());
    frames(200);
    EXPECT_FALSE(viewer.pictures);
    EXPECT_GT(viewer.on(0), 10U);
}

// Its camera stays open for others, so nothing tries the encoders again.
TEST_F(VideoRungsTest, WhoComesAfterAllEncodersFailedAndTakesNothingElseIsToldSo)
{
    for (const unsigned rung : {0U, 1U}) {
        FakeViewer program;
        program.takes_jpeg = false;
        rungs.join(program);
        EXPECT_FALSE(program.ended);
        rungs.onVideo({rung, fail(ErrorKind::kUnsupported, "broken"), 0ms, ""});
        EXPECT_TRUE(program.ended);
        rungs.leave(program);
    }
    FakeViewer late;
    late.takes_jpeg = false;
    rungs.join(late);
    EXPECT_TRUE(late.ended);
    FakeViewer page;
    rungs.join(page);
    EXPECT_FALSE(page.ended);
    EXPECT_TRUE(page.pictures);
    rungs.leave(late);
}

TEST_F(VideoRungsTest, AKeyFrameOnRequest)
{
    FakeViewer viewer;
    rungs.join(viewer);
    frames(60);
    EXPECT_EQ(keys[0], 1);
    for (int i = 0; i < 60; ++i) {
        rungs.onKeyWanted(viewer);
        frames(1);
    }
    EXPECT_EQ(keys[0], 3) << "one a second";
    EXPECT_EQ(viewer.broken(), 0);
}

TEST_F(VideoRungsTest, KeyFramesNowAndThenForWhoCutsAtThem)
{
    FakeViewer viewer;
    FakeViewer recorder;
    recorder.key_interval = 4s;
    rungs.join(viewer);
    rungs.join(recorder);
    frames(30 * 21);
    EXPECT_NEAR(keys[0], 6, 1);
    rungs.leave(recorder);
    const int before = keys[0];
    frames(30 * 21);
    EXPECT_EQ(keys[0], before);
    EXPECT_EQ(viewer.broken(), 0);
}

TEST_F(VideoRungsTest, AnAnswerThatNeverComesIsNotWaitedForAfterTheEnd)
{
    FakeViewer viewer;
    rungs.join(viewer);
    ASSERT_EQ(video.asked.size(), 1U);
    rungs.leave(viewer);
    rungs.stop(); // the camera has been closed
    rungs.join(viewer);
    EXPECT_EQ(video.asked.size(), 2U);
}

// The encoder leaves frames out: the next is asked for at once.
TEST_F(VideoRungsTest, AFrameThatIsLeftOutBreaksNoChain)
{
    FakeViewer viewer;
    rungs.join(viewer);
    frames(3);
    for (int i = 0; i < 5; ++i) {
        video.asked.clear();
        rungs.onVideo({0, EncodedFramePtr(), 1ms, "fake"});
        EXPECT_EQ(video.asked.size(), 1U);
    }
    frames(3);
    EXPECT_EQ(viewer.broken(), 0);
    EXPECT_EQ(keys[0], 1);
}

TEST(VideoLimits, BySizeAndAsGiven)
{
    EXPECT_EQ(bitrateRange(kVga, 0, {}).min, kVgaMin);
    EXPECT_NEAR(bitrateRange({1280, 720}, 0, {}).min, 600000, 10000);
    EXPECT_LT(bitrateRange(kVga, 1, {}).max, bitrateRange(kVga, 0, {}).max);
    EXPECT_EQ(bitrateRange(kVga, 0, {100000, 5000000}).min, 100000U);
    EXPECT_EQ(bitrateRange(kVga, 0, {100000, 5000000}).max, 5000000U);
    const auto contradiction = bitrateRange(kVga, 0, {2000000, 1000000});
    EXPECT_LE(contradiction.min, contradiction.max);
    const auto link = linkLimits(kVga, {});
    EXPECT_LT(link.min, bitrateRange(kVga, 1, {}).min);
    EXPECT_LE(link.start, link.max);
}

} // namespace
} // namespace picam
