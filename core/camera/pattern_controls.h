// The controls of the test pattern: one of every type, with effects that people and tests see in its picture, as a
// camera's have: some late, one that is always refused. PatternControls turns what is wanted into the effects of each
// frame; drawEffects() draws them. One thread at a time.
#pragma once

#include "core/camera/pattern_card.h"
#include "core/camera/source.h"
#include "core/controls/zoom.h"

#include <array>
#include <cstdint>
#include <deque>

namespace picam {

struct PatternEffects {
    double light = 1.0; // exposure time and gain: times as much as is right
    double brightness = 0.0;
    double contrast = 1.0;
    double saturation = 1.0;
    std::array<double, 2> tint{0.0, 0.0}; // of blue and red difference, -1 to 1
    std::uint32_t blur = 0;               // pixels to each side
    Crop crop;

    friend bool operator==(const PatternEffects &, const PatternEffects &) = default;
};

class PatternControls {
public:
    // As a sensor has it: exposure time and gain are in force so many frames after the others.
    static constexpr std::size_t kSensorDelay = 2;
    static constexpr const char *kId = "pattern";

    [[nodiscard]] static const ControlInfos &infos();

    // `transform`: what is left to do to the frames. What is wanted so far is in force at once: for start().
    void start(const ControlsRequest &wanted, const Transform &transform);
    void set(const ControlsRequest &wanted);
    // What cannot be: refused values.
    [[nodiscard]] ControlProblems problems() const;

    // Of the next frame. `metadata` gets what a camera would report.
    [[nodiscard]] PatternEffects next(CaptureMetadata &metadata);
    // Frames per second that the exposure lets be, where it is set by hand, and `fps` at most.
    [[nodiscard]] double rateWithin(double fps) const;

private:
    struct Wanted {
        std::uint32_t generation = 0;
        ControlValues values;
    };
    [[nodiscard]] double light(const ControlValues &values) const;

    Transform transform_;
    Wanted now_;
    std::deque<Wanted> sensor_; // newest last: the exposures of the last kSensorDelay frames
};

// `from`, with effects in its rows above `rows`, which is even, into `to`; both of one size.
void drawEffects(const CardPixels &from, const PatternEffects &effects, std::uint32_t rows, CardPixels &to);

} // namespace picam
