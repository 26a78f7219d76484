#include "core/camera/pattern_controls.h"

#include "core/controls/control_rules.h"
#include "core/controls/control_value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace picam {
namespace {

constexpr std::int64_t kRightExposure = 20000; // µs: what the automatic exposure finds
constexpr double kRightGain = 1.0;
constexpr double kFocused = 1.0; // dioptres at which the card is sharp
constexpr double kMaxZoom = 4.0;
// What automatic white balance finds.
const std::vector<double> kRightGains{1.5, 1.5};
constexpr int kRightTemperature = 5500;

constexpr const char *kRefusedMode = "SingleExposure";

ControlInfo number(const char *name, ControlGroup group, double min, double max, double step, double standard,
                   bool expert = false)
{
    return {name, ControlType::kNumber, group, expert, min, max, step, standard, {}, 0};
}

ControlInfo choice(const char *name, ControlGroup group, std::vector<std::string> values, const char *standard,
                   bool expert = false)
{
    return {name, ControlType::kEnum, group, expert, 0, 0, 0, std::string(standard), std::move(values), 0};
}

ControlInfos makeInfos()
{
    using enum ControlGroup;
    return {
        number("Brightness", kImage, -1, 1, 0.01, 0),
        number("Contrast", kImage, 0, 4, 0.01, 1),
        number("Saturation", kImage, 0, 4, 0.01, 1),
        choice("HdrMode", kImage, {"Off", kRefusedMode}, "Off", true),
        choice("ExposureTimeMode", kExposure, {"Auto", "Manual"}, "Auto"),
        {"ExposureTime", ControlType::kInteger, kExposure, false, 100, 4e6, 100, kRightExposure, {}, 0},
        choice("AnalogueGainMode", kExposure, {"Auto", "Manual"}, "Auto"),
        number("AnalogueGain", kExposure, 1, 16, 0.01, kRightGain),
        number("ExposureValue", kExposure, -4, 4, 0.1, 0),
        {"AwbEnable", ControlType::kBool, kColour, false, 0, 0, 0, true, {}, 0},
        choice("AwbMode", kColour, {"Auto", "Tungsten", "Daylight"}, "Auto"),
        {"ColourGains", ControlType::kNumbers, kColour, true, 0, 8, 0.01, kRightGains, {}, 2},
        choice("AfMode", kFocus, {"Manual", "Auto", "Continuous"}, "Continuous"),
        number("LensPosition", kFocus, 0, 15, 0.01, kFocused),
        number("Zoom", kZoom, 1, kMaxZoom, 0.01, 1),
        {"ZoomCentre", ControlType::kNumbers, kZoom, true, 0, 1, 0.001, std::vector<double>{0.5, 0.5}, {}, 2},
    };
}

double numberOf(const ControlValues &values, std::string_view name)
{
    const auto value = wantedValue(PatternControls::infos(), values, name);
    return value ? controlNumber(*value).value_or(0.0) : 0.0;
}

bool isSet(const ControlValues &values, std::string_view name, const char *to)
{
    return isWanted(PatternControls::infos(), values, name, std::string(to));
}

double exposureUs(const ControlValues &values)
{
    return isSet(values, "ExposureTimeMode", "Manual") ? numberOf(values, "ExposureTime")
                                                       : static_cast<double>(kRightExposure);
}

double gain(const ControlValues &values)
{
    return isSet(values, "AnalogueGainMode", "Manual") ? numberOf(values, "AnalogueGain") : kRightGain;
}

std::array<double, 2> gains(const ControlValues &values)
{
    std::array<double, 2> result{kRightGains[0], kRightGains[1]};
    if (!isWhiteBalanceManual(PatternControls::infos(), values))
        return result;
    const auto value = wantedValue(PatternControls::infos(), values, "ColourGains");
    const auto *numbers = std::get_if<std::vector<double>>(&*value);
    return {numbers->front(), numbers->back()};
}

double lensPosition(const ControlValues &values)
{
    return isSet(values, "AfMode", "Manual") ? numberOf(values, "LensPosition") : kFocused;
}

std::uint8_t byte(double value)
{
    return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

using Table = std::array<std::uint8_t, 256>;

template <class Map>
Table tableOf(Map map)
{
    Table table{};
    for (std::size_t i = 0; i < table.size(); ++i)
        table.at(i) = byte(map(static_cast<double>(i)));
    return table;
}

// A plane's rows above `rows`, of the crop's part of them, each value by the table.
void drawPlane(const std::vector<std::uint8_t> &from, std::uint32_t width, std::uint32_t rows, const Crop &crop,
               const Table &table, std::vector<std::uint8_t> &to)
{
    const auto place = [&crop](double start, std::uint32_t at, std::uint32_t side) {
        const double there = (start + (at + 0.5) / side * crop.side) * side;
        return std::min(static_cast<std::uint32_t>(there), side - 1);
    };
    std::vector<std::uint32_t> columns(width);
    for (std::uint32_t x = 0; x < width; ++x)
        columns[x] = place(crop.left, x, width);
    for (std::uint32_t y = 0; y < rows; ++y) {
        const std::uint8_t *source = &from[std::size_t{place(crop.top, y, rows)} * width];
        std::uint8_t *target = &to[std::size_t{y} * width];
        for (std::uint32_t x = 0; x < width; ++x)
            target[x] = table[source[columns[x]]];
    }
}

void blurRows(std::vector<std::uint8_t> &plane, std::uint32_t width, std::uint32_t rows, std::uint32_t radius)
{
    std::vector<std::uint8_t> line(width);
    for (std::uint32_t y = 0; y < rows; ++y) {
        std::uint8_t *row = &plane[std::size_t{y} * width];
        std::memcpy(line.data(), row, width);
        std::uint32_t sum = 0;
        std::uint32_t count = 0;
        for (std::uint32_t x = 0; x < width + radius; ++x) {
            if (x < width) {
                sum += line[x];
                ++count;
            }
            if (x > 2 * radius) {
                sum -= line[x - 2 * radius - 1];
                --count;
            }
            if (x >= radius)
                row[x - radius] = static_cast<std::uint8_t>(sum / count);
        }
    }
}

} // namespace

const ControlInfos &PatternControls::infos()
{
    static const ControlInfos all = makeInfos();
    return all;
}

void PatternControls::start(const ControlsRequest &wanted, const Transform &transform)
{
    transform_ = transform;
    sensor_.clear();
    set(wanted);
    sensor_.assign(kSensorDelay + 1, now_);
}

void PatternControls::set(const ControlsRequest &wanted)
{
    now_ = {wanted.generation, wanted.wantedOf(kId)};
}

ControlProblems PatternControls::problems() const
{
    if (isSet(now_.values, "HdrMode", kRefusedMode))
        return {{"HdrMode", std::string("the camera refused ") + kRefusedMode}};
    return {};
}

double PatternControls::rateWithin(double fps) const
{
    const auto exposure = manualExposure(infos(), sensor_.front().values);
    return exposure.count() > 0 ? std::min(fps, 1e6 / static_cast<double>(exposure.count())) : fps;
}

double PatternControls::light(const ControlValues &values) const
{
    // An automatism makes up for what the other one is given.
    if (!isExposureManual(infos(), values))
        return std::exp2(numberOf(values, "ExposureValue"));
    return exposureUs(values) / static_cast<double>(kRightExposure) * gain(values) / kRightGain;
}

PatternEffects PatternControls::next(CaptureMetadata &metadata)
{
    sensor_.push_back(now_);
    while (sensor_.size() > kSensorDelay + 1)
        sensor_.pop_front();
    const Wanted &exposed = sensor_.front();
    const ControlValues &values = now_.values;

    metadata.controls_generation = exposed.generation;
    metadata.exposure_converged = metadata.white_balance_converged = true;
    metadata.exposure_time = std::chrono::microseconds(static_cast<std::int64_t>(exposureUs(exposed.values)));
    metadata.analogue_gain = static_cast<float>(gain(exposed.values));
    metadata.color_temperature = kRightTemperature;
    const auto colour = gains(values);
    metadata.color_gains = {static_cast<float>(colour[0]), static_cast<float>(colour[1])};
    metadata.lens_position = static_cast<float>(lensPosition(values));
    metadata.focus_state = isSet(values, "AfMode", "Manual") ? FocusState::kIdle : FocusState::kFocused;

    PatternEffects effects;
    effects.light = light(exposed.values);
    effects.brightness = numberOf(values, "Brightness");
    effects.contrast = numberOf(values, "Contrast");
    effects.saturation = numberOf(values, "Saturation");
    effects.tint = {(colour[1] - kRightGains[1]) / 8, (colour[0] - kRightGains[0]) / 8};
    constexpr double kPresetTint = 0.1;
    if (!isWhiteBalanceManual(infos(), values) && !isSet(values, "AwbMode", "Auto"))
        effects.tint = isSet(values, "AwbMode", "Tungsten") ? std::array<double, 2>{kPresetTint, -kPresetTint}
                                                            : std::array<double, 2>{-kPresetTint, kPresetTint};
    constexpr double kPixelsOfBlur = 4.0; // for each dioptre
    effects.blur = static_cast<std::uint32_t>(std::lround(std::fabs(lensPosition(values) - kFocused) * kPixelsOfBlur));
    effects.crop = wantedCrop(infos(), values, transform_);
    return effects;
}

void drawEffects(const CardPixels &from, const PatternEffects &effects, std::uint32_t rows, CardPixels &to)
{
    constexpr double kMiddle = 128.0;
    const Table luma = tableOf([&effects](double y) {
        return (((y - kMiddle) * effects.contrast + kMiddle) + effects.brightness * kMiddle) * effects.light;
    });
    const auto chroma = [&effects](double tint) {
        return tableOf(
            [&effects, tint](double c) { return (c - kMiddle) * effects.saturation + kMiddle + tint * kMiddle; });
    };
    const std::uint32_t width = from.size.width;
    drawPlane(from.y, width, rows, effects.crop, luma, to.y);
    drawPlane(from.u, width / 2, rows / 2, effects.crop, chroma(effects.tint[0]), to.u);
    drawPlane(from.v, width / 2, rows / 2, effects.crop, chroma(effects.tint[1]), to.v);
    if (effects.blur > 0)
        blurRows(to.y, width, rows, std::min(effects.blur, width / 4));
}

} // namespace picam
