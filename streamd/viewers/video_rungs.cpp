#include "streamd/viewers/video_rungs.h"

#include "streamd/viewers/stream_frame.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace picam {

namespace {

// What most links carry, of the least: where nobody can tell.
constexpr std::uint32_t kUnknownFactor = 3;

} // namespace

BitrateRange bitrateRange(Size size, unsigned rung, const VideoLimits &limits)
{
    // 250 kbit/s at 640x480, 600 at 1280x720: a larger picture has more that is alike.
    constexpr double kMin = 250000;
    constexpr double kMaxFactor = 8;
    constexpr double kVgaPixels = 640.0 * 480.0;
    constexpr double kExponent = 0.8;
    constexpr double kLeast = 32000; // of any picture
    const auto pixels = [](Size of) { return static_cast<double>(std::uint64_t{of.width} * of.height); };
    const double by_size = kMin * std::pow(pixels(size) / kVgaPixels, kExponent);
    const double share = std::pow(pixels(rungSize(size, rung)) / pixels(size), kExponent);
    const auto at = [share](std::uint32_t given, double own) {
        return (given > 0 ? static_cast<double>(given) : own) * share;
    };
    const double min = std::max(at(limits.min_bitrate, by_size), kLeast);
    const double max = std::max(at(limits.max_bitrate, by_size * kMaxFactor), min);
    return {static_cast<std::uint32_t>(min), static_cast<std::uint32_t>(max)};
}

VideoFlowControl::Limits linkLimits(Size size, const VideoLimits &limits)
{
    const BitrateRange largest = bitrateRange(size, 0, limits);
    const std::uint32_t least = bitrateRange(size, kVideoRungs - 1, limits).min / 2;
    return {least, largest.max, std::min(kUnknownFactor * largest.min, largest.max)};
}

VideoRungs::VideoRungs(Scheduler &scheduler, VideoSwitch &video, Status &status, Options options,
                       std::function<void()> changed)
    : scheduler_(scheduler), video_(video), status_(status), options_(std::move(options)), changed_(std::move(changed)),
      size_(options_.size), review_(scheduler.makeTimer())
{
    for (Rung &rung : rungs_) {
        rung.timer = scheduler.makeTimer();
        rung.linger = scheduler.makeTimer();
    }
}

VideoRungs::~VideoRungs() = default;

VideoRungs::Member *VideoRungs::find(const VideoViewer &viewer)
{
    const auto found =
        std::find_if(members_.begin(), members_.end(), [&viewer](const Member &m) { return m.viewer == &viewer; });
    return found != members_.end() ? &*found : nullptr;
}

bool VideoRungs::has(const VideoViewer &viewer) const
{
    return std::any_of(members_.begin(), members_.end(), [&viewer](const Member &m) { return m.viewer == &viewer; });
}

void VideoRungs::join(VideoViewer &viewer)
{
    if (find(viewer) != nullptr)
        return;
    members_.emplace_back().viewer = &viewer;
    if (members_.size() == 1)
        video_.wantVideo(true);
    const unsigned rung = mayTry(0) ? 0 : mayTry(1) ? 1 : kVideoRungs;
    place(members_.back(), rung, scheduler_.now());
    startReview();
    pumpAll();
    if (rung == kVideoRungs && !viewer.takesPictures())
        viewer.endVideo(); // it leaves
}

void VideoRungs::leave(const VideoViewer &viewer)
{
    Member *member = find(viewer);
    if (member == nullptr)
        return;
    place(*member, kVideoRungs, scheduler_.now());
    members_.erase(members_.begin() + (member - members_.data()));
    if (members_.empty())
        video_.wantVideo(false);
    pumpAll(); // the others waited for it, perhaps
}

// An encoder of this rung works, or has not been tried with this camera. Half of a small picture is none.
bool VideoRungs::mayTry(unsigned rung) const
{
    constexpr std::uint32_t kLeastHeight = 96;
    return !rungs_.at(rung).failed && (rung == 0 || rungSize(size_, rung).height >= kLeastHeight);
}

BitrateRange VideoRungs::range(unsigned rung) const
{
    return bitrateRange(size_, rung, options_.limits);
}

std::size_t VideoRungs::membersOf(unsigned rung) const
{
    return static_cast<std::size_t>(
        std::count_if(members_.begin(), members_.end(), [rung](const Member &m) { return m.rung == rung; }));
}

