// A V4L2 memory-to-memory encoder for tests, as bcm2835-codec behaves: strides, drops at low rates, buffers that it
// needs back. What it makes is H.264, by libopenh264. It answers at once: nothing here waits, and a poll() that finds
// nothing has waited for its whole time.
#pragma once

#include "streamd/video/m2m_device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <linux/videodev2.h>
#include <map>
#include <memory>
#include <poll.h>
#include <set>
#include <string>
#include <utility>
#include <vector>
#include <wels/codec_api.h>

namespace picam::testing {

// What a device is like, what befalls it, and what it has seen. It outlives the device.
struct SimulatedM2m {
    // Like this.
    std::uint32_t capabilities = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
    std::vector<std::uint32_t> frame_formats{V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_NV12};
    std::vector<std::uint32_t> encoded_formats{V4L2_PIX_FMT_H264};
    std::uint32_t height_alignment = 1;
    std::uint32_t encoded_buffer_bytes = 512 << 10;
    std::uint32_t frame_buffer_lacks = 0; // bytes, of what its format promises
    bool repeats_headers = true;          // where it is asked to
    bool tells_of_drops = true;           // by an empty buffer
    bool loses_buffers = false;           // each drop takes one that never comes back
    std::set<std::uint32_t> refused_controls;
    std::map<int, std::vector<std::uint8_t>> dma_bufs; // by descriptor: what it can import
    // Befalls it; frames are counted from 0.
    std::map<unsigned long, int> refused_requests; // request: errno
    int interrupted_calls = 0;                     // that many calls, then polls, end by a signal
    int interrupted_polls = 0;
    int fails_at_call = -1; // that ioctl() fails with EIO, counted from 0
    std::function<bool(unsigned frame)> drops = [](unsigned) { return false; };
    std::function<bool(unsigned frame)> damages = [](unsigned) { return false; };
    std::function<bool(unsigned frame)> is_late = [](unsigned) { return false; }; // comes with the next one,
    bool late_comes_by_itself = false; // or when nobody waits for it any more
    std::function<bool(unsigned frame)> ignores_key = [](unsigned) { return false; };
    unsigned holds_from = std::numeric_limits<unsigned>::max(); // it returns neither this frame nor later ones
    unsigned gone_from = std::numeric_limits<unsigned>::max();  // ENODEV
    bool gone = false;
    bool poll_fails = false; // as the kernel's does on queues that nothing can come from
    // Seen.
    int opened = 0;
    int closed = 0;
    int mapped = 0;
    int unmapped = 0;
    bool released_while_streaming = false;
    int calls = 0;
    unsigned frames = 0;
    unsigned dropped = 0;
    unsigned copied = 0;
    unsigned imported = 0;
    std::set<std::uint32_t> import_indexes;
    std::map<std::uint32_t, std::int32_t> controls; // as set last
    std::vector<std::int32_t> bitrates;
    unsigned key_requests = 0;
    v4l2_pix_format_mplane frame_format{};
    v4l2_rect crop{};
    v4l2_fract time_per_frame{};
    std::map<std::uint32_t, std::uint32_t> buffers; // by queue: how many are allocated
    std::map<std::uint32_t, bool> streaming;        // by queue
};

class SimulatedM2mDevice : public M2mDevice {
public:
    explicit SimulatedM2mDevice(SimulatedM2m &script) : script_(script) { ++script_.opened; }
    ~SimulatedM2mDevice() override
    {
        ++script_.closed;
        if (encoder_ != nullptr)
            WelsDestroySVCEncoder(encoder_);
    }

    int ioctl(unsigned long request, void *argument) override
    {
        errno = answer(request, argument);
        return errno == 0 ? 0 : -1;
    }

    std::span<std::uint8_t> map(std::size_t bytes, std::uint32_t offset) override
    {
        Queue &queue = offset >= kEncodedOffset ? encoded_ : frames_;
        Buffer &buffer = queue.buffers.at(offset % kEncodedOffset / kOffsetStep);
        EXPECT_EQ(bytes, buffer.bytes.size());
        ++script_.mapped;
        return buffer.bytes;
    }
    void unmap(std::span<std::uint8_t>) override { ++script_.unmapped; }

