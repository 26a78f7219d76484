#include "streamd/status/histogram.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

TEST(Histogram, CountsIntoBuckets)
{
    Histogram histogram({0.01, 0.1, 1.0});
    EXPECT_EQ(histogram.quantile(0.5), 0.0);
    for (const double value : {0.005, 0.01, 0.02, 0.5, 7.0})
        histogram.add(value);
    EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{2, 1, 1, 1}));
    EXPECT_EQ(histogram.count(), 5U);
    EXPECT_NEAR(histogram.sum(), 7.535, 1e-9);
    EXPECT_EQ(histogram.quantile(0.4), 0.01);
    EXPECT_EQ(histogram.quantile(0.5), 0.1);
    EXPECT_EQ(histogram.quantile(1.0), 1.0) << "above the last bound there is no other to name";
}

} // namespace
} // namespace picam
