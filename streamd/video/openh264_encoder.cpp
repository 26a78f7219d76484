#include "streamd/video/openh264_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <utility>
#include <wels/codec_api.h>

namespace picam {
namespace {

// The level's limits, of macroblocks in a picture and a second, are what decoders look at (ITU-T H.264, table A-1).
struct Level {
    ELevelIdc level;
    unsigned macroblocks;
    unsigned macroblocks_per_second;
};
constexpr std::array<Level, 4> kLevels{{
    {LEVEL_3_1, 3600, 108000}, // 1280x720 at 30: avc1.42E01F, which everything decodes
    {LEVEL_4_0, 8192, 245760}, // 1920x1080 at 30
    {LEVEL_5_0, 22080, 589824},
    {LEVEL_5_2, 36864, 2073600},
}};

ELevelIdc levelFor(const VideoEncoderOptions &options)
{
    const unsigned macroblocks = ((options.size.width + 15U) / 16U) * ((options.size.height + 15U) / 16U);
    for (const Level &level : kLevels) {
        if (macroblocks <= level.macroblocks &&
            static_cast<double>(macroblocks) * options.fps <= double{static_cast<float>(level.macroblocks_per_second)})
            return level.level;
    }
    return kLevels.back().level;
}

struct Destroy {
    void operator()(ISVCEncoder *encoder) const
    {
        encoder->Uninitialize();
        WelsDestroySVCEncoder(encoder);
    }
};
using Handle = std::unique_ptr<ISVCEncoder, Destroy>;

class Openh264Encoder : public VideoEncoder {
public:
    Openh264Encoder(Handle encoder, const VideoEncoderOptions &options)
        : encoder_(std::move(encoder)), max_apart_(kMaxApart / options.fps), options_(options)
    {
    }

    [[nodiscard]] Expected<std::optional<EncodedFrame>> encode(const Frame &frame, bool key) override;
    void setBitrate(std::uint32_t bitrate) override;
    [[nodiscard]] std::string_view name() const override { return "openh264"; }

private:
    using Seconds = std::chrono::duration<double>;
    // A frame has the bits of so many frames' time at most. With those of a longer pause it would take a thin link as
    // long, and the next one would come after as long a pause: a stream of five frames a second that never recovers.
    static constexpr double kMaxApart = 3;

    void followRate(Seconds apart);

    const Handle encoder_;
    const Seconds max_apart_;
    VideoEncoderOptions options_; // its rate is what the library was last told
    double fps_ = options_.fps;   // that frames come at, of late
    std::optional<MonotonicTime> last_;
    Seconds time_{}; // as the library is told it
};

// The library shares out its bits by the rate that it was told, up to some more after a pause: told the real one it
// does not leave a thin link half empty.
void Openh264Encoder::followRate(Seconds apart)
{
    constexpr double kMostFps = 60; // it takes no more
    constexpr double kWeight = 1.0 / 8;
    constexpr double kApart = 1.2;
    const double interval = std::max(apart.count(), 1 / kMostFps);
    fps_ = 1 / ((1 - kWeight) / fps_ + kWeight * interval);
    if (fps_ < options_.fps * kApart && fps_ > options_.fps / kApart)
        return;
    options_.fps = std::clamp(fps_, 1.0, kMostFps);
    auto rate = static_cast<float>(options_.fps);
    encoder_->SetOption(ENCODER_OPTION_FRAME_RATE, &rate);
}

Expected<std::optional<EncodedFrame>> Openh264Encoder::encode(const Frame &frame, bool key)
{
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    if (last_) {
        const Seconds apart = std::min<Seconds>(frame.captured() - *last_, max_apart_);
        time_ += apart;
        followRate(apart);
    }
    last_ = frame.captured();
    SSourcePicture picture{};
    picture.iColorFormat = videoFormatI420;
    picture.iPicWidth = static_cast<int>(options_.size.width);
    picture.iPicHeight = static_cast<int>(options_.size.height);
    picture.uiTimeStamp = duration_cast<milliseconds>(time_).count();
    for (std::size_t i = 0; i < 3; ++i) {
        picture.pData[i] = const_cast<unsigned char *>(frame.plane(i).data); // it only reads
        picture.iStride[i] = static_cast<int>(frame.plane(i).stride);
    }
    if (key)
        encoder_->ForceIntraFrame(true);
    SFrameBSInfo info{};
    if (const int failed = encoder_->EncodeFrame(&picture, &info); failed != cmResultSuccess)
        return fail(ErrorKind::kUnsupported, fmt::format("openh264 cannot encode a frame: error {}", failed));
    if (info.eFrameType == videoFrameTypeSkip || info.iFrameSizeInBytes <= 0)
        return std::nullopt;

    EncodedFrame encoded;
    encoded.codec = Codec::kH264;
    encoded.key = info.eFrameType == videoFrameTypeIDR;
    encoded.size = options_.size;
    describeCapture(encoded, frame);
    encoded.bytes.reserve(static_cast<std::size_t>(info.iFrameSizeInBytes));
    for (int i = 0; i < info.iLayerNum; ++i) {
        const SLayerBSInfo &layer = info.sLayerInfo[i];
        int bytes = 0;
        for (int nal = 0; nal < layer.iNalCount; ++nal)
            bytes += layer.pNalLengthInByte[nal];
        encoded.bytes.insert(encoded.bytes.end(), layer.pBsBuf, layer.pBsBuf + bytes);
    }
    return encoded;
}

void Openh264Encoder::setBitrate(std::uint32_t bitrate)
{
    if (bitrate == options_.bitrate)
        return;
    options_.bitrate = bitrate;
    SBitrateInfo info{};
    info.iLayer = SPATIAL_LAYER_ALL;
    info.iBitrate = static_cast<int>(bitrate);
    encoder_->SetOption(ENCODER_OPTION_BITRATE, &info);
}

} // namespace

Expected<std::unique_ptr<VideoEncoder>> makeOpenh264Encoder(const VideoEncoderOptions &options)
{
    ISVCEncoder *made = nullptr;
    if (WelsCreateSVCEncoder(&made) != 0 || made == nullptr)
        return fail(ErrorKind::kUnsupported, "openh264 gives no encoder");
    Handle encoder(made);
    int quiet = WELS_LOG_QUIET;
    encoder->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);