    int poll(short events, std::chrono::milliseconds timeout) override
    {
        EXPECT_GT(timeout.count(), 0);
        EXPECT_LE(timeout.count(), 1000);
        if (script_.interrupted_polls > 0) {
            --script_.interrupted_polls;
            errno = EINTR;
            return -1;
        }
        if (script_.gone)
            return POLLERR | POLLHUP;
        if (script_.poll_fails)
            return POLLERR;
        int ready = 0;
        if (!encoded_.done.empty())
            ready |= POLLIN;
        if (!frames_.done.empty())
            ready |= POLLOUT;
        if ((ready & events) == 0 && script_.late_comes_by_itself)
            deliverLate();
        return ready & events;
    }

private:
    static constexpr std::uint32_t kOffsetStep = 1U << 24U; // between the buffers that may be mapped
    static constexpr std::uint32_t kEncodedOffset = 1U << 30U;

    struct Buffer {
        std::vector<std::uint8_t> bytes;
        bool queued = false;
    };
    struct Done {
        std::uint32_t index = 0;
        std::uint32_t bytes = 0;
        std::uint32_t flags = 0;
        timeval stamp{};
    };
    struct Queue {
        std::vector<Buffer> buffers;
        std::uint32_t memory = V4L2_MEMORY_MMAP;
        std::deque<std::uint32_t> waiting;
        std::deque<Done> done;
    };
    struct Made {
        std::vector<std::uint8_t> unit;
        timeval stamp{};
        bool damaged = false;
    };

    int answer(unsigned long request, void *argument)
    {
        if (script_.interrupted_calls > 0) {
            --script_.interrupted_calls;
            return EINTR;
        }
        if (script_.gone)
            return ENODEV;
        if (script_.calls++ == script_.fails_at_call)
            return EIO;
        if (const auto refused = script_.refused_requests.find(request); refused != script_.refused_requests.end())
            return refused->second;
        switch (request) {
        case VIDIOC_QUERYCAP: {
            auto &capability = *static_cast<v4l2_capability *>(argument);
            capability.capabilities = script_.capabilities | V4L2_CAP_DEVICE_CAPS;
            capability.device_caps = script_.capabilities;
            return 0;
        }
        case VIDIOC_ENUM_FMT:
            return enumerate(*static_cast<v4l2_fmtdesc *>(argument));
        case VIDIOC_S_FMT:
            return setFormat(*static_cast<v4l2_format *>(argument));
        case VIDIOC_S_SELECTION:
            script_.crop = static_cast<v4l2_selection *>(argument)->r;
            return 0;
        case VIDIOC_S_PARM:
            script_.time_per_frame = static_cast<v4l2_streamparm *>(argument)->parm.output.timeperframe;
            return 0;
        case VIDIOC_QUERYCTRL:
            static_cast<v4l2_queryctrl *>(argument)->maximum = 0x7fffffff;
            return 0;
        case VIDIOC_S_CTRL:
            return setControl(*static_cast<v4l2_control *>(argument));
        case VIDIOC_REQBUFS:
            return allocate(*static_cast<v4l2_requestbuffers *>(argument));
        case VIDIOC_QUERYBUF:
            return describe(*static_cast<v4l2_buffer *>(argument));
        case VIDIOC_QBUF:
            return enqueue(*static_cast<v4l2_buffer *>(argument));
        case VIDIOC_DQBUF:
            return dequeue(*static_cast<v4l2_buffer *>(argument));
        case VIDIOC_STREAMON:
            return stream(*static_cast<std::uint32_t *>(argument), true);
        case VIDIOC_STREAMOFF:
            return stream(*static_cast<std::uint32_t *>(argument), false);
        default:
            return ENOTTY;
        }
    }

    Queue &queueOf(std::uint32_t type) { return type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE ? frames_ : encoded_; }

    const std::vector<std::uint32_t> &formatsOf(std::uint32_t type) const
    {
        return type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE ? script_.frame_formats : script_.encoded_formats;
    }

