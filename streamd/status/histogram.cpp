#include "streamd/status/histogram.h"

#include <algorithm>

namespace picam {

void Histogram::add(double seconds)
{
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
    ++counts_[static_cast<std::size_t>(bucket)];
    ++count_;
    sum_ += seconds;
}

double Histogram::quantile(double q) const
{
    if (count_ == 0)
        return 0.0;
    const auto wanted = q * static_cast<double>(count_);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        below += counts_[i];
        if (static_cast<double>(below) >= wanted)
            return bounds_[i];
    }
    return bounds_.back();
}

} // namespace picam
