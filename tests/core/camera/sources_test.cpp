// The sources that need no camera: pattern and replay, with the strip, the clock and the files behind them.
#include "core/base/newest_slot.h"
#include "core/base/thread_annotations.h"
#include "core/camera/pattern_card.h"
#include "core/camera/pattern_source.h"
#include "core/camera/replay_source.h"
#include "core/camera/source.h"
#include "core/camera/y4m.h"
#include "core/image/jpeg_encoder.h"
#include "tests/fakes/read_strip.h"
#include "tests/fakes/temp_dir.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <turbojpeg.h>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::readStrip;
using testing::TempDir;
using namespace std::chrono_literals;

class Collector : public FrameSink {
public:
    void onFrame(std::shared_ptr<Frame> frame) override { slot.put(Item(std::move(*frame))); }
    void onStill(std::shared_ptr<Frame> frame) override { stills.put(Item(std::move(*frame))); }
    void onSourceError(Error error) override { slot.put(Item(tl::unexpected<Error>(std::move(error)))); }

    Expected<Frame> next()
    {
        std::optional<Item> item;
        if (slot.take(item, steady_clock::now() + 20s) != NewestSlot<Item>::Wake::kItem)
            return fail(ErrorKind::kTimeout, "no frame");
        return std::move(*item);
    }

    Expected<Frame> nextStill()
    {
        std::optional<Item> item;
        if (stills.take(item, steady_clock::now() + 20s) != NewestSlot<Item>::Wake::kItem)
            return fail(ErrorKind::kTimeout, "no still");
        return std::move(*item);
    }

    using Item = Expected<Frame>;
    NewestSlot<Item> slot;
    NewestSlot<Item> stills;
};

// Keeps what the frames of a source show, in their order, and recycles each at once.
class Recorder : public FrameSink {
public:
    using Bytes = std::vector<std::uint8_t>;

    void onFrame(std::shared_ptr<Frame> frame) override
    {
        {
            const MutexLock lock(mutex_);
            seen_.emplace_back(frame->plane(0).data, frame->plane(0).data + frame->plane(0).size);
        }
        changed_.notify_one();
    }
    void onStill(std::shared_ptr<Frame> /*frame*/) override {}
    void onSourceError(Error /*error*/) override {}

    // The first `count`; fewer after 20 s.
    std::vector<Bytes> first(std::size_t count)
    {
        const auto deadline = steady_clock::now() + 20s;
        UniqueLock lock(mutex_);
        while (seen_.size() < count && changed_.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
        }
        return {seen_.begin(), seen_.begin() + static_cast<std::ptrdiff_t>(std::min(count, seen_.size()))};
    }

private:
    Mutex mutex_;
    std::condition_variable changed_;
    std::vector<Bytes> seen_ PICAM_GUARDED_BY(mutex_);
};

// The frames come at this rate: never faster, and, however busy the machine, two of them one interval apart at last.
void expectRate(Collector &sink, double fps)
{
    const auto interval = std::chrono::duration<double>(1.0 / fps);
    ASSERT_TRUE(sink.next()); // may be of before
    ASSERT_TRUE(sink.next());
    const auto deadline = steady_clock::now() + 20s;
    const MonotonicTime first = sink.next()->captured();
    MonotonicTime last = first;
    bool in_time = false;
    for (int gaps = 0; gaps < 20 || (!in_time && steady_clock::now() < deadline); ++gaps) {
        const auto frame = sink.next();
        ASSERT_TRUE(frame);
        in_time = in_time || frame->captured() - last < 1.5 * interval;
        last = frame->captured();
        EXPECT_GT(last - first, gaps * interval) << "faster than " << fps; // one interval less: the first may be late
    }
    EXPECT_TRUE(in_time) << "slower than " << fps;
}

SourceRequest request(Size size, double fps = 200)
{
    SourceRequest request;
    request.size = size;
    request.fps = fps;
    return request;
}

std::uint64_t wallNow()
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