    int enumerate(v4l2_fmtdesc &format) const
    {
        const std::vector<std::uint32_t> &formats = formatsOf(format.type);
        if (format.index >= formats.size())
            return EINVAL;
        format.pixelformat = formats[format.index];
        return 0;
    }

    static std::uint32_t aligned(std::uint32_t number, std::uint32_t step) { return (number + step - 1) / step * step; }

    int setFormat(v4l2_format &format)
    {
        v4l2_pix_format_mplane &picture = format.fmt.pix_mp;
        if (!queueOf(format.type).buffers.empty())
            return EBUSY;
        const std::vector<std::uint32_t> &formats = formatsOf(format.type);
        if (std::find(formats.begin(), formats.end(), picture.pixelformat) == formats.end())
            picture.pixelformat = formats.front(); // as the kernel wants it: another one, and no error
        picture.width = std::min(picture.width, 1920U);
        picture.height = std::min(picture.height, 1920U);
        picture.num_planes = 1;
        if (format.type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
            picture.plane_fmt[0].sizeimage = std::max(picture.plane_fmt[0].sizeimage, script_.encoded_buffer_bytes);
            encoded_bytes_ = picture.plane_fmt[0].sizeimage;
            return 0;
        }
        visible_ = {0, 0, picture.width, picture.height};
        picture.height = aligned(picture.height, script_.height_alignment);
        auto &plane = picture.plane_fmt[0];
        plane.bytesperline =
            aligned(std::max(plane.bytesperline, picture.width), picture.pixelformat == V4L2_PIX_FMT_YUV420 ? 64 : 32);
        plane.sizeimage = plane.bytesperline * picture.height * 3 / 2;
        script_.frame_format = picture;
        return 0;
    }

    int setControl(const v4l2_control &control)
    {
        if (script_.refused_controls.contains(control.id))
            return EINVAL;
        script_.controls[control.id] = control.value;
        if (control.id == V4L2_CID_MPEG_VIDEO_BITRATE) {
            script_.bitrates.push_back(control.value);
            if (encoder_ != nullptr) {
                SBitrateInfo info{};
                info.iLayer = SPATIAL_LAYER_ALL;
                info.iBitrate = control.value;
                encoder_->SetOption(ENCODER_OPTION_BITRATE, &info);
            }
        }
        if (control.id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME) {
            ++script_.key_requests;
            key_requested_ = true;
        }
        return 0;
    }

    int allocate(v4l2_requestbuffers &request)
    {
        Queue &queue = queueOf(request.type);
        if (script_.streaming[request.type] && request.count > 0)
            return EBUSY;
        script_.released_while_streaming = script_.released_while_streaming || script_.streaming[request.type];
        script_.streaming[request.type] = false;
        if (request.memory == V4L2_MEMORY_DMABUF && script_.dma_bufs.empty())
            return EINVAL;
        queue = {};
        queue.memory = request.memory;
        queue.buffers.resize(request.count);
        for (Buffer &buffer : queue.buffers)
            if (request.memory == V4L2_MEMORY_MMAP)
                buffer.bytes.resize(&queue == &frames_
                                        ? script_.frame_format.plane_fmt[0].sizeimage - script_.frame_buffer_lacks
                                        : encoded_bytes_);
        script_.buffers[request.type] = request.count;
        return 0;
    }

    int describe(v4l2_buffer &buffer)
    {
        Queue &queue = queueOf(buffer.type);
        if (buffer.index >= queue.buffers.size() || buffer.length != 1)
            return EINVAL;
        buffer.m.planes[0].length = static_cast<std::uint32_t>(queue.buffers[buffer.index].bytes.size());
        buffer.m.planes[0].m.mem_offset = (&queue == &encoded_ ? kEncodedOffset : 0) + buffer.index * kOffsetStep;
        return 0;
    }

