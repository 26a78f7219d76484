#include "core/camera/frame_bus.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace picam {

FrameBus::Subscription::~Subscription()
{
    setDemand(std::nullopt);
    bus_.remove(*this);
}

void FrameBus::Subscription::setDemand(std::optional<double> fps)
{
    SharedFrame dropped; // recycled outside the lock
    std::optional<double> before;
    {
        const MutexLock lock(mutex_);
        before = std::exchange(demand_, fps);
        if (fps.value_or(kKeepOpen) >= 0)
            pacer_.setRate(*fps);
        else
            dropped = std::exchange(newest_, nullptr);
    }
    if (before != fps)
        bus_.demandChanged(before.has_value(), fps.has_value());
}

Expected<FrameBus::Taken> FrameBus::Subscription::take(MonotonicTime deadline)
{
    UniqueLock lock(mutex_);
    while (!newest_ && !interrupted_) {
        if (ready_.wait_until(lock.native(), deadline) == std::cv_status::timeout)
            break;
    }
    if (std::exchange(interrupted_, false))
        return fail(ErrorKind::kInterrupted, "interrupted");
    if (!newest_)
        return fail(ErrorKind::kTimeout, "no frame within the deadline");
    return Taken{std::exchange(newest_, nullptr), std::exchange(replaced_, 0), std::exchange(paced_, 0)};
}

void FrameBus::Subscription::interrupt()
{
    {
        const MutexLock lock(mutex_);
        interrupted_ = true;
    }
    ready_.notify_all();
}

void FrameBus::Subscription::forgetInterruption()
{
    const MutexLock lock(mutex_);
    interrupted_ = false;
}

void FrameBus::Subscription::offer(const SharedFrame &frame)
{
    SharedFrame replaced; // recycled outside the lock
    {
        const MutexLock lock(mutex_);
        if (!demand_)
            return;
        if (*demand_ < 0 || !pacer_.take(frame->captured())) {
            ++paced_;
            return;
        }
        replaced = std::exchange(newest_, frame);
        replaced_ += replaced ? 1U : 0U;
    }
    ready_.notify_all();
}

void FrameBus::Subscription::clear()
{
    SharedFrame dropped;
    const MutexLock lock(mutex_);
    dropped.swap(newest_);
}

double FrameBus::Subscription::demandedRate() const
{
    const MutexLock lock(mutex_);
    if (!demand_ || *demand_ < 0)
        return 0.0;
    return *demand_ > 0 ? *demand_ : std::numeric_limits<double>::infinity();
}

std::unique_ptr<FrameBus::Subscription> FrameBus::subscribe(unsigned frames_in_use)
{
    auto subscription = std::make_unique<Subscription>(*this, frames_in_use);
    const MutexLock lock(mutex_);
    subscriptions_.push_back(subscription.get());
    return subscription;
}

void FrameBus::remove(Subscription &subscription)
{
    const MutexLock lock(mutex_);
    subscriptions_.erase(std::find(subscriptions_.begin(), subscriptions_.end(), &subscription));
}

unsigned FrameBus::buffersHeld() const
{
    const MutexLock lock(mutex_);
    unsigned buffers = 0;
    for (const Subscription *subscription : subscriptions_)
        buffers += 1 + subscription->frames_in_use_;
    return buffers;
}

FrameBus::Demand FrameBus::demand() const
{
    const MutexLock lock(mutex_);
    return {demanding_ > 0, generation_};
}

double FrameBus::demandedRate() const
{
    const MutexLock lock(mutex_);
    double highest = 0.0;
    for (const Subscription *subscription : subscriptions_)
        highest = std::max(highest, subscription->demandedRate());
    return highest;
}

void FrameBus::demandChanged(bool was, bool is)
{
    bool any_changed = false;
    if (was != is) {
        const MutexLock lock(mutex_);
        const bool any = demanding_ > 0;
        demanding_ += is ? 1U : -1U;
        any_changed = any != (demanding_ > 0);
        generation_ += any_changed && !any ? 1U : 0U;
    }
    if (any_changed)
        on_demand_();
    else if (on_rate_)
        on_rate_();
}

void FrameBus::publish(const SharedFrame &frame)
{
    const MutexLock lock(mutex_);
    for (Subscription *subscription : subscriptions_)
        subscription->offer(frame);
}

void FrameBus::clear()
{
    const MutexLock lock(mutex_);
    for (Subscription *subscription : subscriptions_)
        subscription->clear();
}

} // namespace picam
