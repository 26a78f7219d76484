// ControlsDocument is what is wanted of the cameras of one instance: for each camera, by its id, the values that
// somebody set, and presets. It is what the state file holds (controls_files.h), as JSON:
//
//   {"version": 1, "generation": 17, "camera": "ID",
//    "cameras": {"ID": {"values": {"Brightness": 0.2}, "restored": ["Contrast"], "focus": 2,
//                       "presets": {"night": {"Brightness": 0.3}}}}}
//
// Plain values; any thread.
#pragma once

#include "core/base/error.h"
#include "core/controls/control_rules.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace picam {

struct CameraControls {
    ControlValues values;
    std::set<std::string, std::less<>> restored; // set before, then reset: a webcam keeps the value until it is told
    std::uint32_t focus = 0;                     // rises when the camera shall focus once
    std::map<std::string, ControlValues, std::less<>> presets;

    friend bool operator==(const CameraControls &, const CameraControls &) = default;
};

struct ControlsDocument {
    static constexpr std::size_t kMaxBytes = 256 << 10; // more is no document of ours
    // What was wanted before any camera was known: of whichever comes first.
    static constexpr std::string_view kAnyCamera{};

    std::uint32_t generation = 0; // rises with every change
    std::string camera;           // that was opened last; empty: none was yet
    std::map<std::string, CameraControls, std::less<>> cameras;

    friend bool operator==(const ControlsDocument &, const ControlsDocument &) = default;
};

// Error kCorrupt: it is no such document.
[[nodiscard]] Expected<ControlsDocument> parseControlsDocument(std::string_view json);
[[nodiscard]] std::string serializeControlsDocument(const ControlsDocument &document);

// What a source needs of it: for whichever camera it opens.
struct ControlsRequest {
    std::uint32_t generation = 0; // of the frames for which it is in force
    ControlValues defaults;       // of the settings
    std::map<std::string, CameraControls, std::less<>> cameras;

    // Of the camera with this id.
    [[nodiscard]] ControlValues wantedOf(std::string_view camera) const
    {
        return withDefaults(of(camera).values, defaults);
    }
    [[nodiscard]] const CameraControls &of(std::string_view camera) const
    {
        static const CameraControls kNothing;
        auto found = cameras.find(camera);
        if (found == cameras.end())
            found = cameras.find(ControlsDocument::kAnyCamera);
        return found != cameras.end() ? found->second : kNothing;
    }
};

[[nodiscard]] inline ControlsRequest controlsRequest(ControlsDocument document, ControlValues defaults)
{
    return {document.generation, std::move(defaults), std::move(document.cameras)};
}

} // namespace picam