    int enqueue(v4l2_buffer &buffer)
    {
        Queue &queue = queueOf(buffer.type);
        if (buffer.index >= queue.buffers.size() || buffer.memory != queue.memory || buffer.length != 1 ||
            queue.buffers[buffer.index].queued)
            return EINVAL;
        if (&queue == &encoded_) {
            queue.buffers[buffer.index].queued = true;
            queue.waiting.push_back(buffer.index);
            deliver();
            return 0;
        }
        const v4l2_plane &plane = buffer.m.planes[0];
        if (plane.bytesused != script_.frame_format.plane_fmt[0].sizeimage)
            return EINVAL;
        const std::vector<std::uint8_t> *frame = &queue.buffers[buffer.index].bytes;
        if (queue.memory == V4L2_MEMORY_DMABUF) {
            const auto found = script_.dma_bufs.find(plane.m.fd);
            if (found == script_.dma_bufs.end() || found->second.size() < plane.bytesused)
                return EINVAL;
            frame = &found->second;
            ++script_.imported;
            script_.import_indexes.insert(buffer.index);
        } else {
            ++script_.copied;
        }
        queue.buffers[buffer.index].queued = true;
        take(*frame, buffer.index, buffer.timestamp);
        return 0;
    }

    // A frame has come.
    void take(const std::vector<std::uint8_t> &frame, std::uint32_t index, timeval stamp)
    {
        const unsigned number = script_.frames++;
        if (number >= script_.gone_from) {
            script_.gone = true;
            return;
        }
        if (number >= script_.holds_from)
            return;
        frames_.done.push_back({index, 0, 0, stamp});
        if (script_.drops(number)) {
            ++script_.dropped;
            if (script_.loses_buffers && !encoded_.waiting.empty())
                encoded_.waiting.pop_front();
            if (script_.tells_of_drops)
                made_.push_back({{}, stamp, false});
            deliver();
            return;
        }
        Made made{encode(frame, number, stamp), stamp, script_.damages(number)};
        if (script_.is_late(number)) {
            late_.push_back(std::move(made));
            return;
        }
        deliverLate();
        made_.push_back(std::move(made));
        deliver();
    }

    void deliverLate()
    {
        for (Made &late : late_)
            made_.push_back(std::move(late));
        late_.clear();
        deliver();
    }

    // As far as there are buffers.
    void deliver()
    {
        while (!made_.empty() && !encoded_.waiting.empty()) {
            const Made made = std::move(made_.front());
            made_.pop_front();
            const std::uint32_t index = encoded_.waiting.front();
            encoded_.waiting.pop_front();
            Buffer &buffer = encoded_.buffers[index];
            const std::size_t bytes = std::min(buffer.bytes.size(), made.unit.size());
            std::copy_n(made.unit.begin(), bytes, buffer.bytes.begin());
            encoded_.done.push_back({index, static_cast<std::uint32_t>(bytes),
                                     made.damaged ? std::uint32_t{V4L2_BUF_FLAG_ERROR} : 0U, made.stamp});
            if (bytes < made.unit.size())
                made_.push_front({{made.unit.begin() + static_cast<std::ptrdiff_t>(bytes), made.unit.end()},
                                  made.stamp,
                                  made.damaged});
        }
    }

    int dequeue(v4l2_buffer &buffer)
    {
        Queue &queue = queueOf(buffer.type);
        if (!script_.streaming[buffer.type])
            return EINVAL;
        if (queue.done.empty())
            return EAGAIN;
        const Done done = queue.done.front();
        queue.done.pop_front();
        queue.buffers[done.index].queued = false;
        buffer.index = done.index;
        buffer.flags = done.flags;
        buffer.timestamp = done.stamp;
        buffer.m.planes[0].bytesused = done.bytes;
        return 0;
    }

    int stream(std::uint32_t type, bool on)
    {
        script_.streaming[type] = on;
        if (!on)
            queueOf(type).done.clear();
        return 0;
    }

