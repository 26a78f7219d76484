// LibcameraControls over the lists of controls that cameras have with libcamera's versions, and over models of what
// these do with a request: in one list the order is not defined, so all orders have to come to the same.
#include "core/camera/libcamera_controls.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <libcamera/version.h>
#include <limits>
#include <memory>
#include <set>

namespace picam {
namespace {

using libcamera::Rectangle;
using libcamera::Span;
using CameraValue = libcamera::ControlValue; // libcamera's
using Described = libcamera::ControlInfo;

constexpr Size kFrames{640, 480};
constexpr Size kStills{1280, 720};
constexpr Rectangle kSensor{16, 8, 3280, 2464};

// A camera's controls by libcamera's names, whichever version this is built with has them.
class ControlMap {
public:
    template <class T>
    ControlMap &add(const char *name, Described info)
    {
        const auto number = static_cast<unsigned int>(1000 + ids_.size());
        using Id = libcamera::Control<T>;
        std::unique_ptr<libcamera::ControlId> id;
        if constexpr (std::is_constructible_v<Id, unsigned int, const char *>)
            id = std::make_unique<Id>(number, name);
        else
            id = std::make_unique<Id>(number, name, "test", typename Id::DirectionFlags{});
        numbers_[number] = id.get();
        infos_.emplace(id.get(), std::move(info));
        ids_.push_back(std::move(id));
        return *this;
    }
    ControlMap &number(const char *name, float min, float max, float standard)
    {
        return add<float>(name, Described(CameraValue(min), CameraValue(max), CameraValue(standard)));
    }
    ControlMap &integer(const char *name, std::int32_t min, std::int32_t max)
    {
        return add<std::int32_t>(name, Described(CameraValue(min), CameraValue(max)));
    }
    ControlMap &choice(const char *name, std::initializer_list<std::int32_t> values)
    {
        std::vector<CameraValue> all(values.begin(), values.end());
        return add<std::int32_t>(name, Described(Span<const CameraValue>(all), all.front()));
    }
    ControlMap &flag(const char *name) { return add<bool>(name, Described(CameraValue(false), CameraValue(true))); }

