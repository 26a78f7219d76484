// EngineWatch notices an engine that hangs: by the echoes of what was sent to it. Pure logic, one thread.
// A link may be slow: how long is waited depends on how long the last echoes took, and becomes longer where an engine
// was given up, since behind a thin line a first large picture alone may take longer than kTimeout.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

namespace picam {

class EngineWatch {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;
    enum class Next : std::uint8_t { kNothing, kAsk, kGiveUp };

    static constexpr std::chrono::milliseconds kTimeout{2000};
    static constexpr std::chrono::seconds kMaxTimeout{20};
    static constexpr std::chrono::milliseconds kInterval{500}; // without an echo on its way, one is asked for
    static constexpr int kEchoes = 4;                          // as many times what the last one took
    static constexpr int kDecay = 4;                           // of what is longer than that, with each echo

    // Tokens are counted from `first`: best a random number, so that nobody else's are taken for own ones.
    explicit EngineWatch(std::uint64_t first) : next_(first) {}

    // An echo is asked for; its token.
    std::uint64_t sent(Time now)
    {
        on_their_way_.push_back({next_, now});
        last_sent_ = now;
        return next_++;
    }
    // It has come, and with it all before it. False: nobody waits for this one.
    bool echoed(std::uint64_t token, Time now)
    {
        const auto found = std::find_if(on_their_way_.begin(), on_their_way_.end(),
                                        [token](const Sent &sent) { return sent.token == token; });
        if (found == on_their_way_.end())
            return false;
        timeout_ = std::clamp<Duration>(std::max<Duration>(kEchoes * (now - found->at), timeout_ - timeout_ / kDecay),
                                        kTimeout, kMaxTimeout);
        on_their_way_.erase(on_their_way_.begin(), found + 1);
        return true;
    }
    // To be asked each kInterval. A pause of this process is no time that an echo took: it may have come meanwhile, and
    // wait unread.
    [[nodiscard]] Next next(Time now)
    {
        if (last_asked_ != Time{} && now - last_asked_ > 2 * kInterval)
            for (Sent &sent : on_their_way_)
                sent.at = std::min(sent.at + (now - last_asked_ - kInterval), now);
        last_asked_ = now;
        if (on_their_way_.empty())
            return now - last_sent_ >= kInterval ? Next::kAsk : Next::kNothing;
        const Time doubtful = on_their_way_.front().at + timeout_ / 2;
        if (now - on_their_way_.front().at > timeout_)
            return Next::kGiveUp;
        // It may be lost, and the next one stands for it. Once: small ones say little of a thin line.
        return now > doubtful && last_sent_ < doubtful ? Next::kAsk : Next::kNothing;
    }
    // A link was, which may have been just slow.
    void gaveUp() { timeout_ = std::min<Duration>(2 * timeout_, kMaxTimeout); }
    // What is on its way is lost: another connection.
    void reset()
    {
        on_their_way_.clear();
        last_asked_ = Time{};
    }

    [[nodiscard]] Duration timeout() const { return timeout_; }

private:
    struct Sent {
        std::uint64_t token;
        Time at;
    };

    std::uint64_t next_;
    std::deque<Sent> on_their_way_;
    Time last_sent_{};
    Time last_asked_{}; // next()
    Duration timeout_ = kTimeout;
};

} // namespace picam
