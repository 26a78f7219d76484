// CameraClaim is which of the host's cameras belongs to this instance: no other instance takes it, and the instance
// finds it again. A file in the runtime directory, INSTANCE.camera, written by both programs of the instance; the claim
// holds while one of them runs, and is forgotten with the runtime directory, at the latest at a reboot. It opens no
// camera; two programs of one instance take turns by CameraLock.
#pragma once

#include "core/base/error.h"
#include "core/base/file_descriptor.h"

#include <cstddef>
#include <string>
#include <vector>

namespace picam {

// A camera as its source lists it.
struct CameraName {
    std::string id;    // what libcamera calls it: of a webcam, port, vendor and product
    std::string model; // what people call it
};

class CameraClaim {
public:
    // `wanted`: camera.id. Errors: kIo, with the path.
    [[nodiscard]] static Expected<CameraClaim> open(const std::string &folder, const std::string &instance,
                                                    const std::string &wanted);

    // Claims one of `cameras`; its place there. With `wanted`: that one. Else the one that the instance had; else the
    // first that no other instance has or wants, but none that was there beside the one it had: who looks at the door
    // does not look into the nursery because the door's cable is loose. One thread at a time; waits for other
    // instances that choose at this moment.
    // Errors: kNoCamera, and kCameraBusy when the wanted one is wanted by another instance too; kIo.
    [[nodiscard]] Expected<std::size_t> choose(const std::vector<CameraName> &cameras) const;

    // What is or was there beside the instance's camera while it was: none of them is taken in its place. As choose().
    void noteOthers(const std::vector<CameraName> &cameras) const;

private:
    CameraClaim(std::string folder, std::string instance, std::string wanted, FileDescriptor file);

    std::string folder_;
    std::string instance_;
    std::string wanted_;
    FileDescriptor file_; // locked (shared) as long as the claim holds
};

} // namespace picam