    [[nodiscard]] libcamera::ControlInfoMap map() const
    {
        auto infos = infos_;
        return {std::move(infos), numbers_};
    }
    [[nodiscard]] const libcamera::ControlId *id(unsigned int number) const { return numbers_.at(number); }

private:
    std::vector<std::unique_ptr<libcamera::ControlId>> ids_;
    libcamera::ControlIdMap numbers_;
    libcamera::ControlInfoMap::Map infos_;
};

// Raspberry Pi's Camera Module 2, from 0.0.3 to 0.4.
void addPi(ControlMap &map)
{
    map.number("Brightness", -1, 1, 0).number("Contrast", 0, 32, 1).number("Saturation", 0, 32, 1);
    map.number("Sharpness", 0, 16, 1).number("ExposureValue", -8, 8, 0);
    map.flag("AeEnable").flag("AwbEnable");
    map.integer("ExposureTime", 75, 11766829).number("AnalogueGain", 1, 10.66F, 1);
    map.choice("AeMeteringMode", {0, 1, 2, 3}).choice("AeConstraintMode", {0, 1, 2, 3});
    map.choice("AeExposureMode", {0, 1, 2, 3}).choice("AwbMode", {0, 1, 2, 3, 4, 5, 6, 7});
    map.add<Span<const float, 2>>("ColourGains", Described(CameraValue(0.0F), CameraValue(32.0F)));
    map.add<Rectangle>("ScalerCrop", Described(CameraValue(Rectangle(16, 8, 64, 64)), CameraValue(kSensor)));
    map.choice("NoiseReductionMode", {0, 1, 2, 3, 4});
    map.add<Span<const std::int64_t, 2>>(
        "FrameDurationLimits", Described(CameraValue(std::int64_t{33333}), CameraValue(std::int64_t{120000})));
}

void addFocus(ControlMap &map)
{
    map.choice("AfMode", {0, 1, 2}).choice("AfRange", {0, 1, 2}).choice("AfSpeed", {0, 1});
    map.choice("AfMetering", {0, 1}).integer("AfTrigger", 0, 1).number("LensPosition", 0, 15, 1);
    map.add<Span<const Rectangle>>("AfWindows",
                                   Described(CameraValue(Rectangle()), CameraValue(Rectangle(0, 0, 65535, 65535))));
}

// From 0.5 on.
void addModes(ControlMap &map)
{
    map.integer("ExposureTimeMode", 0, 1).integer("AnalogueGainMode", 0, 1);
}

// A webcam's, from 0.0.3 to 0.4.
void addWebcam(ControlMap &map)
{
    map.number("Brightness", -1, 1, 0).number("Contrast", 0, 2, 1).number("Saturation", 0, 2, 1);
    map.flag("AeEnable").integer("ExposureTime", 300, 204700).number("AnalogueGain", 1, 8, 1);
}

std::set<std::string> namesOf(const LibcameraControls &controls)
{
    std::set<std::string> names;
    for (const ControlInfo &info : controls.infos())
        names.insert(info.name);
    return names;
}

LibcameraControls controlsOf(const ControlMap &map, std::vector<Size> outputs = {kFrames}, Transform remaining = {})
{
    return {map.map(), std::move(outputs), remaining};
}

std::vector<LibcameraControls::Step> stepsOf(LibcameraControls &controls)
{
    std::vector<LibcameraControls::Step> steps;
    while (auto step = controls.takeStep())
        steps.push_back(*std::move(step));
    return steps;
}

CameraControls kept(ControlValues values)
{
    CameraControls camera;
    camera.values = std::move(values);
    return camera;
}

std::vector<LibcameraControls::Step> want(LibcameraControls &controls, const ControlValues &values,
                                          std::uint32_t generation = 1)
{
    controls.want(generation, values, kept(values));
    return stepsOf(controls);
}

// What a camera makes of requests. The values of one come in any order.
struct Model {
    virtual ~Model() = default;
    virtual void take(const std::string &name, const CameraValue &value) = 0;
    virtual void beginRequest(const std::set<std::string> & /*names*/) {}
    [[nodiscard]] virtual std::string state() const = 0;
};

// In all orders of each request's values, the camera comes to the same state, which is returned.
template <class OneModel>
std::string stateAfter(const ControlMap &map, const std::vector<LibcameraControls::Step> &steps)
{
    std::set<std::string> states;
    for (unsigned order = 0; order < 48; ++order) {
        OneModel model;
        for (const auto &step : steps) {
            auto values = step.values;
            std::set<std::string> names;
            for (const auto &[number, value] : values)
                names.insert(map.id(number)->name());
            std::sort(values.begin(), values.end(),
                      [](const auto &one, const auto &other) { return one.first < other.first; });
            for (unsigned i = 0; i < order; ++i)
                std::next_permutation(values.begin(), values.end(),
                                      [](const auto &one, const auto &other) { return one.first < other.first; });
            model.beginRequest(names);
            for (const auto &[number, value] : values)
                model.take(map.id(number)->name(), value);
        }
        states.insert(model.state());
    }
    EXPECT_EQ(states.size(), 1U);
    return *states.begin();
}

struct PiModel : Model {
    std::int32_t exposure = 0; // 0: automatic
    float gain = 0;
    bool white_balance = true;
    float red = 0, blue = 0;

    void takeGains(const CameraValue &value)
    {
        const auto gains = value.get<Span<const float>>();
        red = gains[0];
        blue = gains[1];
        white_balance = red == 0 || blue == 0;
    }
    [[nodiscard]] std::string state() const override
    {
        return "exposure " + std::to_string(exposure) + ", gain " + std::to_string(static_cast<int>(gain * 10)) +
               (white_balance ? ", automatic"
                              : ", " + std::to_string(static_cast<int>(red * 10)) + " " +
                                    std::to_string(static_cast<int>(blue * 10)));
    }
};

struct OldPi : PiModel {
    void take(const std::string &name, const CameraValue &value) override
    {
        if (name == "ExposureTime")
            exposure = value.get<std::int32_t>();
        else if (name == "AnalogueGain")
            gain = value.get<float>();
        else if (name == "AeEnable") {
            // Frees both; or keeps what was found last, whatever the same list says beside it.
            exposure = value.get<bool>() ? 0 : -1;
            gain = value.get<bool>() ? 0.0F : -1.0F;
        } else if (name == "AwbEnable") {
            white_balance = value.get<bool>();
            red = blue = 9;
        } else if (name == "ColourGains")
            takeGains(value);
    }
};

struct NewPi : PiModel {
    bool exposure_manual = false, gain_manual = false;
    std::set<std::string> names_;

