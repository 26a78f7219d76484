// Leases are what edges want of a camera, and until when. Pure logic, one thread.
#pragma once

#include "relay/messages.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace picam::relay {

class Leases {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::size_t kMaxEdges = 4096; // that are remembered: as many as ask

    // False: there are as many as there may be.
    [[nodiscard]] bool add(const Want &want, Time now)
    {
        expire(now);
        const bool wanted = want.fps > 0.0 && want.lease > std::chrono::milliseconds::zero();
        if (wanted && edges_.size() >= kMaxEdges && edges_.count(want.edge) == 0)
            return false;
        remove(want.edge);
        if (wanted) {
            edges_[want.edge] = {want.fps, now + want.lease};
            rates_.insert(want.fps);
            ends_.emplace(now + want.lease, want.edge);
        }
        return true;
    }
    void expire(Time now)
    {
        while (!ends_.empty() && ends_.begin()->first <= now)
            remove(std::string(ends_.begin()->second));
    }

    [[nodiscard]] std::size_t count() const { return edges_.size(); }
    // The most that one of them takes; 0: nobody wants frames.
    [[nodiscard]] double fps() const { return rates_.empty() ? 0.0 : *rates_.rbegin(); }
    // When the first of them ends; empty: there is none.
    [[nodiscard]] std::optional<Time> nextEnd() const
    {
        return ends_.empty() ? std::nullopt : std::optional(ends_.begin()->first);
    }

private:
    struct Lease {
        double fps;
        Time until;
    };

    void remove(const std::string &edge)
    {
        const auto found = edges_.find(edge);
        if (found == edges_.end())
            return;
        rates_.erase(rates_.find(found->second.fps));
        ends_.erase({found->second.until, edge});
        edges_.erase(found);
    }

    std::map<std::string, Lease> edges_;
    // Of all of them, in order: as many edges as there may be ask each second or two.
    std::multiset<double> rates_;
    std::set<std::pair<Time, std::string>> ends_;
};

} // namespace picam::relay
