// The boxes as a small parser sees them, and what ffmpeg makes of real streams of libopenh264.
#include "streamd/video/mp4_fragments.h"

#include "tests/fakes/temp_dir.h"

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>
#include <string>
#include <wels/codec_api.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using Bytes = std::vector<std::uint8_t>;

constexpr Size kSmall{160, 120};
// Long after the machine has started.
constexpr MonotonicTime kStart{std::chrono::hours(24 * 365)};

// Constrained baseline, a key frame first and on request.
class Encoder {
public:
    explicit Encoder(Size size, bool colors = true)
        : size_(size), planes_(std::size_t{size.width} * size.height * 3 / 2)
    {
        EXPECT_EQ(WelsCreateSVCEncoder(&encoder_), 0);
        int quiet = WELS_LOG_QUIET;
        encoder_->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);
        SEncParamExt parameters{};
        encoder_->GetDefaultParams(&parameters);
        parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
        parameters.iPicWidth = static_cast<int>(size.width);
        parameters.iPicHeight = static_cast<int>(size.height);
        parameters.fMaxFrameRate = 30;
        parameters.iTargetBitrate = 500000;
        parameters.iRCMode = RC_OFF_MODE;
        parameters.bEnableFrameSkip = false;
        parameters.eSpsPpsIdStrategy = CONSTANT_ID;
        SSpatialLayerConfig &layer = parameters.sSpatialLayers[0];
        layer.uiProfileIdc = PRO_BASELINE;
        layer.iVideoWidth = parameters.iPicWidth;
        layer.iVideoHeight = parameters.iPicHeight;
        layer.fFrameRate = 30;
        layer.iSpatialBitrate = parameters.iTargetBitrate;
        layer.bVideoSignalTypePresent = colors;
        layer.uiVideoFormat = VF_UNDEF;
        layer.bFullRange = true;
        layer.bColorDescriptionPresent = true;
        layer.uiColorPrimaries = CP_BT709;
        layer.uiTransferCharacteristics = TRC_IEC61966_2_1;
        layer.uiColorMatrix = CM_SMPTE170M;
        EXPECT_EQ(encoder_->InitializeExt(&parameters), 0);
    }
    Encoder(const Encoder &) = delete;
    Encoder &operator=(const Encoder &) = delete;
    ~Encoder()
    {
        encoder_->Uninitialize();
        WelsDestroySVCEncoder(encoder_);
    }

    EncodedFrame encode(MonotonicTime captured, bool key = false)
    {
        for (std::size_t i = 0; i < planes_.size(); ++i)
            planes_[i] = static_cast<std::uint8_t>(i / 7 + 3 * static_cast<std::size_t>(frames_));
        ++frames_;
        SSourcePicture picture{};
        picture.iColorFormat = videoFormatI420;
        picture.iPicWidth = static_cast<int>(size_.width);
        picture.iPicHeight = static_cast<int>(size_.height);
        picture.uiTimeStamp = frames_ * 33;
        picture.iStride[0] = picture.iPicWidth;
        picture.iStride[1] = picture.iStride[2] = picture.iPicWidth / 2;
        const std::size_t luma = std::size_t{size_.width} * size_.height;
        picture.pData[0] = planes_.data();
        picture.pData[1] = planes_.data() + luma;
        picture.pData[2] = planes_.data() + luma / 4 * 5;
        if (key)
            encoder_->ForceIntraFrame(true);
        SFrameBSInfo info{};
        EXPECT_EQ(encoder_->EncodeFrame(&picture, &info), 0);
        EncodedFrame frame;
        frame.codec = Codec::kH264;
        frame.key = info.eFrameType == videoFrameTypeIDR;
        frame.size = size_;
        frame.captured = captured;
        for (int i = 0; i < info.iLayerNum; ++i) {
            const SLayerBSInfo &layer = info.sLayerInfo[i];
            int bytes = 0;
            for (int nal = 0; nal < layer.iNalCount; ++nal)
                bytes += layer.pNalLengthInByte[nal];
            frame.bytes.insert(frame.bytes.end(), layer.pBsBuf, layer.pBsBuf + bytes);
        }
        return frame;
    }