    // The modes are looked at first.
    void beginRequest(const std::set<std::string> &names) override { names_ = names; }
    void take(const std::string &name, const CameraValue &value) override
    {
        if (name == "ExposureTimeMode")
            exposure_manual = value.get<std::int32_t>() == 1;
        else if (name == "AnalogueGainMode")
            gain_manual = value.get<std::int32_t>() == 1;
        else if (name == "ExposureTime" && names_.contains("ExposureTimeMode"))
            exposure = value.get<std::int32_t>();
        else if (name == "AnalogueGain" && names_.contains("AnalogueGainMode"))
            gain = value.get<float>();
        else if (name == "AwbEnable") {
            white_balance = value.get<bool>();
            red = blue = 9;
        } else if (name == "ColourGains")
            takeGains(value);
    }
    [[nodiscard]] std::string state() const override
    {
        NewPi seen = *this;
        seen.exposure = exposure_manual ? exposure : 0;
        seen.gain = gain_manual ? gain : 0;
        return seen.PiModel::state();
    }
};

struct Webcam : Model {
    bool automatic = true;
    std::int32_t exposure = 0;
    bool refused = false;

    void take(const std::string &name, const CameraValue &value) override
    {
        if (name == "AeEnable")
            automatic = value.get<bool>();
        if (name == "ExposureTime") {
            refused = refused || automatic;
            exposure = value.get<std::int32_t>();
        }
    }
    [[nodiscard]] std::string state() const override
    {
        return refused ? "refused" : automatic ? "automatic" : std::to_string(exposure);
    }
};

TEST(LibcameraControls, WhatCamerasHave)
{
    ControlMap pi;
    addPi(pi);
    const auto names = namesOf(controlsOf(pi));
    for (const char *name : {"Brightness", "Contrast", "Saturation", "Sharpness", "ExposureValue", "ExposureTimeMode",
                             "ExposureTime", "AnalogueGainMode", "AnalogueGain", "AwbEnable", "AwbMode", "ColourGains",
                             "Zoom", "ZoomCentre", "NoiseReductionMode"})
        EXPECT_TRUE(names.contains(name)) << name;
    for (const char *name : {"AeEnable", "ScalerCrop", "FrameDurationLimits", "AfMode", "LensPosition"})
        EXPECT_FALSE(names.contains(name)) << name;

    addFocus(pi);
    const auto with_focus = namesOf(controlsOf(pi));
    for (const char *name : {"AfMode", "AfRange", "AfSpeed", "AfMetering", "AfWindows", "LensPosition"})
        EXPECT_TRUE(with_focus.contains(name)) << name;
    EXPECT_FALSE(with_focus.contains("AfTrigger")) << "a command is no value";

    ControlMap webcam;
    addWebcam(webcam);
    EXPECT_EQ(namesOf(controlsOf(webcam)), (std::set<std::string>{"Brightness", "Contrast", "Saturation",
                                                                  "ExposureTimeMode", "ExposureTime", "AnalogueGain"}));
}

// Versions differ in what they say: defaults are missing, enumerations are ranges.
TEST(LibcameraControls, WhatTheCameraDoesNotSayIsKnown)
{
    ControlMap map;
    addPi(map);
    map.integer("AeFlickerMode", 0, 2).integer("AeFlickerPeriod", 100, 1000000);
    const auto controls = controlsOf(map);
    EXPECT_EQ(findControl(controls.infos(), "AwbEnable")->default_value, ControlValue(true));
    EXPECT_EQ(findControl(controls.infos(), "ExposureTimeMode")->default_value, ControlValue(std::string("Auto")));
    EXPECT_FALSE(findControl(controls.infos(), "ExposureTime")->default_value) << "the camera decides";
    EXPECT_FALSE(findControl(controls.infos(), "ColourGains")->default_value);
    EXPECT_EQ(findControl(controls.infos(), "AeFlickerMode")->values,
              (std::vector<std::string>{"Off", "Manual", "Auto"}));
    // Until 0.0.5 a mode that the tuning does not have ends the process: none is offered.
    constexpr bool kMayAbort =
        LIBCAMERA_VERSION_MAJOR == 0 && LIBCAMERA_VERSION_MINOR == 0 && LIBCAMERA_VERSION_PATCH < 6;
    for (const char *name : {"AeMeteringMode", "AeConstraintMode", "AeExposureMode"})
        EXPECT_EQ(findControl(controls.infos(), name) == nullptr, kMayAbort) << name;
}

TEST(LibcameraControls, TheVirtualCameraHasNone)
{
    ControlMap map;
    map.add<Span<const std::int64_t, 2>>("FrameDurationLimits",
                                         Described(CameraValue(std::int64_t{16666}), CameraValue(std::int64_t{33333})));
    map.choice("FaceDetectMode", {0});
    EXPECT_TRUE(controlsOf(map).infos().empty());
}

TEST(LibcameraControls, TheyComeInTheOrderOfTheGroups)
{
    ControlMap map;
    addPi(map);
    addFocus(map);
    const auto controls = controlsOf(map);
    EXPECT_TRUE(std::is_sorted(controls.infos().begin(), controls.infos().end(),
                               [](const auto &one, const auto &other) { return one.group < other.group; }));
}

TEST(LibcameraControls, WhatMakesNoSenseIsNotOffered)
{
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    ControlMap map;
    map.number("Brightness", -inf, inf, 0).number("Contrast", nan, 2, 1).number("Saturation", 1, 1, 1);
    map.add<std::int32_t>("AnalogueGain", Described(CameraValue(1), CameraValue(8))); // another type than ours
    map.choice("AwbMode", {0}).choice("HdrMode", {77, 78}).choice("AeExposureMode", {0, 3});
    map.integer("ExposureTime", 0, 0);
    const auto controls = controlsOf(map);
    EXPECT_TRUE(controls.infos().empty()) << controls.infos().front().name;
}

TEST(LibcameraControls, CustomModesAndZerosAreNotOffered)
{
    ControlMap map;
    addPi(map);
    const auto controls = controlsOf(map);
    const ControlInfo *white_balance = findControl(controls.infos(), "AwbMode");
    ASSERT_NE(white_balance, nullptr);
    EXPECT_EQ(white_balance->values.size(), 7U);
    EXPECT_EQ(std::count(white_balance->values.begin(), white_balance->values.end(), "Custom"), 0);
    EXPECT_GT(findControl(controls.infos(), "ColourGains")->min, 0.0) << "0 switches white balance on again";
    EXPECT_GT(findControl(controls.infos(), "ExposureTime")->min, 0.0);
    EXPECT_LE(findControl(controls.infos(), "ExposureTime")->max,
              static_cast<double>(LibcameraControls::kMaxExposure.count()));
}

// A value of a foreign type, or a scalar in place of an array, ends the process in libcamera.
TEST(LibcameraControls, EveryValueHasItsControlsType)
{
    for (const bool modes : {false, true})
        for (const bool crops : {false, true}) {
            ControlMap map;
            addPi(map);
            addFocus(map);
            if (modes)
                addModes(map);
            if (crops)
                map.add<Span<const Rectangle>>("ScalerCrops", Described(CameraValue(kSensor), CameraValue(kSensor)));
            auto controls = controlsOf(map, {kFrames, kStills});
            ControlValues values;
            for (const ControlInfo &info : controls.infos()) {
                if (info.type == ControlType::kBool)
                    values[info.name] = false;
                else if (info.type == ControlType::kEnum)
                    values[info.name] = info.values.back();
                else if (info.type == ControlType::kNumbers)
                    values[info.name] = std::vector<double>(info.size, (info.min + std::min(info.max, 1.0)) / 2);
                else if (info.type == ControlType::kInteger)
                    values[info.name] = static_cast<std::int64_t>(info.max);
                else
                    values[info.name] = info.max;
            }
            for (const bool manual : {false, true}) {
                values["AfMode"] = std::string(manual ? "Manual" : "Auto");
                values["ExposureTimeMode"] = values["AnalogueGainMode"] = std::string(manual ? "Manual" : "Auto");
                CameraControls camera = kept(values);
                camera.focus = manual ? 1 : 2;
                controls.want(1, values, camera);
                for (const auto &step : stepsOf(controls))
                    for (const auto &[number, value] : step.values) {
                        const auto &name = map.id(number)->name();
                        EXPECT_EQ(value.type(), map.id(number)->type()) << name;
                        const bool array = name == "ColourGains" || name == "AfWindows" || name == "ScalerCrops";
                        EXPECT_EQ(value.isArray(), array) << name;
                    }
            }
        }
}

const ControlValues kManual{{"ExposureTimeMode", std::string("Manual")},
                            {"ExposureTime", std::int64_t{5000}},
                            {"AnalogueGainMode", std::string("Manual")},
                            {"AnalogueGain", 2.0},
                            {"AwbEnable", false},
                            {"ColourGains", std::vector<double>{1.5, 1.2}}};

template <class OneModel>
void expectExposures(const ControlMap &map)
{
    auto controls = controlsOf(map);
    auto steps = want(controls, kManual);
    EXPECT_EQ(stateAfter<OneModel>(map, steps), "exposure 5000, gain 20, 15 12");

    ControlValues exposure_alone = kManual;
    exposure_alone["AnalogueGainMode"] = std::string("Auto");
    for (auto &step : want(controls, exposure_alone, 2))
        steps.push_back(std::move(step));
    EXPECT_EQ(stateAfter<OneModel>(map, steps), "exposure 5000, gain 0, 15 12");

    for (auto &step : want(controls, {}, 3))
        steps.push_back(std::move(step));
    EXPECT_EQ(stateAfter<OneModel>(map, steps), "exposure 0, gain 0, automatic");

    for (auto &step : want(controls, kManual, 4))
        steps.push_back(std::move(step));
    EXPECT_EQ(stateAfter<OneModel>(map, steps), "exposure 5000, gain 20, 15 12") << "and once more";
}

TEST(LibcameraControls, ExposureGainAndWhiteBalanceByHandUntil04)
{
    ControlMap map;
    addPi(map);
    expectExposures<OldPi>(map);
}

TEST(LibcameraControls, ExposureGainAndWhiteBalanceByHandFrom05)
{
    ControlMap map;
    addPi(map);
    addModes(map);
    expectExposures<NewPi>(map);
}

TEST(LibcameraControls, AWebcamsExposureIsSetWhenItsAutomatismIsOff)
{
    ControlMap map;
    addWebcam(map);
    auto controls = controlsOf(map);
    auto steps = want(controls, {{"ExposureTimeMode", std::string("Manual")}, {"ExposureTime", std::int64_t{5000}}});
    EXPECT_EQ(stateAfter<Webcam>(map, steps), "5000");
    for (auto &step : want(controls, {{"ExposureTime", std::int64_t{7000}}}, 2))
        steps.push_back(std::move(step));
    EXPECT_EQ(stateAfter<Webcam>(map, steps), "automatic");
}

TEST(LibcameraControls, FixedWithoutAValueKeepsWhatWasFound)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    CaptureMetadata metadata;
    metadata.exposure_time = std::chrono::microseconds(12345);
    metadata.analogue_gain = 3.0F;
    controls.complete(metadata);
    const auto steps =
        want(controls, {{"ExposureTimeMode", std::string("Manual")}, {"AnalogueGainMode", std::string("Manual")}});
    EXPECT_EQ(stateAfter<OldPi>(map, steps), "exposure 12345, gain 30, automatic");
}

TEST(LibcameraControls, NothingWantedIsNothingSaid)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    for (const auto &step : want(controls, {}))
        EXPECT_TRUE(step.values.empty());
}

