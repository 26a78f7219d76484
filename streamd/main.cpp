// picam-streamd: live viewers. Wires the parts and shuts them down.
#include "core/base/listen_socket.h"
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/runtime_dir.h"
#include "core/base/service_notify.h"
#include "core/base/settings.h"
#include "core/camera/source.h"
#include "core/loop/event_loop.h"
#include "core/store/frame_store.h"
#include "streamd/controls/controls_http.h"
#include "streamd/pipeline/stream_pipeline.h"
#include "streamd/status/status.h"
#include "streamd/video/openh264_loader.h"
#include "streamd/video/v4l2_encoder.h"
#include "streamd/viewers/access.h"
#include "streamd/viewers/hub.h"
#include "streamd/web/http_server.h"
#include "streamd/web/websocket_server.h"

#include <sys/resource.h>

namespace {

using namespace picam;

// How long viewers may take to answer the closing of their connections.
constexpr std::chrono::milliseconds kCloseTimeout{500};
constexpr std::chrono::milliseconds kClosePoll{10};

// A viewer is a descriptor; the usual soft limit of 1024 is for programs that use select().
void raiseDescriptorLimit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log::debug("the limit of open files stays as it is");
}

HubOptions hubOptions(const Settings &settings)
{
    HubOptions options;
    options.hello = {PICAM_VERSION, settings.instance, settings.stream.size, settings.stream.fps};
    options.linger = settings.stream.linger;
    options.max_viewers = settings.stream.max_viewers;
    options.viewer.ack_timeout = settings.stream.ack_timeout;
    options.hello.h264 = options.viewer.offers_h264 = settings.stream.video == VideoSetting::kAuto;
    constexpr std::uint32_t kBitsPerKilobit = 1000;
    options.video = {settings.stream.min_bitrate * kBitsPerKilobit, settings.stream.max_bitrate * kBitsPerKilobit};
    options.viewer.video = linkLimits(settings.stream.size, options.video);
    return options;
}

// In the order in which they are tried.
std::vector<RungEncoders::Factory> videoEncoders(const Settings &settings)
{
    if (settings.stream.video == VideoSetting::kOff)
        return {};
    return {[](const VideoEncoderOptions &options) -> Expected<std::unique_ptr<VideoEncoder>> {
                return V4l2Encoder::create(options);
            },
            createOpenh264Encoder};
}

Expected<void> serve(const Settings &settings)
{
    raiseDescriptorLimit();
    if (auto done = prepareRuntimeDir(settings.runtime_dir); !done)
        return done;
    auto stream_socket = ListenSocket::open(settings.streamSocketPath(), true);
    if (!stream_socket)
        return tl::unexpected<Error>(std::move(stream_socket.error()));
    auto http_socket = ListenSocket::open(settings.httpSocketPath(), true);
    if (!http_socket)
        return tl::unexpected<Error>(std::move(http_socket.error()));
    auto requests = CameraRequests::open(settings.storePath());
    if (!requests)
        return tl::unexpected<Error>(std::move(requests.error()));
    auto store = FrameStore::open(settings.storePath(), *requests);
    if (!store)
        return tl::unexpected<Error>(std::move(store.error()));

    auto make_source = sourceFactory(settings);
    if (!make_source)
        return tl::unexpected<Error>(std::move(make_source.error()));

    EventLoop loop;
    Status status(PICAM_VERSION, settings.instance, loop.now(), settings.camera.title);
    const ControlsFiles controls_files(settings);
    const auto load_controls = [&controls_files, defaults = settings.camera.controls] {
        return controlsRequest(controls_files.load(), defaults);
    };
    StreamPipeline pipeline(
        settings, {*make_source, loop, *store, *requests, load_controls, status, giveUp, videoEncoders(settings)});
    WantedControls wanted_controls(settings, controls_files, *requests, pipeline);
    ControlsHttp controls(wanted_controls);
    Hub hub(loop, pipeline, pipeline, status, hubOptions(settings));
    pipeline.setSink(&hub);
    Access access([&hub] { hub.closeViewers(CloseCode::kTryAgainLater, Access::kReason); });
    auto web_sockets =
        WebSocketServer::create(loop.context(), stream_socket->release(), hub, access, settings.stream.origins);
    if (!web_sockets)
        return tl::unexpected<Error>(std::move(web_sockets.error()));
    auto web = HttpServer::create(loop.context(), http_socket->release(), hub, status, access, controls,
                                  settings.stream.origins);
    if (!web)
        return tl::unexpected<Error>(std::move(web.error()));

    // The loop goes on until the camera is closed and the viewers have gone, or have had their time: a driver that is
    // slow to close keeps nobody from hearing that the server goes, nor the service manager from its watchdog.
    const auto close_timer = loop.makeTimer();
    bool camera_closed = false;
    std::chrono::steady_clock::time_point viewers_until;
    std::function<void()> stop_when_done = [&] {
        if (camera_closed && (hub.viewerCount() == 0 || loop.now() >= viewers_until))
            loop.stop();
        else
            close_timer->start(kClosePoll, stop_when_done);
    };
    loop.onSignals([&] {
        log::info("stopping");
        notifyService("STOPPING=1");
        (*web_sockets)->stopAccepting();
        (*web)->stopAccepting();
        hub.refuseViewers();
        pipeline.requestStop([&camera_closed] { camera_closed = true; });
        hub.closeViewers(CloseCode::kGoingAway, "the server is stopping");
        viewers_until = loop.now() + kCloseTimeout;
        stop_when_done();
    });
    log::info("ready: the stream on {}, multipart and status on {}", settings.streamSocketPath(),
              settings.httpSocketPath());
    notifyService("READY=1");
    const auto watchdog = loop.makeTimer();
    const auto watchdog_interval = serviceWatchdogInterval();
    std::function<void()> feed_watchdog = [&] {
        notifyService("WATCHDOG=1");
        watchdog->start(*watchdog_interval, feed_watchdog);
    };
    if (watchdog_interval)
        feed_watchdog();
    loop.run();
    return {};
}

} // namespace

int main(int argc, char **argv)
{
    return runProgram(argc, argv, "picam-streamd", "live viewers of a camera, behind nginx", serve);
}
