// FlowControl is the send window of one picam.v1 viewer: how many frames may be unacknowledged. It keeps the link busy
// without a queue in front of it. Pure logic; the caller gives the time.
// The window is a real number from 1 up. A link is full when more frames in flight delay each of them, so each round
// trip is compared with the shortest of the last seconds (as TCP Vegas does). While they agree and frames had to be
// skipped, the window grows by a quarter, which is on trial: only one frame in flight may use it. A fraction delays the
// frame that uses it: with 2.25 the third may go once the oldest is three quarters of a round trip old, so a trial on a
// full link costs that frame a quarter of its age and not a whole one. When the round trips disagree, the trial is
// taken back and the next one put off, each time longer; a window that was proven before shrinks below what the link
// holds, so that its queue drains.
// A viewer may say that it acknowledges only every few frames. Those frames are presumed delivered once they are older
// than a round trip, so on a quick link each frame goes at once all the same. On a link that becomes slow no more go
// than one such batch: nothing is presumed after an acknowledgement that was late, or came because the next frame did
// not.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace picam {

class FlowControl {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    static constexpr double kStep = 0.25;
    static constexpr double kMaxWindow = 64.0;
    // A browser paints with its display, so round trips differ by up to a refresh with nothing in the way. How much is
    // learned from frames that were alone in flight, within these bounds.
    static constexpr std::chrono::milliseconds kMinJitter{5};
    static constexpr std::chrono::milliseconds kMaxJitter{50};
    static constexpr std::chrono::milliseconds kPromptJitter{20}; // a display's refresh: no sign of a slow link
    static constexpr std::chrono::seconds kMinRoundTripMemory{10};
    static constexpr std::chrono::seconds kFirstHold{2};
    static constexpr std::chrono::seconds kMaxHold{32};

    [[nodiscard]] bool maySend(Time now) const;
    // A frame was there and maySend() was false: the window limits this viewer, so it may grow.
    void onHeldBack() { held_back_ = true; }
    void onSent(std::uint64_t sequence, std::size_t bytes, Time now);
    // Acknowledges this frame and all before it (a viewer that paints only the newest acknowledges only that).
    // `batch`, from 1: the next acknowledgement may cover so many frames.
    // False: no such frame was ever sent.
    [[nodiscard]] bool onAcknowledged(std::uint64_t sequence, Time now, std::size_t batch = 1);

    // Drops the frames in flight: they need no acknowledgement any more, and one that comes does no harm.
    void clear();

    [[nodiscard]] std::size_t inFlight() const { return in_flight_.size(); }
    [[nodiscard]] double window() const { return window_; }
    [[nodiscard]] Duration shortestRoundTrip() const { return shortest_ ? shortest_->round_trip : Duration::zero(); }
    // How long an acknowledgement has been outstanding; zero when none is.
    [[nodiscard]] Duration silence(Time now) const;

private:
    struct Sent {
        std::uint64_t sequence;
        std::size_t bytes;
        Time at;
        bool alone;  // nothing else was in flight, as far as is known or presumed
        bool filled; // it filled the window: what happens to it tells whether the window is too large
        bool trial;  // … a window that is not proven
    };
    struct RoundTrip {
        Duration round_trip;
        std::size_t bytes;
        Time at;
    };

    void remember(const RoundTrip &sample);
    [[nodiscard]] Duration expected(std::size_t bytes) const;
    [[nodiscard]] std::size_t presumedDelivered(Time now) const;
    [[nodiscard]] bool fits(double window, Time now) const;
    [[nodiscard]] bool prompt(const Sent &frame, Duration round_trip) const;
    [[nodiscard]] bool late(const Sent &frame, Duration round_trip);
    void prove();
    void grow(Time now);
    void shrink(const Sent &frame, Time now);
    void holdOff(double ceiling, Time now);

    std::deque<Sent> in_flight_;
    std::uint64_t last_sequence_ = 0;
    Time last_ack_{};
    double window_ = 1.0;
    double proven_ = 1.0;         // a frame that filled this window was not late
    bool trying_ = false;         // a frame is in flight that fills a window above proven_
    double ceiling_ = kMaxWindow; // the window is not tried above it before try_above_
    Time try_above_{};
    Duration hold_ = kFirstHold;
    Time shrunk_{};
    bool held_back_ = false;
    std::size_t batch_ = 1; // frames that the next acknowledgement may cover, as the viewer said
    bool presume_ = false;  // … and its last one was on time
    Duration jitter_ = kMinJitter;
    std::optional<RoundTrip> shortest_;      // of the last kMinRoundTripMemory, or the best since
    std::optional<RoundTrip> next_shortest_; // the best since `shortest_` grew half as old as it may
};

} // namespace picam
