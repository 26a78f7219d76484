// WebcamControls brings what is wanted of a webcam's V4L2 controls into force: modes before values, each only when it
// has changed, and what the camera refuses once is not tried again until it changes. It knows what the camera has made
// of it, too. One thread at a time; its calls may wait for the camera, over USB for seconds.
#pragma once

#include "core/controls/control_plan.h"
#include "core/controls/v4l2_controls.h"

#include <map>
#include <set>
#include <string>

namespace picam {

class WebcamControls {
public:
    // `libcamera_has`: as V4l2Controls::infos().
    WebcamControls(V4l2Controls device, const std::function<bool(std::string_view)> &libcamera_has)
        : device_(std::move(device)), infos_(device_.infos(libcamera_has))
    {
        for (const ControlInfo &info : infos_)
            unread_.insert(info.name);
    }

    [[nodiscard]] const ControlInfos &infos() const { return infos_; }
    // Whether it had to be told anything.
    bool want(const ControlValues &wanted, const std::set<std::string, std::less<>> &restored);
    // What the camera refused, and why.
    [[nodiscard]] const std::map<std::string, std::string, std::less<>> &problems() const { return problems_; }
    // What the camera has now. Asked is for all at first, then for what it was told, and each time for what an
    // automatism moves. One that gives no answer ends this round, so that a camera that has to be waited for is waited
    // for once, and is left alone until something is wanted again.
    const ControlValues &read();
    [[nodiscard]] bool isUnplugged() { return device_.isUnplugged(); } // as V4l2Controls::isUnplugged()

private:
    using Names = std::set<std::string, std::less<>>;

    void tell(const ControlChange &change);

    V4l2Controls device_;
    ControlInfos infos_;
    ControlValues told_;
    ControlValues actual_;
    Names unread_; // may have another value than actual_ says
    Names moving_; // by an automatism
    std::map<std::string, std::string, std::less<>> problems_;
};

} // namespace picam
