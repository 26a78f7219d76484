// ControlsFiles are the two files of an instance's ControlsDocument: RUNTIME_DIR/INSTANCE.controls, which is in force,
// and STATE_DIR/INSTANCE.json, what is kept of it over a reboot. picam-streamd writes both, the first with each change
// and the second when changes have come to rest; every program of the instance reads. A damaged or unreadable file is a
// warning in the log, and as if it was not there. Any thread; one writer.
#pragma once

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/controls/controls_document.h"

#include <string>

namespace picam {

class ControlsFiles {
public:
    explicit ControlsFiles(const Settings &settings);

    // The newer of the two; an empty document where there is none.
    [[nodiscard]] ControlsDocument load() const;
    // Whether what load() gives holds until the next reboot only, since whoever had to keep it was ended before.
    [[nodiscard]] bool hasUnkept() const;
    // What load() gives to every program from now on; until the next reboot, unless it is kept. Quick. Errors: kIo.
    [[nodiscard]] Expected<void> publish(const ControlsDocument &document) const;
    // On the disk when this returns. A file that was there and cannot be read stays beside it, as
    // INSTANCE.json.damaged. May take as long as a slow card does. Errors: kIo.
    [[nodiscard]] Expected<void> keep(const ControlsDocument &document) const;

private:
    std::string current_path_;
    std::string state_dir_;
    std::string kept_path_;
};

} // namespace picam
