// Settings holds every setting of all programs, with its default. One table (settings_table.h) defines the TOML file,
// the flags, the environment variables, --help and --print-config. Read once at the start, then constant.
#pragma once

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/controls/control.h"
#include "core/image/geometry.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace picam {

using Milliseconds = std::chrono::milliseconds;

enum class SourceKind : std::uint8_t { kAuto, kLibcamera, kPattern, kReplay, kFeed };
enum class ColorRangeSetting : std::uint8_t { kAuto, kFull, kLimited };

struct CameraSettings {
    SourceKind source = SourceKind::kAuto;
    std::string id;    // index or part of the camera's id or model; empty: the first that no other instance has
    std::string title; // what people call what it shows; empty: none
    std::string file;  // replay: a Y4M file, a JPEG or a folder of JPEGs
    std::string feed;  // feed: a program's socket; empty: Settings::feedPath() says which
    Rotation rotation = Rotation::k0;
    bool hflip = false;
    bool vflip = false;
    ColorRangeSetting color_range = ColorRangeSetting::kAuto;
    Milliseconds stall{3000}; // no frame for so long: the camera hangs
    ControlValues controls;   // where nobody has set others

    [[nodiscard]] Transform transform() const { return {rotation, hflip, vflip}; }
};

// Whether viewers who can take H.264 are sent it.
enum class VideoSetting : std::uint8_t { kAuto, kOff };

struct StreamSettings {
    Size size{640, 480};
    bool size_given = false; // not the default: then no other size will do
    double fps = 30.0;
    int quality = 80;
    std::uint32_t workers = 0; // threads that encode; 0: by the number of cores
    VideoSetting video = VideoSetting::kAuto;
    std::uint32_t min_bitrate = 0; // of H.264, kbit/s; 0: by the size
    std::uint32_t max_bitrate = 0;
    Milliseconds linger{5000}; // the camera stays open so long after the last viewer
    Milliseconds ack_timeout{10000};
    std::uint32_t max_viewers = 100;
    std::vector<std::string> origins; // allowed beside the site itself, "https://example.org"
};

struct SnapshotSettings {
    Size size{1280, 720};
    bool size_given = false;
    int quality = 90;
    bool exif = true;
    Milliseconds linger{10000};   // the camera stays open so long after a still
    Milliseconds max_age{1000};   // of a picture served while another worker captures
    Milliseconds settle{3000};    // longest wait for exposure and white balance after opening
    Milliseconds deadline{10000}; // of one request
    std::uint32_t threads = 8;
};

// What picam-relay does with this camera: publish it to an engine, or join one where it is published.
enum class RelayRole : std::uint8_t { kOff, kPublish, kJoin };

struct RelaySettings {
    RelayRole role = RelayRole::kOff;
    std::string camera; // its name at the engine; empty: the instance's
    std::vector<std::string> servers;
    std::string ca = "/etc/ssl/certs/ca-certificates.crt";
    std::string nkey; // public key; empty: no login
    std::string seed; // file of the private key; empty: Settings::relaySeedPath() says which
};

struct Settings {
    std::string instance = "pi";
    std::string runtime_dir = "/run/picam";
    std::string state_dir = "/var/lib/picam-controls";
    log::Level log_level = log::Level::kInfo;
    CameraSettings camera;
    StreamSettings stream;
    SnapshotSettings snapshot;
    RelaySettings relay;

    // Where a program feeds pictures to this instance.
    [[nodiscard]] std::string feedPath() const
    {
        return camera.feed.empty() ? "/run/picam-feed/" + instance + ".sock" : camera.feed;
    }
    // Everything in the runtime directory carries the instance's name: several cameras, several instances.
    [[nodiscard]] std::string path(const char *suffix) const { return runtime_dir + "/" + instance + suffix; }
    [[nodiscard]] std::string lockPath() const { return path(".lock"); }
    [[nodiscard]] std::string storePath() const { return path(".frames"); }
    [[nodiscard]] std::string descriptionPath() const { return path(".described"); } // of the camera and its controls
    [[nodiscard]] std::string streamSocketPath() const { return path(".stream.sock"); }     // WebSocket
    [[nodiscard]] std::string httpSocketPath() const { return path(".http.sock"); }         // multipart, status
    [[nodiscard]] std::string snapshotSocketPath() const { return path(".snapshot.sock"); } // FastCGI
};

// What the command line asks for.
struct CommandLine {
    Settings settings;
    std::string print;         // --help, --version, --print-config: print this and exit 0; empty: run
    bool list_cameras = false; // print the cameras and exit
};

// Flags over environment over file over defaults. Without --config (or PICAM_CONFIG), /etc/picam/picam.conf is read
// if it exists. Errors: kSetting with the key, the value and what is allowed; kIo for an unreadable file.
[[nodiscard]] Expected<CommandLine> readSettings(int argc, const char *const *argv, const char *const *environment,
                                                 const std::string &program_help);

// Writes the table's defaults and help as a TOML file: what deploy/picam.conf must be.
[[nodiscard]] std::string defaultConfigFile();

} // namespace picam