TEST(PatternCard, TheStripSurvivesJpegAtEverySize)
{
    auto encoder = *JpegEncoder::create();
    for (const Size size : {Size{160, 120}, Size{320, 240}, Size{640, 480}, Size{1280, 720}, Size{1920, 1080}}) {
        const PatternCard card(size);
        CardPixels pixels = card.still();
        const std::uint64_t time = 0x0006123456789abcULL;
        card.draw(pixels, time, 3);
        EXPECT_EQ(readStrip(pixels.y.data(), size.width, size), time);
        const std::size_t w = size.width;
        const Frame frame({PixelFormat::kYuv420, size, ColorRange::kFull, ColorMatrix::kBt601},
                          {{{pixels.y.data(), w, pixels.y.size()},
                            {pixels.u.data(), w / 2, pixels.u.size()},
                            {pixels.v.data(), w / 2, pixels.v.size()}}},
                          {}, [] {});
        const auto jpeg = encoder.encode(frame, {50, {}});
        ASSERT_TRUE(jpeg);
        std::vector<std::uint8_t> grey(w * size.height);
        tjhandle handle = tjInitDecompress();
        ASSERT_EQ(tjDecompress2(handle, jpeg->data(), jpeg->size(), grey.data(), static_cast<int>(w), 0,
                                static_cast<int>(size.height), TJPF_GRAY, 0),
                  0);
        tjDestroy(handle);
        EXPECT_EQ(readStrip(grey.data(), w, size), time) << size.toString();
        const StripLayout strip = stripLayout(size);
        grey[w * (size.height - strip.cell_height / 2) + strip.cell_width / 2] ^= 0xff; // one cell's middle
        EXPECT_FALSE(readStrip(grey.data(), w, size)) << size.toString();
    }
}

TEST(PatternSource, ShowsTheTimeAtWhichItWasTaken)
{
    Collector sink;
    const auto source = createPatternSource();
    const std::uint64_t before = wallNow();
    const auto info = source->start(request({640, 480}), sink);
    ASSERT_TRUE(info);
    const auto frame = sink.next();
    ASSERT_TRUE(frame);
    const auto shown = readStrip(frame->plane(0).data, frame->plane(0).stride, frame->format().size);
    ASSERT_TRUE(shown);
    EXPECT_GE(*shown, before);
    EXPECT_LE(*shown, wallNow());
    EXPECT_TRUE(*frame->metadata().exposure_converged);
}

TEST(PatternSource, TurnedItIsRenderedAsASensorWould)
{
    Collector sink;
    const auto source = createPatternSource();
    SourceRequest turned = request({480, 640});
    turned.transform.rotation = Rotation::k90;
    const auto info = source->start(turned, sink);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->format.size, (Size{640, 480}));
    EXPECT_EQ(info->remaining, turned.transform);
    const auto frame = sink.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->format(), info->format);
    const auto shown = readStrip(frame->plane(0).data, frame->plane(0).stride, {640, 480});
    ASSERT_TRUE(shown) << "the card is not upright";
    EXPECT_LE(*shown, wallNow());
    // Most of the card stands still: what is in the frame is the card of this size.
    const PatternCard card({640, 480});
    const auto &still = card.still().u;
    ASSERT_EQ(frame->plane(1).size, still.size());
    std::size_t same = 0;
    for (std::size_t i = 0; i < still.size(); ++i)
        same += frame->plane(1).data[i] == still[i] ? 1U : 0U;
    EXPECT_GT(same, still.size() / 2);
}

TEST(PatternSource, LeavesFramesOutWhenAllBuffersAreLent)
{
    Collector sink;
    const auto source = createPatternSource();
    ASSERT_TRUE(source->start(request({64, 64}, 240), sink));
    std::vector<Frame> held;
    for (int i = 0; i < 4; ++i) {
        auto frame = sink.next();
        ASSERT_TRUE(frame);
        held.push_back(std::move(*frame));
    }
    std::optional<Collector::Item> none;
    EXPECT_EQ(sink.slot.take(none, steady_clock::now() + 50ms), NewestSlot<Collector::Item>::Wake::kTimeout);
    held.pop_back();
    EXPECT_TRUE(sink.next());
    source->stop();
    held.clear(); // after the source has stopped
}

TEST(PatternSource, KeepsTheRateAndChangesIt)
{
    Collector sink;
    const auto source = createPatternSource();
    ASSERT_TRUE(source->start(request({64, 64}, 40), sink));
    expectRate(sink, 40);
    source->setFrameRate(100);
    expectRate(sink, 100);
    source->setFrameRate(0.1);
    source->setFrameRate(200); // must not wait out the ten seconds
    EXPECT_TRUE(sink.next());
    source->stop();
    sink.slot.clear();
    std::optional<Collector::Item> none;
    EXPECT_EQ(sink.slot.take(none, steady_clock::now() + 30ms), NewestSlot<Collector::Item>::Wake::kTimeout);
    EXPECT_TRUE(source->start(request({64, 64}), sink));
    EXPECT_TRUE(sink.next());
}