private:
    const Size size_;
    Bytes planes_;
    ISVCEncoder *encoder_ = nullptr;
    int frames_ = 0;
};

// What a viewer gets of these captures, all of them.
Bytes streamOf(Encoder &encoder, Size size, const std::vector<std::chrono::microseconds> &captured, std::size_t key = 0)
{
    std::optional<Mp4Fragments> viewer;
    Bytes stream;
    for (std::size_t i = 0; i < captured.size(); ++i) {
        const auto frame = makeMp4Frame(encoder.encode(kStart + captured[i], i == key));
        EXPECT_TRUE(frame) << frame.error().message;
        if (!viewer) {
            viewer.emplace(*frame);
            stream = mp4InitSegment(size, *frame->parameter_sets, 30);
        }
        EXPECT_TRUE(viewer->continues(*frame));
        for (const Bytes &part : {viewer->moof(*frame), frame->mdat})
            stream.insert(stream.end(), part.begin(), part.end());
    }
    return stream;
}

struct Output {
    std::string text;
    std::string errors;
};

// A command over the stream in a file, whose name follows the command.
Output run(const std::string &command, const Bytes &stream, const std::string &arguments = "")
{
    const testing::TempDir folder;
    const std::string base = folder.file("stream");
    std::ofstream(base + ".mp4", std::ios::binary)
        .write(reinterpret_cast<const char *>(stream.data()), static_cast<std::streamsize>(stream.size()));
    const std::string line = command + " " + base + ".mp4 " + arguments + " >" + base + ".out 2>" + base + ".err";
    EXPECT_EQ(std::system(line.c_str()), 0) << line;
    const auto read = [&base](const char *suffix) {
        std::ifstream file(base + suffix);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    return {read(".out"), read(".err")};
}

// The times of the frames that a decoder gives, in microseconds.
std::vector<std::uint64_t> decodedTimes(const Bytes &stream)
{
    const Output output = run("ffprobe -v error -show_entries frame=pts -of default=nk=1:nw=1", stream);
    EXPECT_EQ(output.errors, "");
    std::vector<std::uint64_t> times;
    std::istringstream text(output.text);
    for (std::uint64_t time = 0; text >> time;)
        times.push_back(time);
    return times;
}

// A box: its type, what it holds, and the boxes therein.
struct Box {
    std::string type;
    Bytes content;
    std::vector<Box> boxes;

    [[nodiscard]] const Box &at(const std::string &path) const
    {
        const std::string name = path.substr(0, 4);
        for (const Box &box : boxes)
            if (box.type == name)
                return path.size() > 4 ? box.at(path.substr(5)) : box;
        ADD_FAILURE() << "no " << path << " in " << type;
        return *this;
    }
    // Big-endian, of `bytes` bytes.
    [[nodiscard]] std::uint64_t number(std::size_t offset, std::size_t bytes) const
    {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8U | content.at(offset + i);
        return value;
    }
};

// Each box ends within the one around it, and nothing is left between.
std::vector<Box> boxesOf(const Bytes &bytes, std::size_t at = 0)
{
    std::vector<Box> boxes;
    while (at < bytes.size()) {
        if (bytes.size() - at < 8) {
            ADD_FAILURE() << "a rest of " << bytes.size() - at << " bytes";
            break;
        }
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; ++i)
            size = size << 8U | bytes[at + i];
        Box box;
        box.type.assign(bytes.begin() + static_cast<long>(at) + 4, bytes.begin() + static_cast<long>(at) + 8);
        if (size < 8 || size > bytes.size() - at) {
            ADD_FAILURE() << box.type << " of " << size << " bytes in " << bytes.size() - at;
            break;
        }
        box.content.assign(bytes.begin() + static_cast<long>(at) + 8, bytes.begin() + static_cast<long>(at + size));
        at += size;
        for (const char *container : {"moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"})
            if (box.type == container)
                box.boxes = boxesOf(box.content);
        if (box.type == "stsd" || box.type == "dref")
            box.boxes = boxesOf(box.content, 8);
        if (box.type == "avc1")
            box.boxes = boxesOf(box.content, 78);
        boxes.push_back(std::move(box));
    }
    return boxes;
}

