// WantedControls is what is wanted of the controls of the stream's camera: it checks changes, applies them as a whole
// or not at all, publishes them to every program of the instance, which apply them to the camera, and has them kept.
// Loop thread only. It knows neither HTTP nor who may change what.
#pragma once

#include "core/controls/controls_files.h"
#include "core/store/camera_requests.h"
#include "streamd/controls/controls_camera.h"
#include "streamd/controls/controls_keeper.h"

#include <map>
#include <optional>
#include <string>

namespace picam {

// Empty values: reset, and deleted.
struct ControlsChange {
    std::map<std::string, std::optional<ControlValue>, std::less<>> controls;
    std::map<std::string, std::optional<ControlValues>, std::less<>> presets;
    std::optional<std::string> preset; // whose values replace all others, before `controls`

    [[nodiscard]] std::string text() const; // "Brightness=0.2, AwbMode=default"
};

// Why a change was not made.
struct ControlsRefusal {
    std::string error; // a sentence
    std::string name;  // of the control or preset; empty: it is none's fault
    std::optional<ControlValue> value;
    std::string allowed; // empty: nothing is
    bool ours = false;   // the change is good, and could not be made
};

class WantedControls {
public:
    static constexpr std::size_t kMaxPresets = 16;
    static constexpr std::size_t kMaxPresetName = 32; // bytes
    static constexpr std::size_t kMaxControls = 128;  // of a camera that is not known yet

    // All must outlive it.
    WantedControls(const Settings &settings, const ControlsFiles &files, const CameraRequests &requests,
                   ControlsCamera &camera);

    // What it is about: the camera that is open, or was last, for whichever program.
    struct View {
        std::optional<ControlsCamera::Opened> camera;
        CameraControls set;   // by people
        ControlValues wanted; // set, and the settings' defaults
        std::uint32_t generation = 0;
        bool kept = true;
    };
    [[nodiscard]] View view();
    // As ControlsCamera.
    void refresh() { camera_.refreshControls(); }
    // Why the control has not what it could not have anywhere: a sentence, and what is allowed; empty: nothing is
    // known.
    [[nodiscard]] std::pair<std::string, std::string> allowed(const std::string &name) const;
    // Changes when `set` does, and only then.
    [[nodiscard]] std::string etag();

    // All of it, or nothing and why. `who`: for the log.
    [[nodiscard]] std::optional<ControlsRefusal> change(const ControlsChange &change, const std::string &who);
    [[nodiscard]] std::optional<ControlsRefusal> reset(const std::string &who);
    // The camera focuses once; there: on the place of the picture, fractions from the top left.
    [[nodiscard]] std::optional<ControlsRefusal> focus(std::optional<std::pair<double, double>> place,
                                                       const std::string &who);

private:
    [[nodiscard]] std::optional<ControlsCamera::Opened> camera() const;
    [[nodiscard]] CameraControls &current(const std::optional<ControlsCamera::Opened> &camera);
    [[nodiscard]] std::optional<ControlsRefusal> apply(const ControlsChange &change, const ControlInfos *infos,
                                                       CameraControls &set) const;
    void keepFound(const ControlsChange &change, const ControlsCamera::Opened &camera, const LockedControls &locked,
                   CameraControls &set) const;
    [[nodiscard]] std::optional<ControlsRefusal> commit(const std::optional<ControlsCamera::Opened> &camera,
                                                        CameraControls set, const std::string &who,
                                                        const std::string &what);

    const ControlValues defaults_;
    const std::string description_path_;
    const ControlsFiles &files_;
    const CameraRequests &requests_;
    ControlsCamera &camera_;
    ControlsKeeper keeper_;
    ControlsDocument document_;
};

} // namespace picam