    SEncParamExt parameters{};
    encoder->GetDefaultParams(&parameters);
    parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
    parameters.iPicWidth = static_cast<int>(options.size.width);
    parameters.iPicHeight = static_cast<int>(options.size.height);
    parameters.fMaxFrameRate = static_cast<float>(options.fps);
    parameters.iTargetBitrate = static_cast<int>(options.bitrate);
    parameters.iMaxBitrate = UNSPECIFIED_BIT_RATE;
    // Frames come as the camera and the links have it, not at a fixed rate.
    parameters.iRCMode = RC_TIMESTAMP_MODE;
    parameters.bEnableFrameSkip = false; // which frames are left out the viewers' windows decide
    parameters.uiIntraPeriod = 0;        // key frames on request alone
    // Its detection of scenes takes a pan for many: 18 key frames in ten seconds.
    parameters.bEnableSceneChangeDetect = false;
    parameters.eSpsPpsIdStrategy = CONSTANT_ID;
    parameters.iNumRefFrame = 1;
    parameters.iEntropyCodingModeFlag = 0; // CAVLC: baseline
    parameters.iMultipleThreadIdc = 1;
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.bEnableDenoise = false;
    parameters.bEnableLongTermReference = false;
    parameters.iTemporalLayerNum = 1;
    parameters.iSpatialLayerNum = 1;
    SSpatialLayerConfig &layer = parameters.sSpatialLayers[0];
    layer.uiProfileIdc = PRO_BASELINE;
    layer.uiLevelIdc = levelFor(options);
    layer.iVideoWidth = parameters.iPicWidth;
    layer.iVideoHeight = parameters.iPicHeight;
    layer.fFrameRate = parameters.fMaxFrameRate;
    layer.iSpatialBitrate = parameters.iTargetBitrate;
    layer.iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
    layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    // As JPEG has its colours: browsers guess wrongly when nothing is said.
    layer.bVideoSignalTypePresent = true;
    layer.uiVideoFormat = VF_UNDEF;
    layer.bFullRange = true;
    layer.bColorDescriptionPresent = true;
    layer.uiColorPrimaries = CP_BT709; // sRGB's
    layer.uiTransferCharacteristics = TRC_IEC61966_2_1;
    layer.uiColorMatrix = CM_SMPTE170M; // BT.601
    if (const int failed = encoder->InitializeExt(&parameters); failed != cmResultSuccess)
        return fail(ErrorKind::kUnsupported,
                    fmt::format("openh264 does not take {}: error {}", options.size.toString(), failed));
    int format = videoFormatI420;
    encoder->SetOption(ENCODER_OPTION_DATAFORMAT, &format);
    return std::unique_ptr<VideoEncoder>(std::make_unique<Openh264Encoder>(std::move(encoder), options));
}

} // namespace picam
