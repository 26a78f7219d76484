// RungEncoders makes the H.264 of a camera's rungs: the sizes that are offered at the same time, each a chain of frames
// with an encoder of its own. One thread takes the newest frame when a rung asks for one, prepares it once and encodes
// it for all rungs that ask; nothing is encoded that nobody asked for. It lives as long as the camera is open. Who asks
// is the viewers' affair (VideoRungs).
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/frame_bus.h"
#include "core/image/geometry.h"
#include "streamd/video/video_encoder.h"
#include "streamd/video/video_frames.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace picam {

constexpr unsigned kVideoRungs = 2; // 0: the stream's size; 1: half of it either way

// Of a picture of this size; both sides even.
[[nodiscard]] constexpr Size rungSize(Size size, unsigned rung)
{
    return {(size.width >> rung) & ~1U, (size.height >> rung) & ~1U};
}

class RungEncoders {
public:
    using Factory = std::function<Expected<std::unique_ptr<VideoEncoder>>(const VideoEncoderOptions &options)>;

    struct Request {
        bool key = false;
        std::uint32_t bitrate = 0; // bits a second
    };
    struct Result {
        unsigned rung = 0;
        // Null: the encoder left the frame out. Error: no encoder is left; the rung gives no more frames.
        Expected<EncodedFramePtr> frame;
        std::chrono::steady_clock::duration encode_time{};
        std::string_view encoder; // its name
    };
    struct Options {
        Size size; // upright, even
        Transform transform;
        double fps = 30.0;
        std::vector<Factory> encoders; // in the order in which they are tried: one that fails gives way to the next
    };
    // Each is called by the thread.
    struct Events {
        std::function<void(Result)> encoded;
        std::function<void(const Error &)> bad_frame; // it cannot be encoded; the next one is taken in its place
    };

    // `frames` is this object's, and must outlive it.
    RungEncoders(FrameBus::Subscription &frames, Options options, Events events);
    RungEncoders(const RungEncoders &) = delete;
    RungEncoders &operator=(const RungEncoders &) = delete;
    ~RungEncoders(); // as long as it takes to encode what is begun

    // One frame of the rung; one result follows. A request that comes before the last one is answered takes its place.
    // Any thread; returns at once.
    void request(unsigned rung, const Request &request) PICAM_EXCLUDES(mutex_);
    // Nobody takes the rung: its encoder is freed. Any thread; returns at once.
    void release(unsigned rung) PICAM_EXCLUDES(mutex_);

private:
    struct Rung {
        std::unique_ptr<VideoEncoder> encoder;
        std::optional<VideoFrames> frames;
        std::size_t next_factory = 0; // where to go on when the encoder has failed
        std::optional<Request> taken; // of the frame in hand

        void release();
    };

    void run();
    [[nodiscard]] bool takeRequests(bool wait) PICAM_EXCLUDES(mutex_);
    void encode(unsigned rung, const Frame &frame);
    [[nodiscard]] Expected<void> makeEncoder(Rung &rung, Size size, std::uint32_t bitrate);

    FrameBus::Subscription &frames_;
    const Options options_;
    const Events events_;
    std::array<Rung, kVideoRungs> rungs_; // the thread's

    Mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    std::array<std::optional<Request>, kVideoRungs> requests_ PICAM_GUARDED_BY(mutex_);
    std::array<bool, kVideoRungs> released_ PICAM_GUARDED_BY(mutex_){};

    std::thread thread_; // last: it uses all the others
};

} // namespace picam