    void open()
    {
        ASSERT_EQ(WelsCreateSVCEncoder(&encoder_), 0);
        int quiet = WELS_LOG_QUIET;
        encoder_->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);
        SEncParamExt parameters{};
        encoder_->GetDefaultParams(&parameters);
        parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
        parameters.iPicWidth = static_cast<int>(visible_.width);
        parameters.iPicHeight = static_cast<int>(visible_.height);
        parameters.fMaxFrameRate = 30;
        parameters.iTargetBitrate = script_.controls[V4L2_CID_MPEG_VIDEO_BITRATE];
        parameters.iMaxBitrate = UNSPECIFIED_BIT_RATE;
        parameters.iRCMode = RC_BITRATE_MODE;
        parameters.bEnableFrameSkip = false;
        parameters.uiIntraPeriod = 0;
        parameters.bEnableSceneChangeDetect = false;
        parameters.eSpsPpsIdStrategy = CONSTANT_ID;
        parameters.iNumRefFrame = 1;
        parameters.iMultipleThreadIdc = 1;
        parameters.iSpatialLayerNum = 1;
        parameters.iTemporalLayerNum = 1;
        SSpatialLayerConfig &layer = parameters.sSpatialLayers[0];
        layer.uiProfileIdc = PRO_BASELINE;
        layer.iVideoWidth = parameters.iPicWidth;
        layer.iVideoHeight = parameters.iPicHeight;
        layer.fFrameRate = 30;
        layer.iSpatialBitrate = parameters.iTargetBitrate;
        layer.iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
        layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
        ASSERT_EQ(encoder_->InitializeExt(&parameters), 0);
    }

    std::vector<std::uint8_t> encode(const std::vector<std::uint8_t> &frame, unsigned number, timeval stamp)
    {
        const bool first = encoder_ == nullptr;
        if (first)
            open();
        const std::size_t stride = script_.frame_format.plane_fmt[0].bytesperline;
        const std::size_t rows = script_.frame_format.height;
        std::vector<std::uint8_t> planar; // libopenh264 takes nothing else
        planar.insert(planar.end(), frame.begin(), frame.end());
        if (script_.frame_format.pixelformat == V4L2_PIX_FMT_NV12)
            for (std::size_t y = 0; y < rows / 2; ++y)
                for (std::size_t x = 0; x < stride / 2; ++x)
                    for (std::size_t plane = 0; plane < 2; ++plane)
                        planar[stride * rows + plane * (stride / 2) * (rows / 2) + y * (stride / 2) + x] =
                            frame[stride * rows + y * stride + 2 * x + plane];
        SSourcePicture picture{};
        picture.iColorFormat = videoFormatI420;
        picture.iPicWidth = static_cast<int>(visible_.width);
        picture.iPicHeight = static_cast<int>(visible_.height);
        picture.uiTimeStamp = static_cast<long long>(stamp.tv_sec) * 1000 + stamp.tv_usec / 1000;
        picture.iStride[0] = static_cast<int>(stride);
        picture.iStride[1] = picture.iStride[2] = static_cast<int>(stride / 2);
        picture.pData[0] = planar.data();
        picture.pData[1] = planar.data() + stride * rows;
        picture.pData[2] = picture.pData[1] + stride / 2 * (rows / 2);
        if (key_requested_ && !script_.ignores_key(number))
            encoder_->ForceIntraFrame(true);
        key_requested_ = false;
        SFrameBSInfo info{};
        EXPECT_EQ(encoder_->EncodeFrame(&picture, &info), 0);
        const bool headers =
            first || (script_.repeats_headers && script_.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER] == 1);
        std::vector<std::uint8_t> unit;
        for (int i = 0; i < info.iLayerNum; ++i) {
            const SLayerBSInfo &layer = info.sLayerInfo[i];
            if (layer.uiLayerType == NON_VIDEO_CODING_LAYER && !headers)
                continue;
            int bytes = 0;
            for (int nal = 0; nal < layer.iNalCount; ++nal)
                bytes += layer.pNalLengthInByte[nal];
            unit.insert(unit.end(), layer.pBsBuf, layer.pBsBuf + bytes);
        }
        return unit;
    }

    SimulatedM2m &script_;
    Queue frames_;
    Queue encoded_;
    std::uint32_t encoded_bytes_ = 0;
    v4l2_rect visible_{};
    std::deque<Made> made_; // waits for a buffer
    std::deque<Made> late_;
    bool key_requested_ = false;
    ISVCEncoder *encoder_ = nullptr;
};

} // namespace picam::testing