// To a rung, or below the last; with a key frame there.
void VideoRungs::place(Member &member, unsigned rung, Time now)
{
    const unsigned before = std::exchange(member.rung, rung);
    if (before < kVideoRungs)
        rungs_.at(before).waits_for = nullptr; // it may be gone
    member.in_chain = false;
    member.blocked = Time{};
    member.roomy = now;
    if (rung < kVideoRungs)
        rungs_.at(rung).linger->cancel();
    if (before < kVideoRungs && before != rung && membersOf(before) == 0 && rungs_.at(before).encoding)
        rungs_.at(before).linger->start(options_.linger, [this, before] {
            rungs_.at(before).encoding = false;
            rungs_.at(before).asked = false;
            video_.releaseVideo(before);
        });
    for (const unsigned changed : {before, rung})
        if (changed < kVideoRungs)
            status_.videoViewers(changed, membersOf(changed));
    member.viewer->setPictures(rung == kVideoRungs);
}

void VideoRungs::onReady(const VideoViewer &viewer)
{
    const Member *member = find(viewer);
    if (member == nullptr || member->rung == kVideoRungs)
        return;
    // Each acknowledgement of each frame comes here. They come in the order in which the frame was sent, mostly: while
    // the last of those who are waited for has none, there is no need to look at all of them.
    const VideoViewer *last = rungs_.at(member->rung).waits_for;
    if (last == nullptr || last == &viewer || last->mayTake(scheduler_.now()))
        pump(member->rung);
}

void VideoRungs::onKeyWanted(const VideoViewer &viewer)
{
    Member *member = find(viewer);
    if (member == nullptr || member->rung == kVideoRungs)
        return;
    member->in_chain = false;
    pump(member->rung);
}

void VideoRungs::onCameraOpened(Size size)
{
    if (size == size_ && std::none_of(rungs_.begin(), rungs_.end(), [](const Rung &rung) { return rung.failed; }))
        return;
    size_ = size;
    for (Rung &rung : rungs_)
        rung.failed = false;
}

void VideoRungs::stop()
{
    for (unsigned rung = 0; rung < kVideoRungs; ++rung) {
        rungs_.at(rung).asked = false;
        rungs_.at(rung).encoding = false;
        rungs_.at(rung).failed = false;
        rungs_.at(rung).linger->cancel();
        video_.releaseVideo(rung);
    }
}

void VideoRungs::pumpAll()
{
    for (unsigned rung = 0; rung < kVideoRungs; ++rung)
        pump(rung);
}

// Asks for the rung's next frame, if there is somebody for it and nobody to wait for.
void VideoRungs::pump(unsigned number)
{
    Rung &rung = rungs_.at(number);
    if (rung.asked || rung.failed)
        return;
    rung.waits_for = nullptr;
    const Time now = scheduler_.now();
    bool ready = false;
    bool key = false;
    Time look_again = Time::max();
    for (Member &member : members_) {
        if (member.rung != number)
            continue;
        const bool may_take = member.viewer->mayTake(now);
        if (member.in_chain) {
            ready = ready || may_take;
            if (may_take)
                member.blocked = Time{};
            const auto interval = member.viewer->keyInterval();
            key = key || (may_take && interval > std::chrono::seconds(0) && rung.last_key + interval <= now);
            continue;
        }
        const Time key_at = std::max(rung.last_key + kKeyInterval, member.rejoins);
        if (may_take && (rung.last_key == Time{} || key_at <= now))
            key = true;
        else if (may_take)
            look_again = std::min(look_again, key_at);
    }
    if (ready || key) {
        // Others could take it: those who cannot are waited for, but not for long.
        for (Member &member : members_) {
            if (member.rung != number || !member.in_chain || member.viewer->mayTake(now))
                continue;
            if (member.blocked == Time{})
                member.blocked = now;
            const bool again = member.lagged != Time{} && now - member.lagged < kForgiven;
            const Time patience_ends = member.blocked + (again ? kShortPatience : kPatience);
            if (patience_ends <= now)
                lag(member, now);
            else
                look_again = std::min(look_again, patience_ends);
        }
        // Somebody is waited for still: later.
        const auto waiting = std::find_if(members_.rbegin(), members_.rend(), [number](const Member &member) {
            return member.rung == number && member.in_chain && member.blocked != Time{};
        });
        if (waiting != members_.rend()) {
            rung.waits_for = waiting->viewer;
        } else {
            rung.asked = true;
            rung.encoding = true;
            rung.timer->cancel();
            const std::uint32_t bitrate = bitrateOf(number);
            status_.videoAsked(number, bitrate);
            video_.requestVideo(number, {key, bitrate});
            return;
        }
    }
    if (look_again != Time::max())
        rung.timer->start(look_again - now, [this, number] { pump(number); });
}

// What the thinnest link of those on the rung carries.
std::uint32_t VideoRungs::bitrateOf(unsigned rung) const
{
    const BitrateRange allowed = range(rung);
    std::uint32_t lowest = 0;
    for (const Member &member : members_) {
        const std::uint32_t bitrate = member.rung == rung ? member.viewer->bitrate() : 0;
        if (bitrate > 0 && (lowest == 0 || bitrate < lowest))
            lowest = bitrate;
    }
    return std::clamp(lowest > 0 ? lowest : allowed.min * kUnknownFactor, allowed.min, allowed.max);
}

