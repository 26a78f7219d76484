#include "core/camera/convergence.h"

#include <algorithm>
#include <cmath>
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
        if (convergence.update(metadata(frame), std::nullopt, opened + frame * 33ms))
            return frame;
    return 0;
}

TEST(Convergence, TakesSeveralFramesInARow)
{
    EXPECT_EQ(framesUntilConverged([](int) { return report(true, true); }), Convergence::kFramesInARow);
}

TEST(Convergence, OneFrameIsEnoughOfWhoHasJudgedIt)
{
    const auto judged = [](bool converged) {
        CaptureMetadata metadata = report(converged, converged);
        metadata.convergence_judged = true;
        return metadata;
    };
    EXPECT_EQ(framesUntilConverged([&](int) { return judged(true); }), 1);
    EXPECT_EQ(framesUntilConverged([&](int frame) { return judged(frame > 4); }), 5);
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

TEST(Convergence, ACameraOfWhichNothingIsKnownGetsTheLimit)
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

TEST(Convergence, AFocusThatSearchesIsWaitedFor)
{
    EXPECT_EQ(framesUntilConverged([](int frame) {
                  CaptureMetadata metadata = report(true, true);
                  metadata.focus_converged = frame > 12;
                  return metadata;
              }),
              12 + Convergence::kFramesInARow);
}

// The time until a camera without a word has converged, by its pictures' colour at each frame.
template <class Color>
std::chrono::milliseconds timeUntilStill(Color color, std::chrono::milliseconds interval = 33ms)
{
    const MonotonicTime opened{};
    Convergence convergence(opened, 5000ms);
    for (auto passed = interval; passed < 10s; passed += interval) {
        EXPECT_TRUE(convergence.needsColor(report(std::nullopt)));
        if (convergence.update(report(std::nullopt), color(passed), opened + passed))
            return passed;
    }
    return 10s;
}

using Color = MeanColor::Color;

TEST(Convergence, ByPicturesThatStandStill)
{
    const auto steady = [](std::chrono::milliseconds) { return Color{100, 120, 130}; };
    EXPECT_LE(timeUntilStill(steady), 400ms);
    EXPECT_LE(timeUntilStill(steady, 100ms), 600ms) << "at 10 fps";
    const auto noisy = [](std::chrono::milliseconds t) {
        return Color{100.0F + static_cast<float>(t.count() % 3), 120, 130};
    };
    EXPECT_LE(timeUntilStill(noisy), 400ms);
}

TEST(Convergence, AnExposureThatRisesIsWaitedFor)
{
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto rising = [channel](std::chrono::milliseconds t) {
            Color color{20, 120, 130};
            color.at(channel) += 0.08F * static_cast<float>(std::min(t, std::chrono::milliseconds(1000)).count());
            return color;
        };
        const auto seen = timeUntilStill(rising);
        EXPECT_GE(seen, 1200ms) << channel;
        EXPECT_LE(seen, 1500ms) << channel;
    }
    // In steps, as webcams do: still for some frames in between.
    const auto steps = [](std::chrono::milliseconds t) {
        return Color{20.0F + 15.0F * static_cast<float>(std::min(t, std::chrono::milliseconds(1000)).count() / 200),
                     120, 130};
    };
    EXPECT_GE(timeUntilStill(steps), 1200ms);
}

TEST(Convergence, LightThatGoesUpAndDownGetsTheLimit)
{
    const auto waves = [](std::chrono::milliseconds t) {
        return Color{100.0F + 40.0F * std::sin(static_cast<float>(t.count()) / 150.0F), 120, 130};
    };
    EXPECT_NEAR(static_cast<double>(timeUntilStill(waves).count()), 5000, 40);
}

TEST(Convergence, AFrameWithoutAColourCountsForNothing)
{
    int frame = 0;
    const auto some_bad = [&frame](std::chrono::milliseconds) {
        return ++frame % 3 == 0 ? std::nullopt : std::optional(Color{100, 120, 130});
    };
    EXPECT_LE(timeUntilStill(some_bad), 500ms);
    EXPECT_NEAR(
        static_cast<double>(timeUntilStill([](std::chrono::milliseconds) { return std::optional<Color>(); }).count()),
        5000, 40);
}

TEST(Convergence, WhereTheCameraSpeaksItsPicturesAreNotLookedAt)
{
    const Convergence convergence(MonotonicTime{}, 1000ms);
    EXPECT_FALSE(convergence.needsColor(report(false)));
    EXPECT_FALSE(convergence.needsColor(report(true)));
}

} // namespace
} // namespace picam
