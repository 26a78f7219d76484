#include "core/camera/pattern_controls.h"

#include "core/base/thread_annotations.h"
#include "core/camera/pattern_source.h"
#include "core/controls/control_value.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <gtest/gtest.h>

namespace picam {
namespace {

using namespace std::chrono_literals;
using Numbers = std::vector<double>;

ControlValue text(const char *value)
{
    return std::string(value);
}

ControlsRequest wanting(ControlValues values, std::uint32_t generation = 1)
{
    ControlsRequest request;
    request.generation = generation;
    request.cameras[PatternControls::kId].values = std::move(values);
    return request;
}

constexpr Size kSize{320, 240};

class PatternControlsTest : public ::testing::Test {
protected:
    PatternControlsTest() : rows(card.pictureRows())
    {
        plain = card.still();
        card.draw(plain, 1'000'000, 1);
    }
    // What is in force at once: as at the start of a camera.
    PatternEffects effectsOf(const ControlValues &values, const Transform &transform = {})
    {
        controls.start(wanting(values), transform);
        return controls.next(metadata);
    }
    CardPixels drawn(const ControlValues &values, const Transform &transform = {})
    {
        CardPixels pixels = plain;
        drawEffects(plain, effectsOf(values, transform), rows, pixels);
        return pixels;
    }
    double mean(const std::vector<std::uint8_t> &plane) const
    {
        const std::size_t end = plane.size() / kSize.height * rows;
        double sum = 0;
        for (std::size_t i = 0; i < end; ++i)
            sum += plane[i];
        return sum / static_cast<double>(end);
    }
    // How far a plane's values are from the middle.
    double spread(const std::vector<std::uint8_t> &plane) const
    {
        const std::size_t end = plane.size() / kSize.height * rows;
        double sum = 0;
        for (std::size_t i = 0; i < end; ++i)
            sum += std::abs(plane[i] - 128);
        return sum / static_cast<double>(end);
    }
    // How much neighbours differ.
    double sharpness(const CardPixels &pixels) const
    {
        double sum = 0;
        for (std::size_t y = 0; y < rows; ++y)
            for (std::size_t x = 1; x < kSize.width; ++x)
                sum += std::abs(pixels.y[y * kSize.width + x] - pixels.y[y * kSize.width + x - 1]) > 20 ? 1 : 0;
        return sum;
    }