// A frame is made that it does not get.
void VideoRungs::lag(Member &member, Time now)
{
    const bool again = member.lagged != Time{} && now - member.lagged < kForgiven;
    member.lagged = now;
    member.in_chain = false;
    member.blocked = Time{};
    if (again && member.viewer->bitrate() > 0 && member.rung + 1 < kVideoRungs && mayTry(member.rung + 1))
        return moveDown(member, now);
    member.rejoin_hold =
        again ? std::min(std::max(2 * member.rejoin_hold, kKeyInterval), kMaxRejoinHold) : std::chrono::seconds(0);
    member.rejoins = now + member.rejoin_hold;
}

void VideoRungs::moveDown(Member &member, Time now)
{
    unsigned below = member.rung + 1;
    while (below < kVideoRungs && !mayTry(below))
        ++below;
    if (below >= kVideoRungs && !member.viewer->takesPictures()) {
        member.in_chain = false; // there is nothing else for it
        return;
    }
    if (const Time climbed = std::exchange(member.climbed, Time{}); climbed != Time{})
        member.room_needed = now - climbed < kMaxRoom ? std::min(2 * member.room_needed, kMaxRoom) : kRoom;
    const bool pictures = below >= kVideoRungs;
    place(member, std::min(below, kVideoRungs), now);
    if (pictures)
        changed_();
    else
        pump(below);
}

void VideoRungs::onVideo(const RungEncoders::Result &result)
{
    Rung &rung = rungs_.at(result.rung);
    if (!std::exchange(rung.asked, false))
        return; // stopped, or released, meanwhile
    const Time now = scheduler_.now();
    if (!result.frame)
        return fail(result.rung, now);
    if (*result.frame) {
        const FramePtr frame = makeStreamFrame(*result.frame, static_cast<std::uint8_t>(result.rung), ++rung.sequence);
        status_.videoEncoded(result.rung, result.encode_time, frame->bytes, frame->key, result.encoder);
        if (frame->key)
            rung.last_key = now;
        for (Member &member : members_) {
            if (member.rung != result.rung || (!member.in_chain && !frame->key))
                continue;
            if (!member.in_chain && !member.viewer->mayTake(now))
                continue; // nobody's chain breaks
            if (!member.viewer->canTake()) {
                lag(member, now);
            } else if (member.viewer->transferTime(frame->bytes, now) > kMaxTransfer && result.rung + 1 < kVideoRungs &&
                       mayTry(result.rung + 1)) {
                moveDown(member, now);
            } else {
                member.viewer->sendVideo(frame);
                member.in_chain = true;
            }
        }
    }
    pumpAll();
}

// No encoder works: JPEGs for those who take them, and the end for the others.
void VideoRungs::fail(unsigned number, Time now)
{
    status_.videoFailed(now);
    rungs_.at(number).failed = true;
    rungs_.at(number).encoding = false;
    std::vector<VideoViewer *> without;
    for (Member &member : members_) {
        if (member.rung != number)
            continue;
        place(member, kVideoRungs, now);
        if (!member.viewer->takesPictures())
            without.push_back(member.viewer);
    }
    changed_();
    for (VideoViewer *viewer : without) // it leaves
        viewer->endVideo();
}

// Whose link has become too thin, or wide enough for the rung above.
void VideoRungs::review()
{
    const Time now = scheduler_.now();
    for (Member &member : members_) {
        const std::uint32_t bitrate = member.viewer->bitrate();
        if (bitrate == 0)
            continue;
        if (now - member.lagged > kForgiven)
            member.rejoin_hold = std::chrono::seconds(0);
        if (member.rung < kVideoRungs && bitrate < range(member.rung).min) {
            moveDown(member, now);
            continue;
        }
        if (member.rung == 0)
            continue;
        unsigned above = member.rung - 1;
        while (above > 0 && !mayTry(above))
            --above;
        if (!mayTry(above) || bitrate < kRoomFactor * range(above).min) {
            member.roomy = now;
        } else if (now - member.roomy >= member.room_needed && rungs_.at(above).last_key + kKeyInterval <= now) {
            const bool pictures = member.rung == kVideoRungs;
            place(member, above, now);
            member.climbed = now;
            member.lagged = Time{}; // what it did on another rung says nothing of this one
            if (pictures)
                changed_();
        }
    }
    pumpAll();
}

void VideoRungs::startReview()
{
    if (reviewing_ || members_.empty())
        return;
    reviewing_ = true;
    review_->start(kReview, [this] {
        reviewing_ = false;
        review();
        startReview();
    });
}

} // namespace picam
