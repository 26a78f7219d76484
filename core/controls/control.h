// What a control of a camera is: its name, type and range (ControlInfo), a value of it (ControlValue), and values of
// several (ControlValues). Names and meanings are libcamera's, but for the modes of exposure and gain, which are those
// of libcamera 0.5 with every version, for Zoom and ZoomCentre, and for what V4L2 alone has (v4l2.…). Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picam {

enum class ControlType : std::uint8_t {
    kBool,
    kInteger, // std::int64_t
    kNumber,  // double
    kEnum,    // std::string: one of `values`
    kNumbers, // std::vector<double>: `size` of them, each within the range
};

// Where a page shows it.
enum class ControlGroup : std::uint8_t { kImage, kExposure, kColour, kFocus, kZoom };

using ControlValue = std::variant<bool, std::int64_t, double, std::string, std::vector<double>>;
using ControlValues = std::map<std::string, ControlValue, std::less<>>;

struct ControlInfo {
    std::string name;
    ControlType type = ControlType::kNumber;
    ControlGroup group = ControlGroup::kImage;
    bool expert = false; // few people need it
    double min = 0.0;    // kInteger, kNumber, kNumbers
    double max = 0.0;
    double step = 0.0;                         // between values that make a difference; 0: not known
    std::optional<ControlValue> default_value; // empty: the camera decides
    std::vector<std::string> values;           // kEnum
    std::size_t size = 0;                      // kNumbers

    friend bool operator==(const ControlInfo &, const ControlInfo &) = default;
};

using ControlInfos = std::vector<ControlInfo>; // in the order in which a page shows them

[[nodiscard]] inline const ControlInfo *findControl(const ControlInfos &infos, std::string_view name)
{
    for (const ControlInfo &info : infos)
        if (info.name == name)
            return &info;
    return nullptr;
}

} // namespace picam