std::string y4m(const std::string &header, int frames, Size size)
{
    std::string text = header + "\n";
    for (int i = 0; i < frames; ++i)
        text += "FRAME\n" + std::string(std::size_t{size.width} * size.height * 3 / 2, static_cast<char>('a' + i));
    return text;
}

void write(const std::string &path, const std::string &text)
{
    std::ofstream(path, std::ios::binary) << text;
}

TEST(Y4m, ReadsItsHeader)
{
    const auto header = parseY4mHeader("YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->format.size, (Size{640, 480}));
    EXPECT_NEAR(header->fps, 29.97, 0.01);
    EXPECT_EQ(header->format.range, ColorRange::kLimited) << "as ffmpeg has it: \"jpeg\" is where chroma is sampled";
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48")->format.range, ColorRange::kLimited);
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 C420jpeg XCOLORRANGE=FULL")->format.range, ColorRange::kFull);
    EXPECT_TRUE(parseY4mHeader("YUV4MPEG2 W64 H48 XYSCSS=420MPEG2"));
    EXPECT_TRUE(parseY4mHeader("YUV4MPEG2 W64 H48 XYSCSS=444 C420")) << "C counts";
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 C420mpeg2")->format.range, ColorRange::kLimited);
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 C420mpeg2 XCOLORRANGE=FULL")->format.range, ColorRange::kFull);
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 XCOLORRANGE=LIMITED")->format.range, ColorRange::kLimited);
}

TEST(Y4m, RefusesWhatItCannotRead)
{
    for (const char *line :
         {"", "YUV4MPEG", "YUV4MPEG2", "YUV4MPEG2X W64 H48", "YUV4MPEG2 W64", "YUV4MPEG2 W15 H48",
          "YUV4MPEG2 W64 H48 C444", "YUV4MPEG2 W64 H48 XYSCSS=444", "YUV4MPEG2 W64 H48 Cmono",
          "YUV4MPEG2 W64 H48 C420p10", "YUV4MPEG2 W99999999999 H48", "YUV4MPEG2 W-64 H48", "YUV4MPEG2 W0 H0"})
        EXPECT_FALSE(parseY4mHeader(line)) << line;
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 F1:0")->fps, 0.0);
    EXPECT_EQ(parseY4mHeader("YUV4MPEG2 W64 H48 F999999:1")->fps, 0.0);
}

TEST(Y4m, LoopsOverItsWholeFrames)
{
    const TempDir dir;
    const std::string whole = y4m("YUV4MPEG2 W16 H16 F25:1", 2, {16, 16});
    write(dir.file("r.y4m"), whole);
    auto file = Y4mFile::open(dir.file("r.y4m"));
    ASSERT_TRUE(file);
    std::vector<std::uint8_t> planes;
    for (const char expected : {'a', 'b', 'a', 'b', 'a'}) {
        ASSERT_TRUE(file->readFrame(planes));
        EXPECT_EQ(planes[0], static_cast<std::uint8_t>(expected));
    }
    for (std::size_t length = 0; length < whole.size(); ++length) {
        write(dir.file("cut.y4m"), whole.substr(0, length));
        auto cut = Y4mFile::open(dir.file("cut.y4m"));
        Expected<void> read;
        for (int i = 0; cut && read && i < 3; ++i) {
            read = cut->readFrame(planes);
            EXPECT_TRUE(!read || planes[0] == 'a') << length;
        }
        // A frame before the cut is read again and again; without one there is nothing to play.
        EXPECT_EQ(cut && read, length >= whole.size() - (6 + 384)) << length;
    }
    write(dir.file("more.y4m"), whole + "and something else\n" + whole);
    auto more = Y4mFile::open(dir.file("more.y4m"));
    for (const char expected : {'a', 'b', 'a'}) {
        ASSERT_TRUE(more->readFrame(planes));
        EXPECT_EQ(planes[0], static_cast<std::uint8_t>(expected));
    }
}

// As ffmpeg stores it: the chroma planes have the odd column and line too.
TEST(Y4m, AnOddLastColumnAndLineAreLeftOut)
{
    const TempDir dir;
    const auto plane = [](std::uint32_t width, std::uint32_t height, char inside) {
        std::string text;
        for (std::uint32_t y = 0; y < height; ++y)
            text += std::string(width - 1, y + 1 < height ? inside : '-') + '-';
        return text;
    };
    const std::string frame = "FRAME\n" + plane(19, 17, 'y') + plane(10, 9, 'u') + plane(10, 9, 'v');
    write(dir.file("r.y4m"), "YUV4MPEG2 W19 H17 F25:1\n" + frame + frame);
    auto file = Y4mFile::open(dir.file("r.y4m"));
    ASSERT_TRUE(file);
    EXPECT_EQ(file->header().format.size, (Size{18, 16}));
    std::vector<std::uint8_t> planes;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(file->readFrame(planes));
        EXPECT_EQ(std::string(planes.begin(), planes.end()),
                  std::string(18 * 16, 'y') + std::string(9 * 8, 'u') + std::string(9 * 8, 'v'));
    }
}