std::vector<std::string> typesOf(const std::vector<Box> &boxes)
{
    std::vector<std::string> types;
    for (const Box &box : boxes)
        types.push_back(box.type);
    return types;
}

EncodedFrame frameOf(Bytes bytes, bool key)
{
    EncodedFrame frame;
    frame.codec = Codec::kH264;
    frame.key = key;
    frame.size = kSmall;
    frame.captured = kStart;
    frame.bytes = std::move(bytes);
    return frame;
}

const Bytes kKeyUnit{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 0x88};
const Bytes kDeltaUnit{0, 0, 0, 1, 0x41, 0x9a, 0x11};

TEST(Mp4Fragments, TheInitSegment)
{
    const ParameterSets sets{{0x67, 0x42, 0xc0, 0x1f, 0x8c}, {0x68, 0xce}};
    const std::vector<Box> boxes = boxesOf(mp4InitSegment({1280, 720}, sets, 25));
    ASSERT_THAT(typesOf(boxes), ElementsAre("ftyp", "moov"));
    const Box &moov = boxes[1];
    EXPECT_THAT(typesOf(moov.boxes), ElementsAre("mvhd", "trak", "mvex")) << "one track, no edits";
    EXPECT_EQ(moov.at("mvhd").number(12, 8), std::uint64_t{kMp4Timescale} << 32U) << "timescale, and no duration";
    EXPECT_EQ(moov.at("trak/mdia/mdhd").number(12, 8), std::uint64_t{kMp4Timescale} << 32U);
    EXPECT_EQ(moov.at("trak/tkhd").number(76, 8), std::uint64_t{1280} << 48U | std::uint64_t{720} << 16U);
    EXPECT_EQ(moov.at("trak/mdia/minf/stbl/stts").content,
              (Bytes{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x9c, 0x40}));
    const Box &avc1 = moov.at("trak/mdia/minf/stbl/stsd/avc1");
    EXPECT_EQ(avc1.number(24, 4), 1280U << 16U | 720U);
    EXPECT_EQ(avc1.at("avcC").content,
              (Bytes{1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 1, 0, 2, 0x68, 0xce}));
    EXPECT_EQ(avc1.at("colr").content, (Bytes{'n', 'c', 'l', 'x', 0, 1, 0, 13, 0, 6, 0x80}));
}

TEST(Mp4Fragments, AFragmentForEachFrame)
{
    auto key = makeMp4Frame(frameOf(kKeyUnit, true));
    auto delta = makeMp4Frame(frameOf(kDeltaUnit, false));
    ASSERT_TRUE(key && delta);
    EXPECT_EQ(key->mdat, (Bytes{0, 0, 0, 14, 'm', 'd', 'a', 't', 0, 0, 0, 2, 0x65, 0x88}));
    EXPECT_EQ(delta->mdat, (Bytes{0, 0, 0, 15, 'm', 'd', 'a', 't', 0, 0, 0, 3, 0x41, 0x9a, 0x11}));
    delta->captured = kStart + 40ms;

    Mp4Fragments viewer(*key);
    std::uint64_t sequence = 0;
    for (const Mp4Frame *frame : {&*key, &*delta}) {
        const Bytes moof = viewer.moof(*frame);
        const std::vector<Box> boxes = boxesOf(moof);
        ASSERT_THAT(typesOf(boxes), ElementsAre("moof"));
        EXPECT_THAT(typesOf(boxes[0].boxes), ElementsAre("mfhd", "traf"));
        EXPECT_EQ(boxes[0].at("mfhd").number(4, 4), ++sequence);
        const Box &traf = boxes[0].at("traf");
        EXPECT_THAT(typesOf(traf.boxes), ElementsAre("tfhd", "tfdt", "trun"));
        EXPECT_EQ(traf.at("tfhd").number(0, 8), 0x0002000000000001U);
        EXPECT_EQ(traf.at("tfdt").number(0, 4), 0x01000000U);
        EXPECT_EQ(traf.at("tfdt").number(4, 8), frame->key ? 0U : 33333U);
        const Box &trun = traf.at("trun");
        EXPECT_EQ(trun.number(0, 8), 0x0000070100000001U) << "one sample with duration, size and flags";
        EXPECT_EQ(trun.number(8, 4), moof.size() + 8) << "the mdat follows at once";
        EXPECT_EQ(trun.number(12, 4), frame->key ? 33333U : 40000U);
        EXPECT_EQ(trun.number(16, 4), frame->mdat.size() - 8);
        EXPECT_EQ(trun.number(20, 4), frame->key ? 0x02000000U : 0x01010000U);
    }
}

