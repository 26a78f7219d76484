#include "streamd/pipeline/still_output.h"

#include "core/base/log.h"

#include <cstdlib>
#include <exception>
#include <utility>

namespace picam {
namespace {

using std::chrono::steady_clock;

// A camera that streams but gives no still for so long is asked again with the next wish.
constexpr std::chrono::seconds kPatience{2};

} // namespace

StillOutput::StillOutput(CameraSession &session, FrameStore &store, JpegEncoder encoder, int quality)
    : session_(session), store_(store), encoder_(std::move(encoder)), quality_(quality),
      thread_([this, seen = store.value(FrameStore::Word::kStillWish)] { run(seen); })
{
}

StillOutput::~StillOutput()
{
    stopping_ = true;
    session_.interruptStill();
    store_.signal(FrameStore::Word::kStillWish); // wakes the thread
    thread_.join();
}

void StillOutput::run(std::uint32_t seen)
{
    try {
        bool failed = false; // one line for many in a row
        while (!stopping_) {
            const std::uint32_t now = store_.value(FrameStore::Word::kStillWish);
            if (now == seen) {
                store_.waitChanged(FrameStore::Word::kStillWish, seen, std::nullopt);
                continue;
            }
            seen = now;
            const auto done = takeStill();
            if (!done && !failed && !stopping_)
                log::warning("no still beside the stream: {}", done.error().message);
            failed = !done;
        }
    } catch (const std::exception &error) {
        log::error("the thread of the still output failed: {}", error.what());
        std::_Exit(EXIT_FAILURE);
    }
}

Expected<void> StillOutput::takeStill()
{
    const auto deadline = steady_clock::now() + kPatience;
    auto frame = session_.takeStill(deadline);
    while (frame && !settled_ && !stopping_) {
        *frame = Frame(); // back to the camera, which may have no other buffer for it
        frame = session_.takeStill(deadline);
    }
    if (!frame)
        return tl::unexpected<Error>(std::move(frame.error()));
    auto picture = encoder_.encodePicture(*frame, {quality_, session_.info().remaining});
    if (!picture)
        return tl::unexpected<Error>(std::move(picture.error()));
    *frame = Frame(); // back to the camera
    StoreTag tag;
    tag.stream = true;
    tag.still_size = true;
    auto published = store_.publish(*picture, tag);
    if (!published)
        return tl::unexpected<Error>(std::move(published.error()));
    return {};
}

} // namespace picam