TEST(LibcameraControls, AFocusIsContinuousUnlessSomebodyWantsAnother)
{
    ControlMap map;
    addPi(map);
    addFocus(map);
    auto controls = controlsOf(map);
    const auto steps = want(controls, {});
    ASSERT_FALSE(steps.empty());
    ASSERT_EQ(steps[0].values.size(), 1U);
    EXPECT_EQ(map.id(steps[0].values[0].first)->name(), "AfMode");
    EXPECT_EQ(steps[0].values[0].second.get<std::int32_t>(), 2);

    auto by_hand = controlsOf(map);
    const auto manual = want(by_hand, {{"AfMode", std::string("Manual")}, {"LensPosition", 2.5}});
    ASSERT_EQ(manual.size(), 2U);
    EXPECT_EQ(manual[0].values[0].second.get<std::int32_t>(), 0);
    EXPECT_FLOAT_EQ(manual[1].values[0].second.get<float>(), 2.5F);
}

TEST(LibcameraControls, ItFocusesOnceForEachDemandAndOnlyThen)
{
    ControlMap map;
    addPi(map);
    addFocus(map);
    auto controls = controlsOf(map);
    const auto triggers = [&](std::uint32_t focus, const char *mode) {
        const ControlValues values{{"AfMode", std::string(mode)}};
        CameraControls camera = kept(values);
        camera.focus = focus;
        controls.want(focus, values, camera);
        int count = 0;
        for (const auto &step : stepsOf(controls))
            for (const auto &[number, value] : step.values)
                count += map.id(number)->name() == "AfTrigger" ? 1 : 0;
        return count;
    };
    EXPECT_EQ(triggers(5, "Auto"), 1) << "a camera that was just opened has no focus yet";
    EXPECT_EQ(triggers(5, "Auto"), 0);
    EXPECT_EQ(triggers(6, "Auto"), 1);
    EXPECT_EQ(triggers(6, "Auto"), 0);
    EXPECT_EQ(triggers(7, "Continuous"), 0) << "the camera takes no trigger";
}

