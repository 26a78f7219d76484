#include "fcgi/stills.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace picam {
namespace {

using Clock = std::chrono::steady_clock;

// Waiting ends with the holder's notification; a holder that died sends none, so look again from time to time.
constexpr auto kHolderCheck = std::chrono::milliseconds(250);
// A still output that gives nothing in this time is taken as broken: the stream's frame is better than none.
constexpr auto kStillOutputTimeout = std::chrono::seconds(2);
// A stream slower than this has no picture of now by itself: one is requested.
constexpr auto kMaxStreamInterval = std::chrono::milliseconds(200);

// A stream that goes on has published its next frame by then.
MonotonicTime nextIsDue(const StoredPicture &entry)
{
    constexpr std::chrono::microseconds kToEncode{20000};
    return entry.picture->captured + entry.tag.interval + std::max(kToEncode, entry.tag.interval / 2);
}

} // namespace

// kTimeout: there is no picture that is new enough, yet.
Expected<Still> Stills::fromStore(const Asked &asked) const
{
    const auto entry = store_.newestEntry();
    // A damaged store is the next writer's to rebuild; until then it holds nothing.
    if (!entry || !*entry)
        return fail(ErrorKind::kTimeout, "no picture in the frame store");
    const Picture &known = *(*entry)->picture;
    const StoreTag &tag = (*entry)->tag;
    // What was taken with other controls than were wanted is an old picture, however new it is.
    const bool before_controls = isBeforeControls(known.controls_generation, asked.controls_generation);
    const auto timeout = std::min<Clock::duration>(kStillOutputTimeout, settings_.snapshot.deadline / 2);
    const auto interval = std::min<Clock::duration>(tag.interval, kMaxStreamInterval);
    if (tag.stream && tag.still_offered && Clock::now() - asked.at < timeout) {
        const auto still = store_.newestEntry(FrameStore::Kind::kStillSize);
        if (!still || !*still || (*still)->picture->captured + interval < asked.at ||
            isBeforeControls((*still)->picture->controls_generation, asked.controls_generation))
            return fail(ErrorKind::kTimeout, "the still beside the stream is not ready");
        return copied(FrameStore::Kind::kStillSize, *(*still)->picture, StillOrigin::kStream);
    }
    if (before_controls)
        return fail(ErrorKind::kTimeout, "the picture in the frame store is from before a change of the controls");
    if (tag.stream) {
        const bool fresh = known.captured + interval >= asked.at;
        const bool converged = known.converged || Clock::now() - asked.at >= settings_.snapshot.settle;
        if (!fresh || !converged)
            return fail(ErrorKind::kTimeout, "the stream's picture is not ready");
        return copied(FrameStore::Kind::kSequence, known, StillOrigin::kStream);
    }
    if (known.captured + capture_.interval() >= asked.at)
        return copied(FrameStore::Kind::kSequence, known, StillOrigin::kCapture);
    if (known.captured + settings_.snapshot.max_age >= asked.at)
        return copied(FrameStore::Kind::kSequence, known, StillOrigin::kCache);
    return fail(ErrorKind::kTimeout, "the picture in the frame store is too old");
}

Expected<Still> Stills::copied(FrameStore::Kind kind, const Picture &known, StillOrigin origin) const
{
    {
        const MutexLock lock(mutex_);
        const PicturePtr last = last_copied_.lock();
        if (last && last->sequence == known.sequence && last->captured == known.captured && last->size == known.size)
            return Still{last, origin};
    }
    auto stored = store_.newest(kind);
    if (!stored)
        return tl::unexpected<Error>(std::move(stored.error()));
    if (!*stored)
        return fail(ErrorKind::kTimeout, "no picture in the frame store");
    const MutexLock lock(mutex_);
    last_copied_ = (*stored)->picture;
    return Still{(*stored)->picture, origin};
}

// While the stream runs this costs one copy, and no look at the lock. Empty: it does not run, or runs no more.
std::optional<Still> Stills::fromStream(const Asked &asked, MonotonicTime deadline) const
{
    auto request_at = asked.at;
    std::optional<std::pair<std::uint64_t, MonotonicTime>> last;
    while (Clock::now() < deadline) {
        const std::uint32_t event = requests_.value(CameraRequests::Word::kEvent);
        const auto entry = store_.newestEntry();
        if (!entry || !*entry || !(*entry)->tag.stream || Clock::now() >= nextIsDue(**entry))
            return std::nullopt;
        if (auto still = fromStore(asked); still)
            return *still;
        // An event without a new picture: the camera was released, perhaps.
        const auto beside = store_.newestEntry(FrameStore::Kind::kStillSize);
        const std::pair newest((*entry)->picture->sequence,
                               beside && *beside ? (*beside)->picture->captured : MonotonicTime());
        if (std::exchange(last, newest) == newest)
            return std::nullopt;
        const bool needs_request = (*entry)->tag.still_offered || (*entry)->tag.interval > kMaxStreamInterval;
        if (needs_request && Clock::now() >= request_at) {
            requests_.signal(CameraRequests::Word::kStillRequest);
            request_at = Clock::now() + kHolderCheck;
        }
        requests_.waitChanged(CameraRequests::Word::kEvent, event, std::min(deadline, nextIsDue(**entry)));
    }
    return std::nullopt;
}

Expected<Still> Stills::get() const
{
    const Asked asked{Clock::now(), requests_.controlsGeneration()};
    const auto deadline = asked.at + settings_.snapshot.deadline;
    if (auto still = fromStream(asked, deadline))
        return *still;
    bool elsewhere = false; // another process has the camera
    auto request_at = asked.at;
    while (true) {
        const std::uint32_t event = requests_.value(CameraRequests::Word::kEvent);
        auto captured = capture_.capture(asked.at - capture_.interval(), deadline);
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
        if (Clock::now() >= request_at) {
            requests_.signal(CameraRequests::Word::kStillRequest);
            request_at = Clock::now() + kHolderCheck;
        }
        requests_.waitChanged(CameraRequests::Word::kEvent, event, std::min(deadline, Clock::now() + kHolderCheck));
    }
}

} // namespace picam
