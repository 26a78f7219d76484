#include "core/controls/zoom.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace picam {
namespace {

constexpr double kNear = 1e-12;

std::vector<Transform> allTransforms()
{
    std::vector<Transform> all;
    for (const auto rotation : {Rotation::k0, Rotation::k90, Rotation::k180, Rotation::k270})
        for (const bool hflip : {false, true})
            for (const bool vflip : {false, true})
                all.push_back({rotation, hflip, vflip});
    return all;
}

// What Transform says of itself: flip first, then rotate clockwise.
Place flippedThenRotated(const Transform &transform, Place place)
{
    if (transform.hflip)
        place.x = 1.0 - place.x;
    if (transform.vflip)
        place.y = 1.0 - place.y;
    for (unsigned turned = 0; turned < static_cast<unsigned>(transform.rotation); turned += 90)
        place = {1.0 - place.y, place.x}; // the top edge becomes the right one
    return place;
}

TEST(BeforeTransform, IsTheWayBackFromEachOrientation)
{
    for (const Transform &transform : allTransforms())
        for (const Place place :
             {Place{0.0, 0.0}, Place{1.0, 0.0}, Place{0.3, 0.6}, Place{0.5, 0.5}, Place{1.0, 1.0}}) {
            const Place seen = flippedThenRotated(transform, place);
            const Place back = beforeTransform(transform, seen);
            EXPECT_NEAR(back.x, place.x, kNear);
            EXPECT_NEAR(back.y, place.y, kNear);
        }
}

TEST(BeforeTransform, IsTheSameForTwoNamesOfOneOrientation)
{
    for (const Transform &transform : allTransforms()) {
        const Place one = beforeTransform(transform, {0.2, 0.9});
        const Place other = beforeTransform(transform.normalized(), {0.2, 0.9});
        EXPECT_NEAR(one.x, other.x, kNear);
        EXPECT_NEAR(one.y, other.y, kNear);
    }
}

TEST(ZoomCrop, StaysWithinThePicture)
{
    for (const double factor : {1.0, 1.0001, 1.5, 3.0, 8.0, 1e6})
        for (const double x : {-1e9, -0.1, 0.0, 0.001, 0.5, 0.999, 1.0, 7.0})
            for (const double y : {0.0, 0.5, 1.0, 1e300}) {
                const Crop crop = zoomCrop(factor, {x, y});
                EXPECT_GE(crop.left, 0.0);
                EXPECT_GE(crop.top, 0.0);
                EXPECT_LE(crop.left + crop.side, 1.0 + kNear);
                EXPECT_LE(crop.top + crop.side, 1.0 + kNear);
                EXPECT_NEAR(crop.side * factor, 1.0, kNear);
            }
}

TEST(ZoomCrop, NoZoomIsTheWholePicture)
{
    for (const double factor : {1.0, 0.5, 0.0, -3.0, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_EQ(zoomCrop(factor, {0.9, 0.1}), Crop{}) << factor;
}

TEST(ZoomCrop, ShowsItsCentreInTheMiddle)
{
    const Crop crop = zoomCrop(4.0, {0.4, 0.7});
    EXPECT_NEAR(crop.left + crop.side / 2, 0.4, kNear);
    EXPECT_NEAR(crop.top + crop.side / 2, 0.7, kNear);
}

TEST(SensorCrop, NeverLeavesTheSensorAndKeepsTheShapeOfTheOutput)
{
    for (const SensorRect &full :
         {SensorRect{0, 0, 4056, 3040}, SensorRect{16, 24, 3280, 2464}, SensorRect{0, 0, 640, 480}})
        for (const Size output : {Size{1920, 1080}, Size{640, 480}, Size{480, 640}, Size{1000, 16}, Size{16, 1000}})
            for (const double factor : {1.0, 1.3, 3.7, 8.0})
                for (const Place centre : {Place{0.5, 0.5}, Place{0, 0}, Place{1, 1}, Place{0, 1}, Place{-9, 1e9}}) {
                    const SensorRect crop = sensorCrop(full, output, zoomCrop(factor, centre));
                    EXPECT_GE(crop.x, full.x);
                    EXPECT_GE(crop.y, full.y);
                    EXPECT_LE(crop.x + crop.width, full.x + full.width);
                    EXPECT_LE(crop.y + crop.height, full.y + full.height);
                    // To the pixel that rounding takes of each side.
                    const double shape = static_cast<double>(output.width) / output.height;
                    EXPECT_LE(static_cast<double>(crop.width), static_cast<double>(crop.height + 1) * shape + kNear);
                    EXPECT_GE(static_cast<double>(crop.width + 1), static_cast<double>(crop.height) * shape - kNear);
                }
}

TEST(SensorCrop, WithoutZoomOneSideIsTheSensors)
{
    const SensorRect wide = sensorCrop({0, 0, 4000, 3000}, {1600, 900}, Crop{});
    EXPECT_EQ(wide.width, 4000);
    EXPECT_EQ(wide.height, 2250);
    EXPECT_EQ(wide.x, 0);
    EXPECT_EQ(wide.y, 375);
    const SensorRect upright = sensorCrop({10, 20, 4000, 3000}, {900, 1600}, Crop{});
    EXPECT_EQ(upright.height, 3000);
    EXPECT_EQ(upright.y, 20);
    EXPECT_EQ(upright.x, 10 + (4000 - upright.width) / 2);
}

ControlInfos zoomControls()
{
    return {{"Zoom", ControlType::kNumber, ControlGroup::kZoom, false, 1, 8, 0.01, 1.0, {}, 0},
            {"ZoomCentre",
             ControlType::kNumbers,
             ControlGroup::kZoom,
             true,
             0,
             1,
             0.001,
             std::vector<double>{0.5, 0.5},
             {},
             2}};
}

TEST(WantedCrop, ShowsThePlaceThatPeoplePointAtInEachOrientation)
{
    const ControlValues wanted{{"Zoom", 4.0}, {"ZoomCentre", std::vector<double>{0.3, 0.8}}};
    for (const Transform &transform : allTransforms()) {
        const Crop crop = wantedCrop(zoomControls(), wanted, transform);
        const Place seen = flippedThenRotated(transform, {crop.left + crop.side / 2, crop.top + crop.side / 2});
        EXPECT_NEAR(seen.x, 0.3, kNear);
        EXPECT_NEAR(seen.y, 0.8, kNear);
    }
}

TEST(WantedCrop, WhatIsNotAllowedDoesNotCount)
{
    const ControlInfos infos = zoomControls();
    EXPECT_EQ(wantedCrop(infos, {}, {}), Crop{});
    EXPECT_EQ(wantedCrop({}, {{"Zoom", 4.0}}, {}), Crop{}) << "a camera without the control";
    EXPECT_EQ(wantedCrop(infos, {{"Zoom", 9.0}}, {}), Crop{});
    EXPECT_EQ(wantedCrop(infos, {{"Zoom", std::string("4")}}, {}), Crop{});
    EXPECT_EQ(wantedCrop(infos, {{"Zoom", std::int64_t{2}}}, {}), zoomCrop(2.0, {}));
    EXPECT_EQ(wantedCrop(infos, {{"Zoom", 2.0}, {"ZoomCentre", std::vector<double>{0.1}}}, {}), zoomCrop(2.0, {}));
}

} // namespace
} // namespace picam