Rectangle cropOf(const ControlMap &map, const std::vector<LibcameraControls::Step> &steps, std::size_t output = 0)
{
    for (const auto &step : steps)
        for (const auto &[number, value] : step.values) {
            if (map.id(number)->name() == "ScalerCrop")
                return value.get<Rectangle>();
            if (map.id(number)->name() == "ScalerCrops")
                return value.get<Span<const Rectangle>>()[output];
        }
    return {};
}

TEST(LibcameraControls, ZoomKeepsTheShapeOfItsOutput)
{
    ControlMap map;
    addPi(map);
    for (const Size size : {kFrames, kStills, Size{480, 640}}) {
        auto controls = controlsOf(map, {size});
        const auto crop = cropOf(map, want(controls, {{"Zoom", 2.0}}));
        EXPECT_NEAR(static_cast<double>(crop.width) / crop.height, static_cast<double>(size.width) / size.height, 0.01);
        EXPECT_NEAR(crop.x + static_cast<int>(crop.width) / 2, kSensor.x + static_cast<int>(kSensor.width) / 2, 2);
    }
    map.add<Span<const Rectangle>>("ScalerCrops", Described(CameraValue(kSensor), CameraValue(kSensor)));
    auto both = controlsOf(map, {kFrames, kStills});
    const auto steps = want(both, {{"Zoom", 3.0}});
    for (std::size_t output = 0; output < 2; ++output) {
        const Size size = output == 0 ? kFrames : kStills;
        const auto crop = cropOf(map, steps, output);
        EXPECT_NEAR(static_cast<double>(crop.width) / crop.height, static_cast<double>(size.width) / size.height, 0.01);
    }
}

