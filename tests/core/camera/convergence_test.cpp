#include "core/camera/convergence.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

CaptureMetadata report(std::optional<bool> exposure, std::optional<bool> white_balance = std::nullopt,
                       std::array<float, 2> gains = {})
{
    CaptureMetadata metadata;
    metadata.exposure_converged = exposure;
    metadata.white_balance_converged = white_balance;
    metadata.color_gains = gains;
    return metadata;
}

// The number of frames, 33 ms apart, until the camera has converged.
template <class Report>
int framesUntilConverged(Report metadata)
{
    const MonotonicTime opened{};
    Convergence convergence(opened, 1000ms);
    for (int frame = 1; frame < 100; ++frame)
        if (convergence.update(metadata(frame), opened + frame * 33ms))
            return frame;
    return 0;
}

TEST(Convergence, TakesSeveralFramesInARow)
{
    EXPECT_EQ(framesUntilConverged([](int) { return report(true, true); }), Convergence::kFramesInARow);
}

TEST(Convergence, WaitsForConvergence)
{
    EXPECT_EQ(framesUntilConverged([](int frame) { return report(frame > 10, true); }),
              10 + Convergence::kFramesInARow);
    EXPECT_EQ(framesUntilConverged([](int frame) { return report(true, frame > 7); }), 7 + Convergence::kFramesInARow);
}

TEST(Convergence, AnInterruptionStartsTheCountAnew)
{
    EXPECT_EQ(framesUntilConverged([](int frame) { return report(frame != 2, true); }), 2 + Convergence::kFramesInARow);
}

TEST(Convergence, ACameraThatSaysNothingGetsTheLimit)
{
    EXPECT_EQ(framesUntilConverged([](int) { return report(std::nullopt); }), 31); // 31 * 33 ms > 1 s
    EXPECT_EQ(framesUntilConverged([](int) { return report(false, true); }), 31);
}

TEST(Convergence, WithoutAWordOnWhiteBalanceItsGainsMustStandStill)
{
    const int frames = framesUntilConverged([](int frame) {
        return report(true, std::nullopt, {frame < 10 ? 1.0F + 0.1F * static_cast<float>(frame) : 2.0F, 1.5F});
    });
    EXPECT_EQ(frames, 10 + Convergence::kFramesInARow);
}

} // namespace
} // namespace picam
