// A Histogram counts times in fixed buckets, as Prometheus does. Not thread-safe: its owner guards it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace picam {

class Histogram {
public:
    // Upper bounds, ascending; above the last is one more bucket.
    explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

    void add(double seconds);
    [[nodiscard]] const std::vector<double> &bounds() const { return bounds_; }
    [[nodiscard]] const std::vector<std::uint64_t> &counts() const { return counts_; } // not cumulated
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double sum() const { return sum_; }
    // An upper bound of the quantile `q`: the bound of its bucket; 0 when empty.
    [[nodiscard]] double quantile(double q) const;

private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double sum_ = 0.0;
};

} // namespace picam