// Where the camera is told to focus.
std::optional<Rectangle> windowOf(const ControlMap &map, const std::vector<LibcameraControls::Step> &steps)
{
    std::optional<Rectangle> window;
    for (const auto &step : steps)
        for (const auto &[number, value] : step.values)
            if (map.id(number)->name() == "AfWindows")
                window = value.get<Span<const Rectangle>>()[0];
    return window;
}

TEST(LibcameraControls, AWindowToFocusOnGoesWithWhatIsShown)
{
    ControlMap map;
    addPi(map);
    addFocus(map);
    // Turned by 180 degrees, and mirrored: the picture's upper left quarter is the sensor's lower right, or upper
    // right.
    struct Turned {
        Transform transform;
        bool right, low;
    };
    for (const Turned &turned : {Turned{{}, false, false}, Turned{{Rotation::k180, false, false}, true, true},
                                 Turned{{Rotation::k0, true, false}, true, false}}) {
        auto controls = controlsOf(map, {kFrames}, turned.transform);
        ControlValues wanted{{"AfMode", std::string("Auto")},
                             {"AfMetering", std::string("Windows")},
                             {"AfWindows", std::vector<double>{0.0, 0.0, 0.5, 0.5}}};
        const auto whole = windowOf(map, want(controls, wanted));
        ASSERT_TRUE(whole);
        wanted["Zoom"] = 2.0;
        const auto steps = want(controls, wanted, 2);
        const auto crop = cropOf(map, steps);
        const auto window = windowOf(map, steps);
        ASSERT_TRUE(window) << "said anew";
        EXPECT_NEAR(window->x, crop.x + (turned.right ? static_cast<int>(crop.width) / 2 : 0), 2);
        EXPECT_NEAR(window->y, crop.y + (turned.low ? static_cast<int>(crop.height) / 2 : 0), 2);
        EXPECT_NEAR(window->width, whole->width / 2, 2);
        EXPECT_FALSE(windowOf(map, want(controls, wanted, 3))) << "nothing has changed";
        wanted.erase("Zoom");
        EXPECT_EQ(windowOf(map, want(controls, wanted, 4)), whole);
    }
}

TEST(LibcameraControls, FlickerByHandHasAPeriodFromTheBeginning)
{
    ControlMap map;
    addPi(map);
    map.integer("AeFlickerMode", 0, 2).integer("AeFlickerPeriod", 100, 1000000);
    auto controls = controlsOf(map);
    const auto periodOf = [&map](const std::vector<LibcameraControls::Step> &steps) {
        std::int32_t period = 0;
        for (const auto &step : steps)
            for (const auto &[number, value] : step.values)
                if (map.id(number)->name() == "AeFlickerPeriod")
                    period = value.get<std::int32_t>();
        return period;
    };
    EXPECT_EQ(periodOf(want(controls, {{"AeFlickerMode", std::string("Manual")}})), 10000);
    EXPECT_EQ(periodOf(want(controls,
                            {{"AeFlickerMode", std::string("Manual")}, {"AeFlickerPeriod", std::int64_t{8333}}}, 2)),
              8333);
}