    const PatternCard card{kSize};
    const std::uint32_t rows;
    CardPixels plain;
    PatternControls controls;
    CaptureMetadata metadata;
};

TEST_F(PatternControlsTest, EachTypeIsThereAndEachDefaultIsAllowed)
{
    std::set<ControlType> types;
    for (const ControlInfo &info : PatternControls::infos()) {
        types.insert(info.type);
        ASSERT_TRUE(info.default_value) << info.name;
        EXPECT_EQ(checkControl(info, *info.default_value).value(), *info.default_value) << info.name;
    }
    EXPECT_EQ(types.size(), 5U);
}

TEST_F(PatternControlsTest, DefaultsLeaveThePictureAsItIs)
{
    ControlValues defaults;
    for (const ControlInfo &info : PatternControls::infos())
        defaults[info.name] = *info.default_value;
    for (const ControlValues &values : {ControlValues{}, defaults}) {
        EXPECT_EQ(effectsOf(values), PatternEffects{});
        const CardPixels pixels = drawn(values);
        EXPECT_TRUE(pixels.y == plain.y && pixels.u == plain.u && pixels.v == plain.v);
    }
}

TEST_F(PatternControlsTest, BrightnessAndContrastActOnTheLuma)
{
    EXPECT_GT(mean(drawn({{"Brightness", 0.3}}).y), mean(plain.y) + 20);
    EXPECT_LT(mean(drawn({{"Brightness", -0.3}}).y), mean(plain.y) - 20);
    EXPECT_GT(spread(drawn({{"Contrast", 2.0}}).y), spread(plain.y) + 10);
    EXPECT_LT(spread(drawn({{"Contrast", 0.0}}).y), 1.0);
    EXPECT_TRUE(drawn({{"Brightness", 0.3}}).u == plain.u);
}

TEST_F(PatternControlsTest, SaturationActsOnTheChroma)
{
    const CardPixels grey = drawn({{"Saturation", 0.0}});
    EXPECT_LT(spread(grey.u), 1.0);
    EXPECT_LT(spread(grey.v), 1.0);
    EXPECT_TRUE(grey.y == plain.y);
    EXPECT_GT(spread(drawn({{"Saturation", 3.0}}).v), spread(plain.v));
}

TEST_F(PatternControlsTest, WhiteBalanceTintsTowardsTheColourThatIsTurnedUp)
{
    const CardPixels red = drawn({{"AwbEnable", false}, {"ColourGains", Numbers{4.0, 1.5}}});
    EXPECT_GT(mean(red.v), mean(plain.v) + 5);
    const CardPixels blue = drawn({{"AwbEnable", false}, {"ColourGains", Numbers{1.5, 4.0}}});
    EXPECT_GT(mean(blue.u), mean(plain.u) + 5);
    EXPECT_EQ(effectsOf({{"ColourGains", Numbers{4.0, 1.5}}}), PatternEffects{}) << "it is locked";
    EXPECT_NE(effectsOf({{"AwbMode", text("Tungsten")}}), effectsOf({{"AwbMode", text("Daylight")}}));
    EXPECT_EQ(effectsOf({{"AwbEnable", false}, {"AwbMode", text("Daylight")}}), PatternEffects{}) << "it is locked";
}

TEST_F(PatternControlsTest, ExposureAndGainMakeLightTogether)
{
    const ControlValues by_hand{{"ExposureTimeMode", text("Manual")}, {"AnalogueGainMode", text("Manual")}};
    const auto with = [&by_hand](ControlValues values) {
        values.insert(by_hand.begin(), by_hand.end());
        return values;
    };
    EXPECT_EQ(effectsOf(with({})), PatternEffects{});
    EXPECT_DOUBLE_EQ(effectsOf(with({{"ExposureTime", std::int64_t{10000}}})).light, 0.5);
    EXPECT_DOUBLE_EQ(effectsOf(with({{"AnalogueGain", 4.0}})).light, 4.0);
    EXPECT_DOUBLE_EQ(effectsOf(with({{"AnalogueGain", 4.0}, {"ExposureTime", std::int64_t{5000}}})).light, 1.0);
    EXPECT_DOUBLE_EQ(effectsOf(with({{"ExposureValue", 2.0}})).light, 1.0) << "there is no automatism";
    EXPECT_DOUBLE_EQ(effectsOf({{"ExposureValue", -1.0}}).light, 0.5);
    EXPECT_LT(mean(drawn(with({{"ExposureTime", std::int64_t{5000}}})).y), mean(plain.y) / 2);
    // The automatism makes up with the one for what the other is given.
    EXPECT_DOUBLE_EQ(effectsOf({{"AnalogueGainMode", text("Manual")}, {"AnalogueGain", 4.0}}).light, 1.0);
}

TEST_F(PatternControlsTest, TheFocusBlursAwayFromWhereTheCardIs)
{
    EXPECT_EQ(effectsOf({{"LensPosition", 9.0}}), PatternEffects{}) << "it is locked";
    const ControlValues near{{"AfMode", text("Manual")}, {"LensPosition", 5.0}};
    EXPECT_LT(sharpness(drawn(near)), sharpness(plain) / 2);
    EXPECT_NEAR(mean(drawn(near).y), mean(plain.y), 2.0);
    EXPECT_EQ(metadata.focus_state, FocusState::kIdle);
    EXPECT_FLOAT_EQ(*metadata.lens_position, 5.0F);
    EXPECT_EQ(effectsOf({{"AfMode", text("Manual")}, {"LensPosition", 1.0}}), PatternEffects{});
}

TEST_F(PatternControlsTest, ABlurIsHarmlessInEverySize)
{
    for (const Size size : {Size{16, 16}, Size{18, 16}, Size{34, 50}, Size{320, 16}}) {
        const PatternCard small(size);
        CardPixels pixels = small.still();
        PatternEffects effects;
        for (const std::uint32_t radius : {1U, 3U, 56U, 100000U}) {
            effects.blur = radius;
            drawEffects(small.still(), effects, small.pictureRows(), pixels);
        }
        effects.crop = zoomCrop(4.0, {1.0, 1.0});
        drawEffects(small.still(), effects, small.pictureRows(), pixels);
        EXPECT_EQ(pixels.y.size(), std::size_t{size.width} * size.height);
    }
}

TEST_F(PatternControlsTest, ZoomShowsThePlaceThatPeoplePointAt)
{
    // The bars are in the upper half: the lower edge of what is shown shows whether it is the left or right one.
    const auto luma = [&](double x, double y) {
        return plain.y[static_cast<std::size_t>(y * (rows - 1)) * kSize.width +
                       static_cast<std::size_t>(x * (kSize.width - 1))];
    };
    const auto middle = [&](const CardPixels &pixels) {
        return pixels.y[std::size_t{rows / 2} * kSize.width + kSize.width / 2];
    };
    // In the middle of the second bar, as it is upright.
    const Place bar{0.1875, 0.2};
    const std::vector<std::pair<Transform, Place>> cases{
        {{}, bar},
        {{Rotation::k0, true, false}, {1 - bar.x, bar.y}},
        {{Rotation::k180, false, false}, {1 - bar.x, 1 - bar.y}},
        {{Rotation::k90, false, false}, {1 - bar.y, bar.x}},
        {{Rotation::k270, false, false}, {bar.y, 1 - bar.x}},
    };
    for (const auto &[transform, seen] : cases) {
        const CardPixels pixels = drawn({{"Zoom", 4.0}, {"ZoomCentre", Numbers{seen.x, seen.y}}}, transform);
        EXPECT_EQ(middle(pixels), luma(bar.x, bar.y));
    }
    EXPECT_EQ(effectsOf({{"ZoomCentre", Numbers{0.1, 0.1}}}), PatternEffects{}) << "without zoom there is no centre";
}

TEST_F(PatternControlsTest, ClockAndStripStayAsTheyAre)
{
    const std::vector<ControlValues> all{{{"Brightness", 1.0}},
                                         {{"Contrast", 0.0}, {"Saturation", 0.0}},
                                         {{"Zoom", 4.0}, {"ZoomCentre", Numbers{1.0, 1.0}}},
                                         {{"AfMode", text("Manual")}, {"LensPosition", 15.0}},
                                         {{"ExposureValue", -4.0}, {"AwbMode", text("Tungsten")}}};
    for (const ControlValues &values : all) {
        const CardPixels pixels = drawn(values);
        EXPECT_TRUE(pixels.y != plain.y || pixels.u != plain.u);
        EXPECT_TRUE(
            std::equal(pixels.y.begin() + rows * kSize.width, pixels.y.end(), plain.y.begin() + rows * kSize.width));
        const auto chroma = rows / 2 * kSize.width / 2;
        EXPECT_TRUE(std::equal(pixels.u.begin() + chroma, pixels.u.end(), plain.u.begin() + chroma));
        EXPECT_TRUE(std::equal(pixels.v.begin() + chroma, pixels.v.end(), plain.v.begin() + chroma));
    }
}

TEST_F(PatternControlsTest, ExposureAndGainAreLateAndTheOthersAreNot)
{
    controls.start(wanting({}, 7), {});
    EXPECT_EQ(controls.next(metadata), PatternEffects{});
    EXPECT_EQ(metadata.controls_generation, 7U);
    controls.set(wanting({{"ExposureTimeMode", text("Manual")},
                          {"AnalogueGainMode", text("Manual")},
                          {"ExposureTime", std::int64_t{10000}},
                          {"AnalogueGain", 8.0},
                          {"Brightness", 0.5}},
                         8));
    for (std::size_t frame = 0; frame < PatternControls::kSensorDelay; ++frame) {
        const PatternEffects effects = controls.next(metadata);
        EXPECT_DOUBLE_EQ(effects.light, 1.0) << frame;
        EXPECT_DOUBLE_EQ(effects.brightness, 0.5) << frame;
        EXPECT_EQ(metadata.controls_generation, 7U) << "or a client would take it for done";
        EXPECT_EQ(metadata.exposure_time, 20000us);
    }
    EXPECT_DOUBLE_EQ(controls.next(metadata).light, 4.0);
    EXPECT_EQ(metadata.controls_generation, 8U);
    EXPECT_EQ(metadata.exposure_time, 10000us);
    EXPECT_FLOAT_EQ(*metadata.analogue_gain, 8.0F);
    controls.set(wanting({}, 9));
    for (std::size_t frame = 0; frame <= PatternControls::kSensorDelay; ++frame)
        static_cast<void>(controls.next(metadata));
    EXPECT_EQ(controls.next(metadata), PatternEffects{});
    EXPECT_EQ(metadata.controls_generation, 9U);
}

TEST_F(PatternControlsTest, ALongExposureMakesFewerFrames)
{
    controls.start(wanting({{"ExposureTimeMode", text("Manual")}, {"ExposureTime", std::int64_t{500000}}}), {});
    EXPECT_DOUBLE_EQ(controls.rateWithin(30.0), 2.0);
    EXPECT_DOUBLE_EQ(controls.rateWithin(1.0), 1.0);
    controls.start(wanting({{"ExposureTime", std::int64_t{500000}}}), {});
    EXPECT_DOUBLE_EQ(controls.rateWithin(30.0), 30.0);
}

TEST_F(PatternControlsTest, ARefusalIsAProblemAndHasNoEffect)
{
    EXPECT_EQ(effectsOf({{"HdrMode", text("SingleExposure")}}), PatternEffects{});
    EXPECT_EQ(controls.problems(), (ControlProblems{{"HdrMode", "the camera refused SingleExposure"}}));
    controls.set(wanting({}));
    EXPECT_EQ(controls.problems(), ControlProblems{});
}

TEST_F(PatternControlsTest, WhatItDoesNotHaveOrAllowIsLeftOut)
{
    EXPECT_EQ(effectsOf({{"Brightness", 7.0},
                         {"Zoom", -1.0},
                         {"ColourGains", text("red")},
                         {"AwbEnable", 3.0},
                         {"LensPosition", 1e300},
                         {"Foo", true}}),
              PatternEffects{});
    ControlsRequest other;
    other.cameras["other"].values = {{"Brightness", 1.0}};
    controls.start(other, {});
    EXPECT_EQ(controls.next(metadata), PatternEffects{});
}

// Shows each frame to `look` until that is content.
class Viewer : public FrameSink {
public:
    void onFrame(std::shared_ptr<Frame> frame) override
    {
        {
            const MutexLock lock(mutex_);
            done_ = done_ || look_(*frame);
        }
        changed_.notify_one();
    }
    void onControlProblems(const ControlProblems &problems) override
    {
        const MutexLock lock(mutex_);
        problems_ = problems;
    }
    void onSourceError(Error /*error*/) override {}

