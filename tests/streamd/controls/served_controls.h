// The controls of a camera that the test describes, as both programs have them: files, store and service in a folder of
// their own.
#pragma once

#include "core/camera/pattern_controls.h"
#include "streamd/controls/controls_http.h"
#include "tests/fakes/open_store.h"
#include "tests/fakes/temp_dir.h"

#include <memory>
#include <optional>

namespace picam::testing {

class DescribedCamera : public ControlsCamera {
public:
    [[nodiscard]] std::optional<Opened> openedCamera() const override { return opened; }
    void refreshControls() override { ++refreshed; }
    std::optional<Opened> opened;
    int refreshed = 0;
};

class ServedControls {
public:
    ServedControls()
    {
        settings.runtime_dir = dir.path();
        settings.state_dir = dir.file("state");
        restart();
    }
    // As another process of the program, later.
    void restart()
    {
        http.reset();
        wanted.reset();
        store = std::make_unique<OpenStore>(settings.storePath());
        files.emplace(settings);
        wanted = std::make_unique<WantedControls>(settings, *files, store->requests(), camera);
        http = std::make_unique<ControlsHttp>(*wanted);
    }
    // The camera is open, and has the controls of the test pattern.
    void open(const std::string &id = "pattern")
    {
        camera.opened = ControlsCamera::Opened{id, "pattern", PatternControls::infos(), true, {}};
    }

    TempDir dir;
    Settings settings;
    DescribedCamera camera;
    std::unique_ptr<OpenStore> store;
    std::optional<ControlsFiles> files;
    std::unique_ptr<WantedControls> wanted;
    std::unique_ptr<ControlsHttp> http;
};

} // namespace picam::testing