TEST(LibcameraControls, ZoomStaysOnTheSensorAndGoesBack)
{
    ControlMap map;
    addPi(map);
    for (const Transform turned :
         {Transform{}, Transform{Rotation::k90, false, false}, Transform{Rotation::k270, true, false}}) {
        auto controls = controlsOf(map, {kFrames}, turned);
        for (const auto &centre : {std::vector<double>{0, 0}, std::vector<double>{1, 1}, std::vector<double>{0, 1}}) {
            const auto crop = cropOf(map, want(controls, {{"Zoom", 8.0}, {"ZoomCentre", centre}}));
            EXPECT_GE(crop.x, kSensor.x);
            EXPECT_GE(crop.y, kSensor.y);
            EXPECT_LE(crop.x + static_cast<int>(crop.width), kSensor.x + static_cast<int>(kSensor.width));
            EXPECT_LE(crop.y + static_cast<int>(crop.height), kSensor.y + static_cast<int>(kSensor.height));
        }
        const auto whole = cropOf(map, want(controls, {}));
        EXPECT_EQ(whole.width, kSensor.width);
    }
}

TEST(LibcameraControls, TheGenerationIsInForceWhenTheSensorHasIt)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    const auto generationOfNextFrame = [&] {
        CaptureMetadata metadata;
        controls.complete(metadata);
        return metadata.controls_generation;
    };
    for (const auto &step : want(controls, {}, 1))
        controls.completed(step);
    EXPECT_EQ(generationOfNextFrame(), 1U) << "nothing was to be told";
    controls.want(2, kManual, kept(kManual));
    const auto steps = stepsOf(controls);
    ASSERT_EQ(steps.size(), 2U);
    controls.completed(steps[0]);
    for (int frame = 0; frame < 10; ++frame)
        EXPECT_EQ(generationOfNextFrame(), 1U);
    controls.completed(steps[1]);
    for (unsigned frame = 0; frame < LibcameraControls::kSensorDelay; ++frame)
        EXPECT_EQ(generationOfNextFrame(), 1U);
    EXPECT_EQ(generationOfNextFrame(), 2U);
}

// Below so many frames a second as values come, each waits for its request: they must not wait for each other.
TEST(LibcameraControls, ValuesThatNoRequestHasTakenAreReplaced)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    for (std::uint32_t generation = 1; generation <= 100; ++generation) {
        const ControlValues values{{"Brightness", generation / 100.0},
                                   {"ExposureTimeMode", std::string(generation % 2 == 0 ? "Auto" : "Manual")},
                                   {"ExposureTime", std::int64_t{5000} + generation}};
        controls.want(generation, values, kept(values));
    }
    // The last one, whole; what was dropped on the way has no default to be told.
    const auto steps = stepsOf(controls);
    ASSERT_LE(steps.size(), 2U);
    EXPECT_EQ(stateAfter<OldPi>(map, steps), "exposure 0, gain 0, automatic");
    EXPECT_EQ(steps.back().generation, 100U);
    bool brightness = false;
    for (const auto &[number, value] : steps.back().values)
        if (map.id(number)->name() == "Brightness")
            brightness = value.get<float>() == 1.0F;
    EXPECT_TRUE(brightness);
}

TEST(LibcameraControls, AResetThatNoRequestHasTakenIsNotForgotten)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    static_cast<void>(want(controls, {{"Brightness", 0.5}}, 1)); // the camera has it
    controls.want(2, {}, {});
    controls.want(3, {{"Contrast", 2.0}}, {});
    std::set<std::string> said;
    for (const auto &step : stepsOf(controls))
        for (const auto &[number, value] : step.values)
            said.insert(map.id(number)->name() + "=" + std::to_string(static_cast<int>(value.get<float>() * 10)));
    EXPECT_EQ(said, (std::set<std::string>{"Brightness=0", "Contrast=20"}));
}

// As when somebody drags a slider and the camera gives five frames a second.
TEST(LibcameraControls, GenerationsComeInForceWhileOthersFollow)
{
    ControlMap map;
    addPi(map);
    auto controls = controlsOf(map);
    std::uint32_t in_force = 0;
    for (std::uint32_t generation = 1; generation <= 20; ++generation) {
        controls.want(generation, {{"Brightness", generation / 100.0}}, {});
        for (const auto &step : stepsOf(controls))
            controls.completed(step);
        CaptureMetadata metadata;
        controls.complete(metadata);
        in_force = metadata.controls_generation;
        EXPECT_EQ(in_force,
                  generation > LibcameraControls::kSensorDelay ? generation - LibcameraControls::kSensorDelay : 0U);
    }
}

