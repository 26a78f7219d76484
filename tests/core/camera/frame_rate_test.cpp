#include "core/camera/frame_rate.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

const MonotonicTime kStart{1h};

TEST(FrameRate, IsUnknownAtFirst)
{
    FrameRate rate;
    EXPECT_EQ(rate.fps(), 0.0);
    rate.add(kStart);
    EXPECT_EQ(rate.fps(), 0.0);
    rate.add(kStart + 33ms);
    EXPECT_EQ(rate.fps(), 0.0) << "one interval may be any";
    for (int i = 2; i <= 20; ++i)
        rate.add(kStart + i * 33ms);
    EXPECT_NEAR(rate.fps(), 30.3, 0.1);
}

TEST(FrameRate, FollowsACameraThatBecomesSlow)
{
    FrameRate rate;
    MonotonicTime now = kStart;
    for (int i = 0; i < 100; ++i)
        rate.add(now += 33ms);
    for (int i = 0; i < 21; ++i)
        rate.add(now += 100ms);
    EXPECT_NEAR(rate.fps(), 10.0, 0.1);
}

TEST(FrameRate, OfASlowCameraIsItsLastInterval)
{
    FrameRate rate;
    rate.add(kStart);
    rate.add(kStart + 5s);
    EXPECT_NEAR(rate.fps(), 0.2, 0.001);
    rate.add(kStart + 15s);
    EXPECT_NEAR(rate.fps(), 0.1, 0.001);
}

} // namespace
} // namespace picam
