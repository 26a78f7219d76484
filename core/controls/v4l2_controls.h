// V4l2Controls reads and sets those controls of a webcam that libcamera does not offer (v4l2.sharpness …), by V4L2 on a
// second descriptor of its device. It knows a fixed list by V4L2's numbers, since the drivers' texts differ between
// kernels. One set() is one control: what belongs together, as the automatic that has to be off before a value counts,
// and in which order, is the caller's to know. Every call may wait for the camera, over USB for seconds. One thread at
// a time.
#pragma once

#include "core/base/error.h"
#include "core/controls/control.h"
#include "core/controls/v4l2_device.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

class V4l2Controls {
public:
    // The controls of the device node at `path`. Errors: kCameraFailed.
    [[nodiscard]] static Expected<V4l2Controls> open(const std::string &path);

    // REQUIRES: device is not null. Asks nothing of it yet.
    explicit V4l2Controls(std::unique_ptr<V4l2Device> device);

    // Asks the camera for what it has. `libcamera_has` tells whether libcamera offers a control of that name for this
    // camera ("Brightness"): what it does, V4L2 leaves alone. Left out is also what cannot be both read and set, what
    // has no choice to offer, and what is of a type that ControlInfo has not. Numbers are the driver's own; the texts
    // of an enumeration are printable ASCII and differ from each other.
    [[nodiscard]] ControlInfos infos(const std::function<bool(std::string_view)> &libcamera_has);

    // Sets one control of those that infos() last gave. Any value may be passed. A refused value changes nothing; one
    // between two steps becomes the nearest.
    // Errors, each with a sentence that names the value: kUnsupported where the camera does not have the control, or
    // refuses the value (as some do while an automatic is on); kCameraBusy; kCameraFailed where it is unplugged; kIo.
    [[nodiscard]] Expected<void> set(std::string_view name, const ControlValue &value);

    // What the driver says it is now; empty where it does not, and for what infos() did not give.
    [[nodiscard]] std::optional<ControlValue> get(std::string_view name);

    // Whether the device is gone for good. The kernel's own word: no camera is asked, and nothing waits.
    [[nodiscard]] bool isUnplugged();

private:
    struct Control {
        std::uint32_t id = 0;
        ControlInfo info;
        std::vector<std::int32_t> menu; // kEnum: the driver's number of each of info.values
    };

    [[nodiscard]] std::unique_ptr<Control> query(std::uint32_t id); // null: the camera has none that can be offered
    [[nodiscard]] bool queryMenu(Control &control, std::int64_t min, std::int64_t max, bool of_integers);
    [[nodiscard]] const Control *find(std::string_view name) const;

    std::unique_ptr<V4l2Device> device_;
    std::vector<Control> controls_; // what infos() last gave
};

} // namespace picam
