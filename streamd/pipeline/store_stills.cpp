#include "streamd/pipeline/store_stills.h"

#include "core/base/log.h"

#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {
namespace {

using std::chrono::steady_clock;

// A camera that streams but gives no still in this time is asked again with the next request.
constexpr std::chrono::seconds kStillTimeout{2};

} // namespace

StoreStills::StoreStills(CameraController &camera, FrameBus::Subscription &frames, FrameStore &store, Parts parts)
    : camera_(camera), frames_(frames), store_(store), parts_(std::move(parts))
{
    frames_.forgetInterruption(); // by the one before, at its end
    thread_ = std::thread([this] {
        try {
            run();
        } catch (const std::exception &error) {
            log::error("the thread of stills beside the stream failed: {}", error.what());
            std::_Exit(EXIT_FAILURE);
        }
    });
}

StoreStills::~StoreStills()
{
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    requested_changed_.notify_all();
    camera_.interruptStill();
    frames_.interrupt();
    thread_.join();
}

void StoreStills::request()
{
    {
        const MutexLock lock(mutex_);
        requested_ = true;
    }
    requested_changed_.notify_all();
}

void StoreStills::run()
{
    bool failed = false; // one line for many in a row
    while (true) {
        {
            UniqueLock lock(mutex_);
            while (!requested_ && !stopping_)
                requested_changed_.wait(lock.native());
            if (stopping_)
                return;
            requested_ = false;
        }
        // First: whoever asked looks for the still beside a frame of the stream's.
        auto done = parts_.needs_frame() ? publishFrame() : Expected<void>();
        if (parts_.still_encoder && !stopping_)
            done = publishStill();
        if (!done && !failed && !stopping_)
            log::warning("no still beside the stream: {}", done.error().message);
        failed = !done;
    }
}

Expected<void> StoreStills::publishFrame()
{
    const auto deadline = steady_clock::now() + kStillTimeout;
    frames_.setDemand(0);
    auto picture = encodeNext(*parts_.frame_encoder, [&]() -> Expected<SharedFrame> {
        return frames_.take(deadline).map([](FrameBus::Taken taken) { return std::move(taken.frame); });
    });
    frames_.setDemand(std::nullopt);
    if (!picture)
        return tl::unexpected<Error>(std::move(picture.error()));
    StoreTag tag;
    tag.stream = true;
    tag.still_offered = parts_.still_encoder != nullptr;
    tag.interval = frameInterval(camera_.frameRate());
    if (auto published = store_.publish(*picture, tag); !published)
        return tl::unexpected<Error>(std::move(published.error()));
    return {};
}

Expected<void> StoreStills::publishStill()
{
    const auto deadline = steady_clock::now() + kStillTimeout;
    auto picture = encodeNext(*parts_.still_encoder, [&] { return camera_.takeStill(deadline); });
    if (!picture)
        return tl::unexpected<Error>(std::move(picture.error()));
    StoreTag tag;
    tag.stream = true;
    tag.still_size = true;
    if (auto published = store_.publish(*picture, tag); !published)
        return tl::unexpected<Error>(std::move(published.error()));
    return {};
}

// The first of the frames that `take` gives that has converged and can be encoded.
template <class Take>
Expected<EncodedFrame> StoreStills::encodeNext(Encoder &encoder, Take take)
{
    while (true) {
        if (stopping_)
            return fail(ErrorKind::kInterrupted, "interrupted");
        auto frame = take();
        if (!frame)
            return tl::unexpected<Error>(std::move(frame.error()));
        if (!(*frame)->converged() || !camera_.converged())
            continue; // recycled first: the camera may have no other buffer for the next
        auto picture = encoder.encode(**frame);
        if (picture) {
            camera_.reportGoodFrame();
            return picture;
        }
        camera_.reportBadFrame(picture.error());
    }
}

} // namespace picam
