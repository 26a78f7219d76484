// SentFrames numbers the frames that one picam.v2 viewer is sent, since those of several rungs and codecs count each
// for itself, and finds the number of one that is acknowledged. Loop thread only.
#pragma once

#include "streamd/viewers/connection.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

namespace picam {

class SentFrames {
public:
    enum class Found : std::uint8_t {
        kSent,  // it is the one of the number
        kOld,   // acknowledged before, or forgotten: no news
        kNever, // no such frame was ever sent
    };
    struct Acknowledged {
        Found found = Found::kNever;
        std::uint64_t number = 0;  // of the newest frame that is done
        std::uint64_t picture = 0; // … and of the newest picture that is; 0: none is
    };

    // The frame's number: from 1 up.
    std::uint64_t add(const StreamFrame &frame)
    {
        newest_.at(stream(frame.codec, frame.rung)) = frame.sequence;
        in_flight_.push_back({stream(frame.codec, frame.rung), frame.sequence, ++number_});
        return number_;
    }

    // This frame and all that were sent before it are done.
    [[nodiscard]] Acknowledged acknowledge(Codec codec, std::uint8_t rung, std::uint64_t sequence)
    {
        const std::size_t which = stream(codec, rung);
        if (which >= kStreams || sequence == 0 || sequence > newest_.at(which))
            return {};
        Acknowledged result{Found::kOld, 0, 0};
        std::size_t covered = 0;
        while (covered < in_flight_.size() &&
               (in_flight_[covered].stream != which || in_flight_[covered].sequence != sequence))
            ++covered;
        if (covered == in_flight_.size())
            return result;
        for (std::size_t i = 0; i <= covered; ++i) {
            if (in_flight_.front().stream == kPictures)
                result.picture = in_flight_.front().number;
            result.number = in_flight_.front().number;
            in_flight_.pop_front();
        }
        result.found = Found::kSent;
        return result;
    }

    void clear() { in_flight_.clear(); }

private:
    static constexpr std::size_t kStreams = 3;
    static constexpr std::size_t kPictures = 0;
    struct Sent {
        std::size_t stream;
        std::uint64_t sequence;
        std::uint64_t number;
    };
    // 0: JPEG; 1 + rung: H.264; else there is none.
    static std::size_t stream(Codec codec, std::uint8_t rung)
    {
        if (codec == Codec::kJpeg && rung == 0)
            return kPictures;
        return codec == Codec::kH264 ? 1U + rung : kStreams;
    }

    std::deque<Sent> in_flight_;
    std::array<std::uint64_t, kStreams> newest_{}; // sequences
    std::uint64_t number_ = 0;
};

} // namespace picam
