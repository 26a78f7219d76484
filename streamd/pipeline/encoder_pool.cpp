#include "streamd/pipeline/encoder_pool.h"

#include "core/base/log.h"

#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {

using std::chrono::steady_clock;

EncoderPool::EncoderPool(FrameBus::Subscription &frames, std::vector<std::unique_ptr<Encoder>> encoders,
                         EncodedFrameSink &sink)
    : frames_(frames), encoders_(std::move(encoders)), sink_(sink)
{
    for (const auto &encoder : encoders_)
        threads_.emplace_back([this, &encoder] {
            // Nothing here throws but for want of memory; the service manager starts us afresh.
            try {
                run(*encoder);
            } catch (const std::exception &error) {
                log::error("an encoder's thread failed: {}", error.what());
                std::_Exit(EXIT_FAILURE);
            }
        });
}

EncoderPool::~EncoderPool()
{
    stopping_ = true;
    frames_.interrupt(); // whoever waits for a frame; the others look at stopping_ first
    for (std::thread &thread : threads_)
        thread.join();
}

void EncoderPool::run(Encoder &encoder)
{
    while (true) {
        Expected<FrameBus::Taken> taken;
        EncodedFrameSink::Result result;
        std::uint64_t turn = 0;
        {
            const MutexLock lock(taking_);
            if (stopping_)
                return;
            taken = frames_.take(MonotonicTime::max());
            if (!taken)
                continue; // interrupted
            turn = taken_++;
            result.generation = sink_.generation();
        }
        result.replaced_before = taken->replaced_before;
        result.paced_before = taken->paced_before;
        const auto begun = steady_clock::now();
        result.frame = encoder.encode(*taken->frame);
        result.encode_time = steady_clock::now() - begun;
        taken->frame.reset(); // recycled before anything else
        commit(turn, std::move(result));
    }
}

void EncoderPool::commit(std::uint64_t turn, EncodedFrameSink::Result result)
{
    UniqueLock lock(committing_);
    while (committed_ != turn)
        committed_changed_.wait(lock.native());
    sink_.onEncoded(std::move(result));
    ++committed_;
    committed_changed_.notify_all();
}

} // namespace picam
