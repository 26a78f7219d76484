#include "core/image/encoded_frame.h"

#include <algorithm>
#include <cmath>

namespace picam {
namespace {

constexpr double kBaseSensitivity = 100.0; // ISO of a sensor at gain 1, by convention

template <class Number>
std::uint32_t positive(Number number)
{
    constexpr double kMost = 4e9;
    const auto value = static_cast<double>(number);
    return value > 0.0 ? static_cast<std::uint32_t>(std::lround(std::min(value, kMost))) : 0;
}

} // namespace

Exposure exposureOf(const CaptureMetadata &metadata)
{
    Exposure exposure;
    if (metadata.exposure_time)
        exposure.time_us = positive(metadata.exposure_time->count());
    if (metadata.analogue_gain)
        exposure.sensitivity =
            positive(kBaseSensitivity * double{*metadata.analogue_gain} * double{metadata.digital_gain.value_or(1.0F)});
    if (metadata.color_temperature)
        exposure.color_temperature = *metadata.color_temperature;
    return exposure;
}

float gainOf(std::uint32_t sensitivity)
{
    return static_cast<float>(sensitivity / kBaseSensitivity);
}

void describeCapture(EncodedFrame &encoded, const Frame &frame)
{
    encoded.captured = frame.captured();
    encoded.captured_wall = wallTimeOf(frame.captured());
    encoded.exposure = exposureOf(frame.metadata());
    encoded.controls_generation = frame.metadata().controls_generation;
    encoded.converged = frame.converged();
}

} // namespace picam