    [[nodiscard]] bool sees(std::function<bool(const Frame &)> look)
    {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        UniqueLock lock(mutex_);
        look_ = std::move(look);
        done_ = false;
        while (!done_ && changed_.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
        }
        return done_;
    }
    [[nodiscard]] ControlProblems problems()
    {
        const MutexLock lock(mutex_);
        return problems_;
    }

private:
    Mutex mutex_;
    std::condition_variable changed_;
    std::function<bool(const Frame &)> look_ PICAM_GUARDED_BY(mutex_) = [](const Frame &) { return false; };
    bool done_ PICAM_GUARDED_BY(mutex_) = false;
    ControlProblems problems_ PICAM_GUARDED_BY(mutex_);
};

TEST(PatternSourceControls, EffectsLeaveNoTraceInAnyBuffer)
{
    const auto source = createPatternSource();
    Viewer viewer;
    SourceRequest request;
    request.size = kSize;
    request.fps = 200;
    request.controls = wanting({}, 1);
    const auto info = source->start(request, viewer);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->id, PatternControls::kId);
    EXPECT_EQ(info->controls, PatternControls::infos());

    // Bars and ramp: what does not move by itself.
    const CardPixels still = PatternCard(kSize).still();
    const std::size_t end = std::size_t{kSize.height / 8 * 5} * kSize.width;
    const auto is_plain = [&](const Frame &frame) {
        return std::equal(still.y.begin(), still.y.begin() + end, frame.plane(0).data) &&
               std::equal(still.u.begin(), still.u.begin() + end / 4, frame.plane(1).data) &&
               std::equal(still.v.begin(), still.v.begin() + end / 4, frame.plane(2).data);
    };
    ASSERT_TRUE(viewer.sees(is_plain));
    std::uint32_t generation = 1;
    const std::vector<ControlValues> all{{{"Brightness", 0.5}},
                                         {{"Saturation", 0.0}},
                                         {{"Zoom", 3.0}, {"ZoomCentre", Numbers{0.9, 0.9}}},
                                         {{"AfMode", text("Manual")}, {"LensPosition", 8.0}},
                                         {{"ExposureValue", 2.0}}};
    for (const ControlValues &values : all) {
        source->setControls(wanting(values, ++generation));
        int frames = 0;
        ASSERT_TRUE(viewer.sees([&](const Frame &frame) {
            if (frame.metadata().controls_generation != generation)
                return false;
            EXPECT_FALSE(is_plain(frame));
            return ++frames == 5; // several buffers
        }));
        source->setControls(wanting({}, ++generation));
        frames = 0;
        ASSERT_TRUE(viewer.sees([&](const Frame &frame) {
            if (frame.metadata().controls_generation != generation)
                return false;
            EXPECT_TRUE(is_plain(frame));
            return ++frames == 10;
        }));
    }
    source->setControls(wanting({{"HdrMode", text("SingleExposure")}}, ++generation));
    EXPECT_EQ(viewer.problems().count("HdrMode"), 1U);
    source->setControls(wanting({}, ++generation));
    EXPECT_TRUE(viewer.problems().empty());
    source->stop();
}

} // namespace
} // namespace picam
