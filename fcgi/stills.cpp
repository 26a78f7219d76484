#include "fcgi/stills.h"

#include <algorithm>
#include <fmt/format.h>

namespace picam {
namespace {

using Clock = std::chrono::steady_clock;

// Waiting ends with the holder's word; a holder that died says none, so look again from time to time.
constexpr auto kHolderCheck = std::chrono::milliseconds(250);

} // namespace

// kTimeout: there is no picture that is new enough, yet.
Expected<Still> Stills::fromStore(MonotonicTime asked) const
{
    const auto entry = store_.newestEntry();
    // A damaged store is the next writer's to rebuild; until then it holds nothing.
    if (!entry || !*entry)
        return fail(ErrorKind::kTimeout, "no picture in the frame store");
    const Picture &known = *(*entry)->picture;
    const StoreTag &tag = (*entry)->tag;
    Still still;
    if (tag.stream) {
        // The frame before the newest is still the newest while that one is being encoded.
        const bool fresh = known.captured + 2 * tag.interval >= asked;
        const bool settled = known.settled || Clock::now() - asked >= settings_.snapshot.settle;
        if (!fresh || !settled)
            return fail(ErrorKind::kTimeout, "the stream's picture is not ready");
        still.origin = StillOrigin::kStream;
    } else if (known.captured + camera_.interval() >= asked) {
        still.origin = StillOrigin::kCapture;
    } else if (known.captured + settings_.snapshot.max_age >= asked) {
        still.origin = StillOrigin::kCache;
    } else {
        return fail(ErrorKind::kTimeout, "the picture in the frame store is too old");
    }
    auto stored = store_.newest();
    if (!stored)
        return tl::unexpected<Error>(std::move(stored.error()));
    if (!*stored)
        return fail(ErrorKind::kTimeout, "no picture in the frame store");
    still.picture = (*stored)->picture;
    return still;
}

Expected<Still> Stills::get() const
{
    const auto asked = Clock::now();
    const auto deadline = asked + settings_.snapshot.deadline;
    // While the stream runs this costs one copy, and no look at the lock.
    if (auto still = fromStore(asked); still && still->origin == StillOrigin::kStream)
        return still;
    bool elsewhere = false; // another process has the camera
    while (true) {
        const std::uint32_t event = store_.value(FrameStore::Word::kEvent);
        auto captured = camera_.capture(asked - camera_.interval(), deadline);
        if (captured)
            return Still{*captured, StillOrigin::kCapture};
        elsewhere = elsewhere || captured.error().kind == ErrorKind::kInterrupted;
        const bool out_of_time = captured.error().kind == ErrorKind::kTimeout || Clock::now() >= deadline;
        if (!elsewhere || (captured.error().kind != ErrorKind::kInterrupted && !out_of_time))
            return tl::unexpected<Error>(std::move(captured.error()));

        if (auto still = fromStore(asked))
            return still;
        if (out_of_time) {
            const std::string holder = CameraLock::holder(settings_.lockPath());
            return fail(ErrorKind::kTimeout,
                        fmt::format("{} has the camera and gave no picture within {} ms",
                                    holder.empty() ? "another process" : holder, settings_.snapshot.deadline.count()));
        }
        store_.signal(FrameStore::Word::kStillWish);
        store_.waitChanged(FrameStore::Word::kEvent, event, std::min(deadline, Clock::now() + kHolderCheck));
    }
}

} // namespace picam