TEST(ReplaySource, PlaysAY4mFileAtItsOwnRateAndSize)
{
    const TempDir dir;
    write(dir.file("r.y4m"), y4m("YUV4MPEG2 W64 H48 F50:1", 3, {64, 48}));
    Collector sink;
    const auto source = createReplaySource(dir.file("r.y4m"));
    SourceRequest any = request({640, 480}, 10);
    const auto refused = source->start(any, sink);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(refused.error().message.find("64x48, not 640x480"), std::string::npos);
    any.exact_size = false;
    const auto info = source->start(any, sink);
    ASSERT_TRUE(info);
    EXPECT_DOUBLE_EQ(info->fps, 50);
    EXPECT_EQ(info->format.size, (Size{64, 48}));
    const auto frame = sink.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->plane(1).stride, 32U);
    expectRate(sink, 50); // not the ten that were asked for
    source->setFrameRate(20);
    expectRate(sink, 20);
    source->setFrameRate(200); // faster than the recording
    expectRate(sink, 50);
    source->stop();

    Recorder recorder;
    ASSERT_TRUE(source->start(any, recorder));
    std::string shown;
    for (const auto &luma : recorder.first(7))
        shown += static_cast<char>(luma.at(0));
    EXPECT_EQ(shown, "abcabca");
    source->stop();
}

TEST(PatternSource, GivesAStillOfItsOwnSizeBesideTheFrames)
{
    Collector sink;
    const auto source = createPatternSource();
    SourceRequest both = request({320, 240});
    both.transform.rotation = Rotation::k90;
    both.still_output = StillOutputRequest{{640, 480}, true};
    const auto info = source->start(both, sink);
    ASSERT_TRUE(info && info->still_output);
    EXPECT_EQ(info->format.size, (Size{240, 320}));
    EXPECT_EQ(info->still_output->size, (Size{480, 640}));
    ASSERT_TRUE(sink.next());
    ASSERT_TRUE(sink.next());
    std::optional<Collector::Item> none;
    EXPECT_NE(sink.stills.take(none, steady_clock::now()), NewestSlot<Collector::Item>::Wake::kItem);
    for (int i = 0; i < 3; ++i) {
        source->requestStill();
        const auto still = sink.nextStill();
        ASSERT_TRUE(still);
        EXPECT_EQ(still->format(), *info->still_output);
        EXPECT_TRUE(readStrip(still->plane(0).data, 480, {480, 640}));
    }
    ASSERT_TRUE(sink.next());
}

TEST(ReplaySource, ScalesPlanesDownAndGivesAStillOfTheWhole)
{
    const TempDir dir;
    write(dir.file("r.y4m"), y4m("YUV4MPEG2 W64 H48 F200:1", 3, {64, 48}));
    Collector sink;
    const auto source = createReplaySource(dir.file("r.y4m"));
    SourceRequest both = request({32, 24});
    both.still_output = StillOutputRequest{{1280, 720}, false};
    auto info = source->start(both, sink);
    ASSERT_TRUE(info && info->still_output) << info.error().message;
    EXPECT_EQ(info->format.size, (Size{32, 24}));
    EXPECT_EQ(info->still_output->size, (Size{64, 48}));
    const auto frame = sink.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->plane(0).size, 32U * 24U);
    source->requestStill();
    const auto still = sink.nextStill();
    ASSERT_TRUE(still);
    EXPECT_EQ(still->plane(0).size, 64U * 48U);

    both.still_output = StillOutputRequest{{1280, 720}, true}; // larger than the recording
    info = source->start(both, sink);
    ASSERT_TRUE(info);
    EXPECT_FALSE(info->still_output);
    both.size = {64, 48};
    both.still_output = StillOutputRequest{{1280, 720}, false}; // would be what the frames are
    info = source->start(both, sink);
    ASSERT_TRUE(info);
    EXPECT_FALSE(info->still_output);
}