TEST(LibcameraControls, ARefusedValueIsAProblemAndHoldsNothingUp)
{
    ControlMap map;
    addWebcam(map);
    auto controls = controlsOf(map);
    controls.want(1, {{"Brightness", 0.5}}, {});
    auto steps = stepsOf(controls);
    controls.refused(steps.back());
    EXPECT_EQ(controls.refusedNames(), (std::vector<std::string>{"Brightness"}));
    CaptureMetadata metadata;
    controls.complete(metadata);
    EXPECT_EQ(metadata.controls_generation, 1U);
    // Not tried again by itself; another value is.
    controls.want(2, {{"Brightness", 0.5}, {"Contrast", 1.5}}, {});
    steps = stepsOf(controls);
    EXPECT_EQ(steps.back().names, (std::vector<std::string>{"Contrast"}));
    controls.completed(steps.back());
    EXPECT_EQ(controls.refusedNames().size(), 1U);
    controls.want(3, {{"Brightness", 0.25}}, {});
    for (const auto &step : stepsOf(controls))
        controls.completed(step);
    EXPECT_TRUE(controls.refusedNames().empty());
}

TEST(LibcameraControls, OfSeveralThatAreRefusedEachIsSaidAlone)
{
    ControlMap map;
    addWebcam(map);
    auto controls = controlsOf(map);
    controls.want(1, {{"Brightness", 0.5}, {"Contrast", 1.5}}, {});
    auto steps = stepsOf(controls);
    ASSERT_EQ(steps.back().names.size(), 2U);
    controls.refused(steps.back());
    EXPECT_TRUE(controls.refusedNames().empty());
    steps = stepsOf(controls);
    ASSERT_EQ(steps.size(), 2U);
    EXPECT_EQ(steps[0].names, (std::vector<std::string>{"Brightness"}));
    EXPECT_EQ(steps[0].generation, std::nullopt);
    controls.completed(steps[0]);
    controls.refused(steps[1]);
    EXPECT_EQ(controls.refusedNames(), (std::vector<std::string>{"Contrast"}));
    CaptureMetadata metadata;
    for (unsigned frame = 0; frame <= LibcameraControls::kSensorDelay; ++frame)
        controls.complete(metadata);
    EXPECT_EQ(metadata.controls_generation, 1U);
}

TEST(LibcameraControls, WhatIsRefusedIsNotSaidAgainOverALaterValue)
{
    ControlMap map;
    addWebcam(map);
    auto controls = controlsOf(map);
    controls.want(1, {{"Brightness", 0.5}, {"Contrast", 1.5}}, {});
    const auto first = stepsOf(controls);
    controls.want(2, {{"Brightness", 0.25}, {"Contrast", 1.5}}, {});
    const auto second = stepsOf(controls);
    controls.refused(first.back()); // the second is under way
    controls.completed(second.back());
    const auto again = stepsOf(controls);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].names, (std::vector<std::string>{"Contrast"}));
    controls.completed(again[0]);
    CaptureMetadata metadata;
    for (unsigned frame = 0; frame <= LibcameraControls::kSensorDelay; ++frame)
        controls.complete(metadata);
    EXPECT_EQ(metadata.controls_generation, 2U);
}

TEST(LibcameraControls, ARequestThatIsNeverTakenEndsAsARefusal)
{
    ControlMap map;
    addWebcam(map);
    auto controls = controlsOf(map);
    controls.want(1, {{"Brightness", 0.5}}, {});
    int tries = 0;
    while (auto step = controls.takeStep()) {
        ASSERT_LE(++tries, 100);
        if (!controls.putBack(*std::move(step)))
            break;
    }
    EXPECT_EQ(tries, LibcameraControls::kMaxTries);
    EXPECT_EQ(controls.refusedNames(), (std::vector<std::string>{"Brightness"}));
}

TEST(LibcameraControls, WhatIsSetByHandHasConverged)
{
    ControlMap map;
    addPi(map);
    addFocus(map);
    auto controls = controlsOf(map);
    ControlValues values = kManual;
    values["AfMode"] = std::string("Manual");
    static_cast<void>(want(controls, values));
    CaptureMetadata metadata;
    metadata.exposure_converged = metadata.white_balance_converged = metadata.focus_converged = false;
    controls.complete(metadata);
    EXPECT_TRUE(*metadata.exposure_converged);
    EXPECT_TRUE(*metadata.white_balance_converged);
    EXPECT_TRUE(*metadata.focus_converged);
    EXPECT_EQ(controls.manualExposure(), std::chrono::microseconds(5000));
}

} // namespace
} // namespace picam
