// FrameBus distributes a camera's raw frames to whoever subscribes. Each subscriber has a single-element overwriting
// mailbox (the newest frame replaces an older one), a rate, and a demand that it switches on and off. The source never
// waits: a slow subscriber delays nobody, and a frame that nobody takes is recycled unencoded. Frames are shared, never
// copied. It opens no camera; CameraController does while there is demand.
#pragma once

#include "core/base/error.h"
#include "core/base/thread_annotations.h"
#include "core/camera/frame_pacer.h"
#include "core/image/frame.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace picam {

class FrameBus {
public:
    struct Taken {
        SharedFrame frame;
        std::uint64_t replaced_before = 0; // frames that newer ones replaced, untaken, since the last one taken
        std::uint64_t paced_before = 0;    // frames left out to keep the rate, likewise
    };

    // A demand that keeps the camera open and takes no frames.
    static constexpr double kKeepOpen = -1.0;

    class Subscription {
    public:
        Subscription(FrameBus &bus, unsigned frames_in_use) : bus_(bus), frames_in_use_(frames_in_use) {}
        Subscription(const Subscription &) = delete;
        Subscription &operator=(const Subscription &) = delete;
        ~Subscription(); // withdraws its demand

        // Any thread. Empty: no demand; kKeepOpen: no frames; 0: every frame; else so many a second at most, evenly
        // spaced by the frames' capture times. Where none are taken, the one that waits is dropped.
        void setDemand(std::optional<double> fps);
        // Waits for a frame newer than the last one taken. Errors: kTimeout at the deadline, kInterrupted. One thread
        // at a time.
        [[nodiscard]] Expected<Taken> take(MonotonicTime deadline);
        // Makes the present or next take() return kInterrupted. Any thread.
        void interrupt();
        // An interruption that nobody was there for does not count. Before the thread that takes is started.
        void forgetInterruption();

    private:
        friend class FrameBus;
        void offer(const SharedFrame &frame);
        void clear();
        [[nodiscard]] double demandedRate() const;

        FrameBus &bus_;
        const unsigned frames_in_use_;

        mutable Mutex mutex_;
        std::condition_variable ready_;
        std::optional<double> demand_ PICAM_GUARDED_BY(mutex_);
        FramePacer pacer_ PICAM_GUARDED_BY(mutex_);
        SharedFrame newest_ PICAM_GUARDED_BY(mutex_);
        std::uint64_t replaced_ PICAM_GUARDED_BY(mutex_) = 0;
        std::uint64_t paced_ PICAM_GUARDED_BY(mutex_) = 0;
        bool interrupted_ PICAM_GUARDED_BY(mutex_) = false;
    };

    // Whether anybody takes frames; the generation changes each time that demand begins anew after there was none.
    struct Demand {
        bool any = false;
        unsigned generation = 0;
    };

    // Called in the thread of whoever changed it: `on_demand` when demand begins or ends, `on_rate` when a subscriber
    // demands another rate than before.
    explicit FrameBus(std::function<void()> on_demand, std::function<void()> on_rate = nullptr)
        : on_demand_(std::move(on_demand)), on_rate_(std::move(on_rate))
    {
    }
    FrameBus(const FrameBus &) = delete;
    FrameBus &operator=(const FrameBus &) = delete;

    // `frames_in_use`: how many frames the subscriber holds at once beside the one in its mailbox. Before the camera is
    // opened, since buffers are counted then. The bus must outlive the subscription.
    [[nodiscard]] std::unique_ptr<Subscription> subscribe(unsigned frames_in_use);
    // How many buffers all subscribers together may hold.
    [[nodiscard]] unsigned buffersHeld() const;
    [[nodiscard]] Demand demand() const;
    // The highest rate that is demanded: infinity where somebody takes every frame, 0 where nobody takes any.
    [[nodiscard]] double demandedRate() const;

    // Offers the frame to every subscriber. The source's thread; never blocks.
    void publish(const SharedFrame &frame);
    // Recycles the frames that wait in mailboxes: before their source goes.
    void clear();

private:
    void demandChanged(bool was, bool is);
    void remove(Subscription &subscription);

    const std::function<void()> on_demand_;
    const std::function<void()> on_rate_; // may be empty
    mutable Mutex mutex_;
    std::vector<Subscription *> subscriptions_ PICAM_GUARDED_BY(mutex_);
    unsigned demanding_ PICAM_GUARDED_BY(mutex_) = 0; // subscriptions with a demand
    unsigned generation_ PICAM_GUARDED_BY(mutex_) = 0;
};

} // namespace picam
