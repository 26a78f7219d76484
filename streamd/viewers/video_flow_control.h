// VideoFlowControl is the send window and the bitrate of one viewer of inter-frame video. No frame may be dropped after
// it was encoded, so one is encoded only when it can go at once, and the encoder makes what the link carries. Pure
// logic; the caller gives the time. Frames are acknowledged at receipt or when painted, some of them together.
// - The measured rate is what was acknowledged in the time that the link was busy: since the frame could first have
//   been acknowledged or the one before it was, whichever is later. While frames queue that is exact; so only then the
//   rate that the link is taken to carry is lowered, and to no less than what was measured.
// - While they do not queue and the encoder makes what it may, that rate grows: quickly until the link was once full,
//   from then on up to what is measured, and slowly beyond.
// - The window is what the link carries in the base round trip and kSlack. An overdue acknowledgement closes it.
// A viewer that takes longer for each frame than frames come looks like a slow link, whatever their size: the bitrate
// falls to the lowest. It should acknowledge at receipt, or get fewer frames.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace picam {

class VideoFlowControl {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    struct Limits { // bits a second; REQUIRES: 0 < min <= start <= max
        std::uint32_t min;
        std::uint32_t max;
        std::uint32_t start;
    };

    // Of the link's rate; the rest drains the queue behind a frame larger than the mean.
    static constexpr double kUse = 0.85;
    static constexpr std::chrono::milliseconds kSlack{90};
    // The link is full when frames queue so long in the mean. One that is late, behind a large frame or because the
    // link lost a packet or paused, is no sign of it.
    static constexpr std::chrono::milliseconds kFullQueue{15};
    // Displays paint at intervals, so acknowledgements are late by so much with nothing in the way. What it is in the
    // mean is learned from frames that cannot have queued.
    static constexpr std::chrono::milliseconds kMaxJitter{50};
    static constexpr std::chrono::seconds kBaseMemory{10};

    explicit VideoFlowControl(Limits limits);

    // Whether a frame that is encoded now would go at once. Time alone never makes it true again, only an
    // acknowledgement or clear().
    [[nodiscard]] bool maySend(Time now) const;
    // REQUIRES: sequences rise.
    void onSent(std::uint64_t sequence, std::size_t bytes, Time now);
    // Acknowledges this frame and all before it. False: no such frame was ever sent.
    [[nodiscard]] bool onAcknowledged(std::uint64_t sequence, Time now);
    // Drops the frames in flight: they need no acknowledgement any more, and one that comes does no harm. What was
    // learned of the link stays.
    void clear();

    // What the encoder may make for this viewer, bits a second.
    [[nodiscard]] std::uint32_t bitrate() const;
    // How long the link takes for so many bytes, behind those in flight, as far as known; zero before that.
    [[nodiscard]] Duration transferTime(std::size_t bytes, Time now) const;

    [[nodiscard]] std::size_t inFlight() const { return in_flight_.size(); }
    // The base round trip: of a frame without size on an empty link.
    [[nodiscard]] Duration shortestRoundTrip() const;
    // How long an acknowledgement has been outstanding; zero when none is.
    [[nodiscard]] Duration silence(Time now) const;

private:
    struct Sent {
        std::uint64_t sequence;
        double bytes;
        double ahead; // bytes in flight when it was sent
        Time at;
    };
    struct Base {
        double seconds;
        Time at;
    };

    [[nodiscard]] double base() const { return base_ ? base_->seconds : 0.0; }
    [[nodiscard]] bool draining(Time now) const;
    [[nodiscard]] double rateNow(Time now) const;
    [[nodiscard]] double busySince(const Sent &frame, Time now) const;
    void learnBase(const Sent &frame, double round_trip, Time now);
    void remember(const Base &sample);
    void learnQueue(const Sent &frame, double round_trip, double elapsed, Time now);
    void adaptRate(double elapsed, Time now);

    const Limits limits_;
    std::deque<Sent> in_flight_;
    double in_flight_bytes_ = 0.0;
    std::uint64_t last_sequence_ = 0;
    Time last_ack_{};
    int acks_ = 0; // counted to kFirstAcks

    // Bytes a second:
    double link_;            // that the link is taken to carry
    double failed_ = 0.0;    // … when it was last full; zero: never, or it carries more by now
    double last_rate_ = 0.0; // measured by the last acknowledgement alone
    // Each with a decaying memory:
    double delivered_ = 0.0; // bytes acknowledged
    double busy_ = 0.0;      // seconds that the link was busy with them
    double elapsed_ = 0.0;   // seconds in all
    double jitter_ = 0.0;    // seconds that acknowledgements are late without a queue
    double queue_ = 0.0;     // seconds that frames queued

    std::optional<Time> full_since_;
    Time failed_at_{};
    std::optional<Base> base_;      // the shortest of the last kBaseMemory, or the shortest since
    std::optional<Base> next_base_; // the shortest since `base_` grew half as old as it may
};

} // namespace picam
