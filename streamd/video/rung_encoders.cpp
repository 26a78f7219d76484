#include "streamd/video/rung_encoders.h"

#include "core/base/log.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {

using std::chrono::steady_clock;

RungEncoders::RungEncoders(FrameBus::Subscription &frames, Options options, Events events)
    : frames_(frames), options_(std::move(options)), events_(std::move(events)), thread_([this] {
          // Nothing here throws but for want of memory; the service manager starts us afresh.
          try {
              run();
          } catch (const std::exception &error) {
              log::error("the video encoders' thread failed: {}", error.what());
              std::_Exit(EXIT_FAILURE);
          }
      })
{
}

RungEncoders::~RungEncoders()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    frames_.interrupt();
    thread_.join();
    frames_.forgetInterruption();
}

void RungEncoders::request(unsigned rung, const Request &request)
{
    {
        const MutexLock lock(mutex_);
        auto &waiting = requests_.at(rung);
        const bool key = request.key || (waiting && waiting->key);
        waiting = Request{key, request.bitrate};
    }
    changed_.notify_one();
}

void RungEncoders::release(unsigned rung)
{
    {
        const MutexLock lock(mutex_);
        released_.at(rung) = true;
        requests_.at(rung).reset();
    }
    changed_.notify_one();
    frames_.interrupt(); // where it waits for a frame that the rung had asked for: none may come
}

void RungEncoders::Rung::release()
{
    encoder.reset();
    frames.reset();
    next_factory = 0;
    taken.reset();
}

// What is asked for; waits until something is, where it may. False: the thread is to end.
bool RungEncoders::takeRequests(bool wait)
{
    UniqueLock lock(mutex_);
    const auto asked = [this]() PICAM_REQUIRES(mutex_) {
        for (unsigned rung = 0; rung < kVideoRungs; ++rung)
            if (requests_.at(rung) || rungs_.at(rung).taken) // taken, of a frame that could not be encoded
                return true;
        return false;
    };
    while (!stopping_) {
        for (unsigned rung = 0; rung < kVideoRungs; ++rung)
            if (std::exchange(released_.at(rung), false))
                rungs_.at(rung).release();
        if (!wait || asked())
            break;
        changed_.wait(lock.native());
    }
    for (unsigned rung = 0; rung < kVideoRungs; ++rung) {
        auto &taken = rungs_.at(rung).taken;
        if (auto request = std::exchange(requests_.at(rung), std::nullopt)) {
            request->key = request->key || (taken && taken->key);
            taken = request;
        }
    }
    return !stopping_;
}

void RungEncoders::run()
{
    while (takeRequests(true)) {
        auto taken = frames_.take(MonotonicTime::max());
        if (!taken || !takeRequests(false)) // who has asked meanwhile takes this frame too
            continue;
        // The smallest first: it is quickly done, and its viewers have the thinner links.
        for (unsigned rung = kVideoRungs; rung-- > 0;)
            if (rungs_.at(rung).taken)
                encode(rung, *taken->frame);
    }
}

void RungEncoders::encode(unsigned number, const Frame &frame)
{
    Rung &rung = rungs_.at(number);
    const Size size = rungSize(options_.size, number);
    const Request request = *rung.taken;
    const auto begun = steady_clock::now();
    Result result;
    result.rung = number;
    while (true) {
        if (!rung.encoder) {
            if (auto made = makeEncoder(rung, size, request.bitrate); !made) {
                result.frame = tl::unexpected<Error>(std::move(made.error()));
                break;
            }
        }
        const auto prepared = rung.frames->prepare(frame);
        if (!prepared) {
            events_.bad_frame(prepared.error());
            return; // the request stands
        }
        rung.encoder->setBitrate(request.bitrate);
        auto encoded = rung.encoder->encode(**prepared, request.key);
        if (encoded) {
            result.frame = *encoded ? std::make_shared<const EncodedFrame>(std::move(**encoded)) : nullptr;
            break;
        }
        log::warning("the {} encoder fails: {}", rung.encoder->name(), encoded.error().message);
        rung.encoder.reset();
    }
    if (rung.encoder)
        result.encoder = rung.encoder->name();
    result.encode_time = steady_clock::now() - begun;
    rung.taken.reset();
    events_.encoded(std::move(result));
}

// The first that can be made of those that have not failed yet.
Expected<void> RungEncoders::makeEncoder(Rung &rung, Size size, std::uint32_t bitrate)
{
    auto why = fail(ErrorKind::kUnsupported, "there is no H.264 encoder");
    for (; rung.next_factory < options_.encoders.size(); ++rung.next_factory) {
        auto made = options_.encoders[rung.next_factory]({size, options_.fps, bitrate});
        if (made) {
            rung.encoder = std::move(*made);
            rung.frames.emplace(size, options_.transform, rung.encoder->takesNv12());
            ++rung.next_factory;
            return {};
        }
        log::debug("{}", made.error().message);
        why = tl::unexpected<Error>(std::move(made.error()));
    }
    return why;
}

} // namespace picam
