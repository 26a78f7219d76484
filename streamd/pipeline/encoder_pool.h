// EncoderPool encodes the newest frames of a subscription with several encoders at once, each in a thread of its own,
// and commits the results in the order of the frames. It lives as long as the camera is open. It does not pace (the
// subscription does) and keeps no frame that it does not encode.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/frame_bus.h"
#include "core/image/encoder.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace picam {

// Takes what the pool makes. Called from the pool's threads, one call at a time, in the order of the frames.
class EncodedFrameSink {
public:
    struct Result {
        Expected<EncodedFrame> frame;
        std::chrono::steady_clock::duration encode_time{};
        std::uint64_t replaced_before = 0; // as FrameBus::Taken
        std::uint64_t paced_before = 0;
        unsigned generation = 0; // what generation() returned when the frame was taken
    };

    virtual ~EncodedFrameSink() = default;
    // Of the demand that a frame taken now is encoded for. Any thread.
    [[nodiscard]] virtual unsigned generation() const = 0;
    virtual void onEncoded(Result result) = 0;
};

class EncoderPool {
public:
    // One thread for each encoder, from now on. All must outlive the pool.
    EncoderPool(FrameBus::Subscription &frames, std::vector<std::unique_ptr<Encoder>> encoders, EncodedFrameSink &sink);
    EncoderPool(const EncoderPool &) = delete;
    EncoderPool &operator=(const EncoderPool &) = delete;
    ~EncoderPool(); // as long as it takes to encode what is begun

private:
    void run(Encoder &encoder);
    void commit(std::uint64_t turn, EncodedFrameSink::Result result);

    FrameBus::Subscription &frames_;
    const std::vector<std::unique_ptr<Encoder>> encoders_;
    EncodedFrameSink &sink_;
    std::atomic<bool> stopping_{false};

    Mutex taking_; // held by the thread that waits for the next frame
    std::uint64_t taken_ PICAM_GUARDED_BY(taking_) = 0;

    Mutex committing_; // held by the thread that commits
    std::condition_variable committed_changed_;
    std::uint64_t committed_ PICAM_GUARDED_BY(committing_) = 0;

    std::vector<std::thread> threads_; // last: they use all the others
};

} // namespace picam
