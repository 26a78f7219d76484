// A libcamera of the test's own: fake_libcamera.cpp defines the members of libcamera's Camera, CameraManager, Request,
// FrameBuffer and FrameBufferAllocator that picam calls, so that whoever links it talks to cameras that the test plugs
// in and out. A manager's thread completes requests and emits signals as libcamera's does; what it does with the
// requests of a camera that was unplugged is the same, too: it keeps them, and touches them until the manager stops.
#pragma once

#include <string>
#include <vector>

namespace picam::testing::fake_libcamera {

// Any thread. A manager that runs tells of it.
void plugIn(const std::string &id);
void unplug(const std::string &id);
void unplugAll();

// The next so many requests are not taken (queueRequest()), or come back cancelled.
void refuseRequests(int count);
void cancelRequests(int count);
// The next so many acquire() find the camera with another program.
void refuseAcquiring(int count);
// The next so many start() or configure() get no answer from the device (EIO).
void failStarts(int count);
void failConfiguring(int count);
// The cameras have a webcam's controls: Brightness, AeEnable, ExposureTime. As uvcvideo, the driver cancels a request
// with an exposure time while its automatism is on. The next so many requests with controls are cancelled, too.
void refuseControls(int count);
// What requests have said of them, in order: "Brightness=0.5".
[[nodiscard]] std::vector<std::string> controlsSaid();

// Returns when what was plugged in and out before is known to the manager that runs.
void settle();

// Requests that managers' threads have completed so far, in all.
[[nodiscard]] long completed();
// Managers that run; libcamera allows one a process.
[[nodiscard]] int managers();

} // namespace picam::testing::fake_libcamera
