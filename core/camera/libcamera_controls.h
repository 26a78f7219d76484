// LibcameraControls is the controls of one open libcamera camera: which it has, in picam's terms, and what its requests
// have to say so that what is wanted comes into force. Everything that differs between libcamera's versions, and
// between cameras, is here. Part of the module. It queues nothing; one thread at a time (the session's mutex).
#pragma once

#include "core/controls/control_plan.h"
#include "core/controls/zoom.h"
#include "core/image/frame.h"
#include "core/image/geometry.h"

#include <deque>
#include <libcamera/libcamera.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picam {

class LibcameraControls {
public:
    // Frames of a sensor that a request's controls have not reached yet when it completes.
    static constexpr unsigned kSensorDelay = 3;
    // The longest exposure that is offered. A still may have to wait for two, within snapshot.deadline.
    static constexpr std::chrono::microseconds kMaxExposure{4'000'000};

    // `controls`: of a configured camera. `outputs`: sizes of its one or two outputs, before `remaining` turns them.
    LibcameraControls(const libcamera::ControlInfoMap &controls, std::vector<Size> outputs, const Transform &remaining);

    // What libcamera sets; without what V4L2 alone has.
    [[nodiscard]] const ControlInfos &infos() const { return infos_; }

    // What one request says.
    struct Step {
        std::vector<std::pair<unsigned int, libcamera::ControlValue>> values;
        std::vector<std::string> names;          // of the controls that it sets
        std::vector<ControlChange> changes;      // what it sets them to
        std::optional<std::uint32_t> generation; // in force when this one has taken effect; empty: more follow
        int tries = 0;                           // requests with it that were not taken
    };
    // `wanted` and `camera`: of the camera, with the settings' defaults; in force once what takeStep() gives from now
    // on has been through the camera. Steps that no request has taken yet are replaced: they never pile up.
    // A value went to the camera by another way, before want().
    void noteValueSaid() { value_said_ = true; }
    void want(std::uint32_t generation, const ControlValues &wanted, const CameraControls &camera);
    // For start(): all that may be said at once. False: that is nothing.
    [[nodiscard]] bool fillStart(libcamera::ControlList &controls) const;
    // The next step, if there is one: to be said in the next request.
    [[nodiscard]] std::optional<Step> takeStep();
    static void fill(const Step &step, libcamera::ControlList &controls);
    // The request with the step was not taken: the next one says it. After kMaxTries it is refused(): the camera shall
    // not stand still for it. False then.
    static constexpr int kMaxTries = 8;
    [[nodiscard]] bool putBack(Step step);
    // It has been through the camera; or the camera cancelled or refused it. Of several values one may be to blame, and
    // the others in force or not: the next steps say them one by one. Of one it is a problem.
    // True where refusedNames() has changed.
    bool completed(const Step &step);
    void refused(const Step &step);
    [[nodiscard]] const std::vector<std::string> &refusedNames() const { return refused_; }

    // To be called for each frame, in order: adds what the camera does not say by itself.
    void complete(CaptureMetadata &metadata);
    // Set by hand; 0: it is not.
    [[nodiscard]] std::chrono::microseconds manualExposure() const;

private:
    // How exposure time and gain are freed and fixed.
    enum class ExposureStyle : std::uint8_t {
        kModes,     // from 0.5 on: a mode and its value, together
        kZeroFrees, // Raspberry Pi's until then: a value fixes, 0 frees
        kAeEnable,  // webcams, and others, until then
    };
    using Values = std::vector<std::pair<unsigned int, libcamera::ControlValue>>;

    void addInfos(const libcamera::ControlInfoMap &controls);
    void addModes();
    void addZoom(const libcamera::ControlInfoMap &controls);
    [[nodiscard]] std::optional<unsigned int> idOf(std::string_view name) const;
    void translate(const ControlChange &change, Values &values) const;
    void translateMode(const ControlChange &change, Values &values) const;
    void translateZoom(Values &values) const;
    void translateWindows(const std::vector<double> &window, Values &values) const;
    void sayAlone(const Step &step);
    void reach(const Step &step);
    bool dropSteps(std::set<std::string, std::less<>> &untold);
    void pushStep(const std::vector<ControlChange> &changes, std::optional<std::uint32_t> generation);

    // Constant after construction.
    const std::vector<Size> outputs_;
    const Transform remaining_;
    std::map<std::string, unsigned int, std::less<>> ids_; // of the camera's controls, by libcamera's names
    ControlInfos infos_;
    ExposureStyle style_ = ExposureStyle::kAeEnable;
    std::optional<libcamera::Rectangle> full_; // what of the sensor may be shown

    ControlValues wanted_;
    ControlValues told_;
    Crop crop_; // that AfWindows was told by
    std::uint32_t focus_told_ = 0;
    bool wanted_once_ = false;
    std::deque<Step> steps_;
    std::vector<std::string> refused_;
    // Generations whose steps have been through, oldest first: in force when so many frames have come.
    struct Settling {
        std::uint32_t generation = 0;
        unsigned frames_left = 0;
    };
    std::deque<Settling> settling_;
    bool value_said_ = false; // since the last of them
    std::uint32_t in_force_ = 0;
    CaptureMetadata last_;
};

} // namespace picam
