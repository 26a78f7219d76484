// From the place in a picture that people point at to the place on the camera's sensor. Places are fractions of width
// and height, from the top left. Pure functions; any thread.
#pragma once

#include "core/controls/control_rules.h"
#include "core/image/geometry.h"

#include <algorithm>
#include <cstdint>

namespace picam {

struct Place {
    double x = 0.5;
    double y = 0.5;
};

// Where a place of the picture that people see was before `transform`.
[[nodiscard]] constexpr Place beforeTransform(const Transform &transform, Place place)
{
    Place before = place;
    switch (transform.rotation) {
    case Rotation::k0:
        break;
    case Rotation::k90:
        before = {place.y, 1.0 - place.x};
        break;
    case Rotation::k180:
        before = {1.0 - place.x, 1.0 - place.y};
        break;
    case Rotation::k270:
        before = {1.0 - place.y, place.x};
        break;
    }
    if (transform.hflip)
        before.x = 1.0 - before.x;
    if (transform.vflip)
        before.y = 1.0 - before.y;
    return before;
}

// A part of the whole, of the same shape: fractions.
struct Crop {
    double left = 0.0;
    double top = 0.0;
    double side = 1.0; // of width and height alike

    friend bool operator==(const Crop &, const Crop &) = default;
};

// What a zoom by `factor`, at least 1, shows around `centre`, as far as the edges let it.
[[nodiscard]] constexpr Crop zoomCrop(double factor, Place centre)
{
    const double side = 1.0 / std::max(1.0, factor);
    const auto start = [side](double middle) { return std::clamp(middle - side / 2, 0.0, 1.0 - side); };
    return {start(centre.x), start(centre.y), side};
}

// What the controls Zoom and ZoomCentre want, before `transform`.
[[nodiscard]] inline Crop wantedCrop(const ControlInfos &infos, const ControlValues &wanted, const Transform &transform)
{
    const auto zoom = wantedValue(infos, wanted, "Zoom");
    const auto centre = wantedValue(infos, wanted, "ZoomCentre");
    Place place;
    if (const auto *numbers = centre ? std::get_if<std::vector<double>>(&*centre) : nullptr;
        numbers != nullptr && numbers->size() == 2)
        place = {numbers->front(), numbers->back()};
    const auto *factor = zoom ? std::get_if<double>(&*zoom) : nullptr;
    return zoomCrop(factor != nullptr ? *factor : 1.0, beforeTransform(transform, place));
}

// A rectangle of whole units: pixels of a sensor.
struct SensorRect {
    std::int64_t x = 0, y = 0;
    std::int64_t width = 0, height = 0;
};

// The part of `full` that `crop` shows in an output of the shape of `output`: never distorted.
[[nodiscard]] constexpr SensorRect sensorCrop(const SensorRect &full, Size output, const Crop &crop)
{
    // As much of the sensor as has the output's shape, in the middle.
    const double shape = static_cast<double>(output.width) / static_cast<double>(std::max(1U, output.height));
    double width = static_cast<double>(full.width);
    double height = static_cast<double>(full.height);
    if (width > height * shape)
        width = height * shape;
    else
        height = width / shape;
    const double left = static_cast<double>(full.x) + (static_cast<double>(full.width) - width) / 2;
    const double top = static_cast<double>(full.y) + (static_cast<double>(full.height) - height) / 2;
    return {static_cast<std::int64_t>(left + crop.left * width), static_cast<std::int64_t>(top + crop.top * height),
            static_cast<std::int64_t>(crop.side * width), static_cast<std::int64_t>(crop.side * height)};
}

} // namespace picam
