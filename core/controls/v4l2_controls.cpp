#include "core/controls/v4l2_controls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <limits>
#include <linux/videodev2.h>
#include <utility>

namespace picam {
namespace {

constexpr std::int64_t kMenuItems = 64; // far more than any webcam has

struct Known {
    std::uint32_t id;
    std::string_view name;
    ControlGroup group;
    bool expert;
    std::array<std::string_view, 2> libcamera; // has it under one of these names
};

// In the order in which a page shows them.
constexpr auto kKnown = std::to_array<Known>({
    {V4L2_CID_BRIGHTNESS, "v4l2.brightness", ControlGroup::kImage, true, {"Brightness"}},
    {V4L2_CID_CONTRAST, "v4l2.contrast", ControlGroup::kImage, true, {"Contrast"}},
    {V4L2_CID_SATURATION, "v4l2.saturation", ControlGroup::kImage, true, {"Saturation"}},
    {V4L2_CID_SHARPNESS, "v4l2.sharpness", ControlGroup::kImage, true, {"Sharpness"}},
    {V4L2_CID_GAMMA, "v4l2.gamma", ControlGroup::kImage, true, {"Gamma"}},
    {V4L2_CID_POWER_LINE_FREQUENCY, "v4l2.power_line_frequency", ControlGroup::kExposure, false, {}},
    {V4L2_CID_EXPOSURE_AUTO, "v4l2.auto_exposure", ControlGroup::kExposure, true, {"AeEnable", "ExposureTimeMode"}},
    {V4L2_CID_EXPOSURE_ABSOLUTE, "v4l2.exposure_time_absolute", ControlGroup::kExposure, true, {"ExposureTime"}},
    {V4L2_CID_GAIN, "v4l2.gain", ControlGroup::kExposure, true, {"AnalogueGain"}},
    {V4L2_CID_EXPOSURE_AUTO_PRIORITY, "v4l2.exposure_dynamic_framerate", ControlGroup::kExposure, true, {}},
    {V4L2_CID_BACKLIGHT_COMPENSATION, "v4l2.backlight_compensation", ControlGroup::kExposure, true, {}},
    {V4L2_CID_AUTO_WHITE_BALANCE, "v4l2.white_balance_automatic", ControlGroup::kColour, false, {"AwbEnable"}},
    {V4L2_CID_WHITE_BALANCE_TEMPERATURE,
     "v4l2.white_balance_temperature",
     ControlGroup::kColour,
     false,
     {"ColourTemperature"}},
    {V4L2_CID_HUE, "v4l2.hue", ControlGroup::kColour, true, {"Hue"}},
    {V4L2_CID_FOCUS_AUTO, "v4l2.focus_automatic_continuous", ControlGroup::kFocus, false, {"AfMode"}},
    {V4L2_CID_FOCUS_ABSOLUTE, "v4l2.focus_absolute", ControlGroup::kFocus, false, {"LensPosition"}},
    {V4L2_CID_ZOOM_ABSOLUTE, "v4l2.zoom_absolute", ControlGroup::kZoom, false, {}},
    {V4L2_CID_PAN_ABSOLUTE, "v4l2.pan_absolute", ControlGroup::kZoom, true, {}},
    {V4L2_CID_TILT_ABSOLUTE, "v4l2.tilt_absolute", ControlGroup::kZoom, true, {}},
});

// Of both generations of the question.
struct Description {
    std::uint32_t type = 0;
    std::uint32_t flags = 0;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::int64_t step = 0;
    std::int64_t default_value = 0;
};

std::optional<Description> describe(V4l2Device &device, std::uint32_t id)
{
    v4l2_query_ext_ctrl extended{};
    extended.id = id;
    if (device.ioctl(VIDIOC_QUERY_EXT_CTRL, &extended) == 0) {
        if (extended.nr_of_dims != 0 || (extended.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD) != 0)
            return std::nullopt;
        constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
        return Description{extended.type,
                           extended.flags,
                           extended.minimum,
                           extended.maximum,
                           static_cast<std::int64_t>(std::min<std::uint64_t>(extended.step, kMost)),
                           extended.default_value};
    }
    if (errno != ENOTTY)
        return std::nullopt;
    v4l2_queryctrl plain{};
    plain.id = id;
    if (device.ioctl(VIDIOC_QUERYCTRL, &plain) != 0)
        return std::nullopt;
    return Description{plain.type, plain.flags, plain.minimum, plain.maximum, plain.step, plain.default_value};
}

// Where the driver knows the new call, which uvcvideo answers with better errors, by that.
int setRaw(V4l2Device &device, std::uint32_t id, std::int32_t number)
{
    v4l2_ext_control one{};
    one.id = id;
    one.value = number;
    v4l2_ext_controls all{};
    all.count = 1;
    all.controls = &one;
    if (device.ioctl(VIDIOC_S_EXT_CTRLS, &all) == 0)
        return 0;
    if (errno != ENOTTY)
        return errno;
    v4l2_control plain{};
    plain.id = id;
    plain.value = number;
    return device.ioctl(VIDIOC_S_CTRL, &plain) == 0 ? 0 : errno;
}

std::optional<std::int32_t> getRaw(V4l2Device &device, std::uint32_t id)
{
    v4l2_ext_control one{};
    one.id = id;
    v4l2_ext_controls all{};
    all.count = 1;
    all.controls = &one;
    if (device.ioctl(VIDIOC_G_EXT_CTRLS, &all) == 0)
        return std::int32_t{one.value}; // a copy: the struct is packed
    v4l2_control plain{};
    plain.id = id;
    if (errno != ENOTTY || device.ioctl(VIDIOC_G_CTRL, &plain) != 0)
        return std::nullopt;
    return plain.value;
}

tl::unexpected<Error> failToSet(std::string_view value, int error)
{
    switch (error) {
    case EACCES: // uvcvideo's answer while an automatic is on, and to a camera's "wrong state"
    case EILSEQ: // the latter of Debian 12's kernel
        return fail(ErrorKind::kUnsupported, fmt::format("the camera refused {} for the state that it is in", value));
    case EINVAL:
    case ERANGE:
    case EPERM:
        return fail(ErrorKind::kUnsupported, fmt::format("the camera refused {}", value));
    case EBUSY:
        return fail(ErrorKind::kCameraBusy, fmt::format("the camera was too busy for {}", value));
    case ENODEV:
    case ENXIO:
    case ESHUTDOWN:
        return fail(ErrorKind::kCameraFailed, fmt::format("the camera was unplugged before {} was set", value));
    default:
        return failErrno(ErrorKind::kIo, fmt::format("the camera did not take {}", value), error);
    }
}

// A driver passes on what a camera's maker wrote, cut to 32 bytes; a page and JSON get what they can show.
std::string printable(const unsigned char *text, std::size_t size)
{
    std::string result;
    for (std::size_t i = 0; i < size && text[i] != 0; ++i)
        result += text[i] >= 0x20 && text[i] < 0x7f ? static_cast<char>(text[i]) : '?';
    return result;
}

std::string differentFrom(const std::vector<std::string> &others, const std::string &text)
{
    std::string result = text;
    for (int n = 2; std::find(others.begin(), others.end(), result) != others.end(); ++n)
        result = fmt::format("{} ({})", text, n);
    return result;
}

} // namespace

Expected<V4l2Controls> V4l2Controls::open(const std::string &path)
{
    Expected<std::unique_ptr<V4l2Device>> device = openV4l2Device(path);
    if (!device)
        return tl::unexpected<Error>(std::move(device.error()));
    return V4l2Controls(std::move(*device));
}

V4l2Controls::V4l2Controls(std::unique_ptr<V4l2Device> device) : device_(std::move(device)) {}

ControlInfos V4l2Controls::infos(const std::function<bool(std::string_view)> &libcamera_has)
{
    controls_.clear();
    ControlInfos infos;
    for (const Known &known : kKnown) {
        if (std::any_of(known.libcamera.begin(), known.libcamera.end(),
                        [&](std::string_view name) { return !name.empty() && libcamera_has(name); }))
            continue;
        std::unique_ptr<Control> control = query(known.id);
        if (!control)
            continue;
        control->info.name = known.name;
        control->info.group = known.group;
        control->info.expert = known.expert;
        infos.push_back(control->info);
        controls_.push_back(std::move(*control));
    }
    return infos;
}

std::unique_ptr<V4l2Controls::Control> V4l2Controls::query(std::uint32_t id)
{
    constexpr std::uint32_t kUnusable = V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY;
    const std::optional<Description> said = describe(*device_, id);
    if (!said || (said->flags & kUnusable) != 0)
        return nullptr;
    auto found = std::make_unique<Control>();
    Control &control = *found;
    control.id = id;
    ControlInfo &info = control.info;
    switch (said->type) {
    case V4L2_CTRL_TYPE_BOOLEAN:
        info.type = ControlType::kBool;
        info.default_value = said->default_value != 0;
        return found;
    case V4L2_CTRL_TYPE_INTEGER:
        if (said->min >= said->max || said->min < std::numeric_limits<std::int32_t>::min() ||
            said->max > std::numeric_limits<std::int32_t>::max())
            return nullptr;
        info.type = ControlType::kInteger;
        info.min = static_cast<double>(said->min);
        info.max = static_cast<double>(said->max);
        // A step that reaches nothing is a camera's mistake, as none is.
        info.step = said->step < 1 || said->step > said->max - said->min ? 1.0 : static_cast<double>(said->step);
        if (said->default_value >= said->min && said->default_value <= said->max)
            info.default_value = said->default_value;
        return found;
    case V4L2_CTRL_TYPE_MENU:
    case V4L2_CTRL_TYPE_INTEGER_MENU:
        info.type = ControlType::kEnum;
        if (!queryMenu(control, said->min, said->max, said->type == V4L2_CTRL_TYPE_INTEGER_MENU))
            return nullptr;
        for (std::size_t i = 0; i < control.menu.size(); ++i)
            if (control.menu[i] == said->default_value)
                info.default_value = info.values[i];
        return found;
    default:
        return nullptr;
    }
}

// False: there is no choice.
bool V4l2Controls::queryMenu(Control &control, std::int64_t min, std::int64_t max, bool of_integers)
{
    if (min < 0 || max >= kMenuItems)
        return false;
    for (std::int64_t index = min; index <= max; ++index) {
        v4l2_querymenu item{};
        item.id = control.id;
        item.index = static_cast<std::uint32_t>(index);
        if (device_->ioctl(VIDIOC_QUERYMENU, &item) != 0)
            continue; // a camera need not have them all
        std::string text;
        if (of_integers) {
            const std::int64_t value = item.value; // the struct is packed
            text = fmt::format("{}", value);
        } else {
            text = printable(static_cast<const unsigned char *>(item.name), sizeof item.name);
        }
        if (text.empty())
            text = fmt::format("{}", index);
        control.info.values.push_back(differentFrom(control.info.values, text));
        control.menu.push_back(static_cast<std::int32_t>(index));
    }
    return control.menu.size() > 1;
}

Expected<void> V4l2Controls::set(std::string_view name, const ControlValue &value)
{
    const Control *control = find(name);
    if (control == nullptr)
        return fail(ErrorKind::kUnsupported, fmt::format("the camera has no {}", name));
    const ControlInfo &info = control->info;
    std::optional<std::int32_t> number;
    std::string text = "of such a value"; // which may be long, and anything
    if (const bool *on = std::get_if<bool>(&value); on != nullptr && info.type == ControlType::kBool) {
        text = *on ? "true" : "false";
        number = *on ? 1 : 0;
    } else if (const auto *integer = std::get_if<std::int64_t>(&value);
               integer != nullptr && info.type == ControlType::kInteger) {
        text = fmt::format("{}", *integer);
        // infos() has seen to it that the range fits. Not left to the driver, which sets the nearest that it has.
        if (static_cast<double>(*integer) >= info.min && static_cast<double>(*integer) <= info.max)
            number = static_cast<std::int32_t>(*integer);
    } else if (const auto *item = std::get_if<std::string>(&value);
               item != nullptr && info.type == ControlType::kEnum) {
        const auto found = std::find(info.values.begin(), info.values.end(), *item);
        if (found != info.values.end())
            number = control->menu[static_cast<std::size_t>(found - info.values.begin())];
        if (number)
            text = *item;
    }
    if (!number)
        return fail(ErrorKind::kUnsupported, fmt::format("{} cannot be {}", name, text));
    const int error = setRaw(*device_, control->id, *number);
    if (error != 0)
        return failToSet(text, error);
    return {};
}

std::optional<ControlValue> V4l2Controls::get(std::string_view name)
{
    const Control *control = find(name);
    if (control == nullptr)
        return std::nullopt;
    const std::optional<std::int32_t> number = getRaw(*device_, control->id);
    if (!number)
        return std::nullopt;
    switch (control->info.type) {
    case ControlType::kBool:
        return ControlValue(*number != 0);
    case ControlType::kInteger:
        return ControlValue(std::int64_t{*number});
    default:
        break;
    }
    const auto found = std::find(control->menu.begin(), control->menu.end(), *number);
    if (found == control->menu.end())
        return std::nullopt;
    return ControlValue(control->info.values[static_cast<std::size_t>(found - control->menu.begin())]);
}

bool V4l2Controls::isUnplugged()
{
    v4l2_capability capability{};
    return device_->ioctl(VIDIOC_QUERYCAP, &capability) != 0 && errno == ENODEV;
}

const V4l2Controls::Control *V4l2Controls::find(std::string_view name) const
{
    for (const Control &control : controls_)
        if (control.info.name == name)
            return &control;
    return nullptr;
}

} // namespace picam
