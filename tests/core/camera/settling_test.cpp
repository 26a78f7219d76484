#include "core/camera/settling.h"

#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

CaptureMetadata report(std::optional<bool> exposure, std::optional<bool> white_balance = std::nullopt,
                       std::array<float, 2> gains = {})
{
    CaptureMetadata metadata;
    metadata.exposure_settled = exposure;
    metadata.white_balance_settled = white_balance;
    metadata.color_gains = gains;
    return metadata;
}

// The number of frames, 33 ms apart, until the camera has settled.
template <class Report>
int framesUntilSettled(Report metadata)
{
    const MonotonicTime opened{};
    Settling settling(opened, 1000ms);
    for (int frame = 1; frame < 100; ++frame)
        if (settling.settled(metadata(frame), opened + frame * 33ms))
            return frame;
    return 0;
}

TEST(Settling, TakesSeveralFramesInARow)
{
    EXPECT_EQ(framesUntilSettled([](int) { return report(true, true); }), Settling::kFramesInARow);
}

TEST(Settling, WaitsForConvergence)
{
    EXPECT_EQ(framesUntilSettled([](int frame) { return report(frame > 10, true); }), 10 + Settling::kFramesInARow);
    EXPECT_EQ(framesUntilSettled([](int frame) { return report(true, frame > 7); }), 7 + Settling::kFramesInARow);
}

TEST(Settling, AnInterruptionStartsTheCountAnew)
{
    EXPECT_EQ(framesUntilSettled([](int frame) { return report(frame != 2, true); }), 2 + Settling::kFramesInARow);
}

TEST(Settling, ACameraThatSaysNothingGetsTheLimit)
{
    EXPECT_EQ(framesUntilSettled([](int) { return report(std::nullopt); }), 31); // 31 * 33 ms > 1 s
    EXPECT_EQ(framesUntilSettled([](int) { return report(false, true); }), 31);
}

TEST(Settling, WithoutAWordOnWhiteBalanceItsGainsMustStandStill)
{
    const int frames = framesUntilSettled([](int frame) {
        return report(true, std::nullopt, {frame < 10 ? 1.0F + 0.1F * static_cast<float>(frame) : 2.0F, 1.5F});
    });
    EXPECT_EQ(frames, 10 + Settling::kFramesInARow);
}

} // namespace
} // namespace picam
