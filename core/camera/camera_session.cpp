#include "core/camera/camera_session.h"

#include <algorithm>
#include <fmt/format.h>

namespace picam {

using std::chrono::steady_clock;

CameraSession::CameraSession(CameraLock lock, std::unique_ptr<Source> source, Milliseconds stall)
    : stall_(stall), opened_(steady_clock::now()), lock_(std::move(lock)), last_frame_(opened_),
      source_(std::move(source))
{
}

CameraSession::~CameraSession()
{
    source_->stop();
    // A frame that still lies in the slot must go back before its source is gone.
    slot_.clear();
    stills_.clear();
}

Expected<std::unique_ptr<CameraSession>> CameraSession::open(CameraLock lock, std::unique_ptr<Source> source,
                                                             const SourceRequest &request, Milliseconds stall)
{
    std::unique_ptr<CameraSession> session(new CameraSession(std::move(lock), std::move(source), stall));
    auto info = session->source_->start(request, *session);
    if (!info)
        return tl::unexpected<Error>(std::move(info.error()));
    session->info_ = std::move(*info);
    session->last_frame_ = steady_clock::now();
    return session;
}

Expected<CameraFrame> CameraSession::nextFrame(MonotonicTime deadline)
{
    // A slow rate is no stall: two intervals always pass.
    auto stall = steady_clock::duration(stall_);
    if (info_.fps > 0)
        stall = std::max(
            stall, std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(2.0 / info_.fps)));
    const auto stalled_at = last_frame_ + stall;

    std::optional<Item> item;
    switch (slot_.take(item, std::min(deadline, stalled_at))) {
    case NewestSlot<Item>::Wake::kInterrupted:
        return fail(ErrorKind::kInterrupted, "interrupted");
    case NewestSlot<Item>::Wake::kTimeout:
        if (steady_clock::now() < stalled_at)
            return fail(ErrorKind::kTimeout, "no frame within the deadline");
        return fail(ErrorKind::kStalled, fmt::format("{} gave no frame for {} ms", info_.name,
                                                     std::chrono::duration_cast<Milliseconds>(stall).count()));
    case NewestSlot<Item>::Wake::kItem:
        break;
    }
    if (!*item)
        return tl::unexpected<Error>(std::move(item->error()));
    last_frame_ = steady_clock::now();
    return CameraFrame{std::move(**item), dropped_.exchange(0)};
}

Expected<Frame> CameraSession::takeStill(MonotonicTime deadline)
{
    stills_.clear(); // one that came too late for whoever asked before
    if (failed_)
        return tl::unexpected<Error>(error_); // it may have lain where the late one did
    source_->requestStill();
    std::optional<Item> item;
    switch (stills_.take(item, deadline)) {
    case NewestSlot<Item>::Wake::kInterrupted:
        return fail(ErrorKind::kInterrupted, "interrupted");
    case NewestSlot<Item>::Wake::kTimeout:
        return fail(ErrorKind::kTimeout, fmt::format("{} gave no still", info_.name));
    case NewestSlot<Item>::Wake::kItem:
        break;
    }
    return std::move(*item);
}

void CameraSession::onStill(Frame frame)
{
    stills_.put(Item(std::move(frame)));
}

void CameraSession::onFrame(Frame frame)
{
    if (failed_)
        return;
    if (slot_.put(Item(std::move(frame))))
        dropped_.fetch_add(1);
}

void CameraSession::onSourceError(Error error)
{
    std::call_once(failing_, [&] {
        error_ = error;
        failed_ = true;
    });
    stills_.put(Item(tl::unexpected<Error>(error)));
    slot_.put(Item(tl::unexpected<Error>(std::move(error))));
}

} // namespace picam