// Decode times of a viewer's fragments, whose samples follow each other without a gap.
std::vector<std::uint64_t> decodeTimes(const std::vector<std::chrono::microseconds> &captured)
{
    auto frame = makeMp4Frame(frameOf(kKeyUnit, true));
    EXPECT_TRUE(frame);
    Mp4Fragments viewer(*frame);
    std::vector<std::uint64_t> times;
    std::uint64_t end = 0;
    for (const auto time : captured) {
        frame->captured = kStart + time;
        const std::vector<Box> boxes = boxesOf(viewer.moof(*frame));
        times.push_back(boxes.at(0).at("traf/tfdt").number(4, 8));
        EXPECT_EQ(times.back(), end);
        const std::uint64_t duration = boxes.at(0).at("traf/trun").number(12, 4);
        EXPECT_GT(duration, 0U);
        end = times.back() + duration;
    }
    return times;
}

TEST(Mp4Fragments, TimesAreThoseOfTheCapturesAFrameLate)
{
    EXPECT_THAT(decodeTimes({5s, 5040ms, 5073ms, 5200ms, 5201ms, 5202ms}),
                ElementsAre(0, 33333, 73333, 106333, 233333, 234333));
    EXPECT_THAT(decodeTimes({0s, 500ms, 1s, 1500ms, 2s}), ElementsAre(0, 33333, 283333, 783333, 1283333))
        << "two a second: after the first such interval it is no pause";
    EXPECT_THAT(decodeTimes({0s, 40s, 80s, 120s}), ElementsAre(0, 33333, 283333, 40283333))
        << "nor is any other rate's";
}

TEST(Mp4Fragments, PausesAreLeftOut)
{
    EXPECT_THAT(decodeTimes({0ms, 40ms, 5040ms, 5080ms, 5120ms}), ElementsAre(0, 33333, 73333, 323333, 363333));
    EXPECT_THAT(decodeTimes({0ms, 500ms, 1030ms, 1500ms, 6500ms, 6533ms, 6566ms}),
                ElementsAre(0, 33333, 283333, 813333, 1283333, 1988333, 2021333))
        << "two a second, a pause, and thirty a second";
    EXPECT_THAT(decodeTimes({0h, 2h, 4h, 6h}), ElementsAre(0, 33333, 283333, 60283333));
    EXPECT_THAT(decodeTimes({1h, 1h, 0h, 0h}), ElementsAre(0, 33333, 33334, 33335))
        << "clocks that stand still or go back";
}

TEST(Mp4Fragments, TimesHave64Bits)
{
    std::vector<std::chrono::microseconds> captured;
    for (int i = 0; i < 100; ++i)
        captured.push_back(i * 50s);
    EXPECT_EQ(decodeTimes(captured).back(), 33333U + 250000U + 97 * std::uint64_t{50000000})
        << "more microseconds than 32 bits hold";
}

