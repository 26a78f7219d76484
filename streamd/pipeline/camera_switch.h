// CameraSwitch turns the stream's camera on and off: what the hub knows of the pipeline. Loop thread only.
#pragma once

namespace picam {

class CameraSwitch {
public:
    static constexpr double kNobody = -1.0;

    virtual ~CameraSwitch() = default;
    virtual void want(bool wanted) = 0;
    // The highest rate that a viewer takes, frames a second; 0: every frame; kNobody: the camera stays open, and a
    // frame is encoded only when a still asks for it.
    virtual void setDemand(double fps) = 0;
};

} // namespace picam
