#include "core/camera/frame_bus.h"

#include <algorithm>
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
    bool changed = false;
    {
        const MutexLock lock(mutex_);
        changed = demand_.has_value() != fps.has_value();
        demand_ = fps;
        if (fps.value_or(kKeepOpen) >= 0)
            pacer_.setRate(*fps);
        else
            dropped = std::exchange(newest_, nullptr);
    }
    if (changed)
        bus_.demandChanged(fps.has_value());
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

void FrameBus::demandChanged(bool on)
{
    {
        const MutexLock lock(mutex_);
        const bool any = demanding_ > 0;
        demanding_ += on ? 1U : -1U;
        if (any == (demanding_ > 0))
            return;
        generation_ += any ? 0U : 1U;
    }
    on_demand_();
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