TEST(ReplaySource, NoticesThatItsFileIsGone)
{
    const TempDir dir;
    write(dir.file("r.y4m"), y4m("YUV4MPEG2 W64 H48 F200:1", 1, {64, 48}));
    Collector sink;
    const auto source = createReplaySource(dir.file("r.y4m"));
    ASSERT_TRUE(source->start(request({64, 48}), sink));
    ASSERT_TRUE(sink.next());
    std::filesystem::remove(dir.file("r.y4m"));
    Expected<Frame> next = sink.next();
    while (next)
        next = sink.next();
    EXPECT_EQ(next.error().kind, ErrorKind::kNoCamera);
    EXPECT_NE(next.error().message.find(dir.file("r.y4m")), std::string::npos);
}

TEST(ReplaySource, PlaysAFolderOfJpegsAsTheyAre)
{
    const TempDir dir;
    auto encoder = *JpegEncoder::create();
    std::vector<std::vector<std::uint8_t>> pictures;
    const PatternCard card({64, 64});
    for (std::uint64_t i = 0; i < 3; ++i) {
        CardPixels pixels = card.still();
        card.draw(pixels, i * 1000000, i);
        const Frame frame({PixelFormat::kYuv420, {64, 64}, ColorRange::kFull, ColorMatrix::kBt601},
                          {{{pixels.y.data(), 64, 4096}, {pixels.u.data(), 32, 1024}, {pixels.v.data(), 32, 1024}}}, {},
                          [] {});
        pictures.push_back(*encoder.encode(frame, {}));
        write(dir.file(std::to_string(i) + ".jpg"), std::string(pictures.back().begin(), pictures.back().end()));
    }
    write(dir.file("notes.txt"), "not a picture");
    write(dir.file("._1.JPG"), "not a picture either");
    Recorder recorder;
    const auto source = createReplaySource(dir.path());
    const auto info = source->start(request({64, 64}), recorder);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->format.pixels, PixelFormat::kJpeg);
    const auto shown = recorder.first(7);
    source->stop();
    ASSERT_EQ(shown.size(), 7U);
    for (std::size_t i = 0; i < shown.size(); ++i)
        EXPECT_EQ(shown[i], pictures[i % 3]) << i;
}

TEST(ReplaySource, SaysWhatIsWrongWithTheRecording)
{
    const TempDir dir;
    Collector sink;
    const auto expect = [&](const std::string &path, ErrorKind kind) {
        const auto info = createReplaySource(path)->start(request({64, 64}), sink);
        ASSERT_FALSE(info) << path;
        EXPECT_EQ(info.error().kind, kind) << info.error().message;
        EXPECT_NE(info.error().message.find(path), std::string::npos) << info.error().message;
    };
    expect(dir.file("none"), ErrorKind::kNoCamera);
    expect(dir.path(), ErrorKind::kNoCamera); // an empty folder
    write(dir.file("x.y4m"), "hello\n");
    expect(dir.file("x.y4m"), ErrorKind::kCorrupt);
    write(dir.file("x.jpg"), "hello");
    expect(dir.file("x.jpg"), ErrorKind::kCorrupt);
    expect("/dev/zero", ErrorKind::kIo);
}

TEST(SourceFactory, MakesWhatIsAskedFor)
{
    Settings settings;
    settings.runtime_dir = "/nonexistent"; // nothing is claimed where no camera is
    settings.camera.source = SourceKind::kPattern;
    Collector sink;
    auto factory = sourceFactory(settings);
    ASSERT_TRUE(factory);
    EXPECT_EQ((*(*factory)())->start(request({64, 64}), sink)->name, "pattern");
    settings.camera.source = SourceKind::kReplay;
    settings.camera.file = "/nonexistent";
    factory = sourceFactory(settings);
    ASSERT_TRUE(factory);
    EXPECT_FALSE((*(*factory)())->start(request({64, 64}), sink));
    settings.camera.source = SourceKind::kFeed;
    settings.camera.feed = "/nonexistent/feed.sock";
    factory = sourceFactory(settings);
    ASSERT_TRUE(factory);
    EXPECT_FALSE((*(*factory)())->start(request({64, 64}), sink));
    settings.camera.source = SourceKind::kLibcamera;
    factory = sourceFactory(settings);
    ASSERT_FALSE(factory);
    EXPECT_EQ(factory.error().kind, ErrorKind::kIo);
}

} // namespace
} // namespace picam