TEST(Mp4Fragments, OtherParameterSetsOrAnotherSizeEndAStream)
{
    const auto key = makeMp4Frame(frameOf(kKeyUnit, true));
    const auto delta = makeMp4Frame(frameOf(kDeltaUnit, false));
    Bytes other_level = kKeyUnit;
    other_level[7] = 0x28;
    const auto other = makeMp4Frame(frameOf(other_level, true));
    ASSERT_TRUE(key && delta && other);
    const Mp4Fragments viewer(*key);
    EXPECT_TRUE(viewer.continues(*key));
    EXPECT_TRUE(viewer.continues(*delta));
    EXPECT_FALSE(viewer.continues(*other));
    auto larger = *delta;
    larger.size = {320, 240};
    EXPECT_FALSE(viewer.continues(larger));
}

TEST(Mp4Fragments, WhatIsNoAccessUnitIsNoFrame)
{
    const auto refusal = [](Bytes bytes, bool key) {
        const auto made = makeMp4Frame(frameOf(std::move(bytes), key));
        EXPECT_FALSE(made);
        return made ? "" : made.error().message;
    };
    EXPECT_EQ(refusal({}, false), "an access unit without a slice");
    EXPECT_EQ(refusal({0x65, 0x88}, true), "an access unit without a slice");
    EXPECT_EQ(refusal({kKeyUnit.begin(), kKeyUnit.begin() + 15}, true), "an access unit without a slice");
    EXPECT_EQ(refusal({0, 0, 1, 0x65, 0x88}, true), "a key frame without SPS and PPS");
    Bytes longer{0, 0, 1, 0x67, 0x42, 0xc0, 0x1f};
    longer.insert(longer.end(), 0x10000, 0x5a);
    longer.insert(longer.end(), {0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88});
    EXPECT_EQ(refusal(longer, true), "parameter sets that are too long");
}

TEST(Mp4Fragments, FfmpegReadsAllFramesWithTheirTimes)
{
    // Thirty a second that jitter, a key frame among them; then two a second.
    std::vector<std::chrono::microseconds> captured;
    for (int i = 0; i < 60; ++i)
        captured.emplace_back(i * 33333 + (i * 7919) % 30000);
    for (int i = 0; i < 6; ++i)
        captured.push_back(captured.back() + 500ms);
    Encoder encoder(kSmall);
    const Bytes stream = streamOf(encoder, kSmall, captured, 20);
    EXPECT_EQ(decodedTimes(stream), decodeTimes(captured));
    const Output decoded =
        run("ffmpeg -nostdin -v error -xerror -i", stream, "-fps_mode passthrough -enc_time_base 1:1000000 -f null -");
    EXPECT_EQ(decoded.errors, "");
}

// A client of a stream that is just beginning has one frame, and does not wait for many more to guess their rate.
TEST(Mp4Fragments, FfmpegBeginsWithTheFirstFrame)
{
    Encoder encoder(kSmall);
    const Output seen = run("cat", streamOf(encoder, kSmall, {0s, 1s, 2s, 3s}), "| ffprobe -v debug -i pipe:");
    EXPECT_THAT(seen.errors, ::testing::ContainsRegex("After avformat_find_stream_info.* frames:1\n"));
}

// An SPS may say nothing of colours: then a player has them from the colr box.
TEST(Mp4Fragments, FfmpegSeesTheColoursAndTheSize)
{
    for (const bool in_sps : {true, false}) {
        Encoder encoder({426, 240}, in_sps);
        const Output seen =
            run("ffprobe -v error -show_entries stream=profile,width,height,color_range,color_space,color_transfer,"
                "color_primaries,time_base,has_b_frames -of csv=p=0",
                streamOf(encoder, {426, 240}, {0us, 40000us, 80000us}));
        EXPECT_EQ(seen.errors, "");
        EXPECT_EQ(seen.text, "Constrained Baseline,426,240,0,pc,smpte170m,iec61966-2-1,bt709,1/1000000\n") << in_sps;
    }
}

} // namespace
} // namespace picam
