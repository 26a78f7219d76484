// V4l2Encoder is a VideoEncoder over the kernel's stateful encoders (V4L2 memory-to-memory): that of the Raspberry Pi
// Zero to 4, bcm2835-codec, and what behaves alike. It asks a device what it can do; no name decides. One frame is in
// the device at a time: encode() returns when the device has let go of it, within a second. One thread at a time.
//
// States: opened (controls set, sizes agreed), from the first frame on streaming, and after an error failed, in which
// each encode() repeats the error.
#pragma once

#include "streamd/video/h264_headers.h"
#include "streamd/video/m2m_device.h"
#include "streamd/video/m2m_queue.h"
#include "streamd/video/video_encoder.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

class V4l2Encoder : public VideoEncoder {
public:
    static constexpr std::uint32_t kMaxSide = 1920;          // pixels, either way: the Pi's
    static constexpr std::uint32_t kMinBitrate = 25'000;     // bits a second, the driver's
    static constexpr std::uint32_t kMaxBitrate = 20'000'000; // what the Pi makes in truth: raspberrypi/linux#4938

    // The first device in `paths` that encodes H.264 and takes the size. Its memory it takes with the first frame, and
    // may fail then. Errors: kUnsupported, no device does, or the size is odd, empty or too large.
    [[nodiscard]] static Expected<std::unique_ptr<V4l2Encoder>>
    create(const VideoEncoderOptions &options, const std::vector<std::string> &paths = m2mDevicePaths(),
           const OpenM2mDevice &open = openM2mDevice);

    // Errors: kTimeout, the device has held the frame for a second, or made nothing of all in ten; kIo, it
    // fails or is gone; kCorrupt, what it makes cannot be read; kUnsupported, another format than the first frame's.
    [[nodiscard]] Expected<std::optional<EncodedFrame>> encode(const Frame &frame, bool key) override;
    void setBitrate(std::uint32_t bitrate) override; // clamped to what the device takes
    [[nodiscard]] bool takesNv12() const override { return takes_nv12_; }
    [[nodiscard]] std::string_view name() const override { return "v4l2"; }

private:
    // How the device wants a frame, as it answered: the planes one behind the other.
    struct Layout {
        std::size_t stride = 0; // bytes, of luma
        std::size_t height = 0; // rows, of luma
        std::size_t size = 0;   // bytes in all
    };
    // What became of the frame in the device.
    struct Outcome {
        std::optional<std::vector<std::uint8_t>> unit;
        bool key = false;
        bool left_out = false; // the device says so
    };

    V4l2Encoder(const VideoEncoderOptions &options, std::unique_ptr<M2mDevice> device);

    [[nodiscard]] Expected<void> setUp();
    [[nodiscard]] Expected<void> setEncodedFormat();
    [[nodiscard]] Expected<void> setFrameFormat(PixelFormat pixels, std::size_t stride);
    [[nodiscard]] Expected<void> start(const Frame &frame);
    [[nodiscard]] Expected<void> copyFromNowOn();
    [[nodiscard]] bool isImportable(const Frame &frame) const;
    [[nodiscard]] Expected<std::optional<EncodedFrame>> encodeOne(const Frame &frame, bool key);
    [[nodiscard]] Expected<void> requestKey();
    [[nodiscard]] Expected<void> queueFrame(const Frame &frame);
    [[nodiscard]] bool queueImported(int dma_buf);
    void copyPlanes(const Frame &frame, std::uint8_t *to) const;
    [[nodiscard]] Expected<Outcome> wait();
    [[nodiscard]] Expected<void> takeEncoded(Outcome &outcome);

    // Constant after construction, and takes_nv12_ after create().
    const VideoEncoderOptions options_;
    const std::unique_ptr<M2mDevice> device_;
    bool takes_nv12_ = false;

    Layout layout_;
    std::optional<PixelFormat> pixels_; // the first frame's
    M2mQueue frames_;
    M2mQueue encoded_;
    std::vector<int> imported_;   // the dma-buf last queued, by frames_' index
    std::size_t import_next_ = 0; // frames_' index for the next dma-buf that is in none
    H264Headers headers_;
    std::chrono::microseconds stamp_{0}; // of the newest frame queued; each has its own
    std::uint32_t bitrate_;              // as the device was last told
    std::uint32_t bitrate_wanted_;
    bool awaits_key_ = true;                    // one was asked for, or what comes refers to a frame that nobody got
    std::optional<MonotonicTime> silent_since_; // capture of the first of the frames in a row that were left out
    std::optional<Error> failure_;
};

} // namespace picam
