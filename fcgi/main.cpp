// picam-snapshot: stills over FastCGI. Wires the parts and shuts them down.
#include "core/base/listen_socket.h"
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/runtime_dir.h"
#include "core/base/service_notify.h"
#include "core/base/settings.h"
#include "core/camera/source.h"
#include "core/controls/controls_files.h"
#include "core/store/frame_store.h"
#include "fcgi/fcgi_server.h"
#include "fcgi/still_capture.h"
#include "fcgi/still_response.h"
#include "fcgi/stills.h"

#include <csignal>
#include <optional>
#include <unistd.h>

namespace {

using namespace picam;

Expected<void> serve(const Settings &settings, const sigset_t &signals)
{
    if (auto done = prepareRuntimeDir(settings.runtime_dir); !done)
        return done;
    auto requests = CameraRequests::open(settings.storePath());
    if (!requests)
        return tl::unexpected<Error>(std::move(requests.error()));
    auto store = FrameStore::open(settings.storePath(), *requests);
    if (!store)
        return tl::unexpected<Error>(std::move(store.error()));

    auto make_source = sourceFactory(settings);
    if (!make_source)
        return tl::unexpected<Error>(std::move(make_source.error()));
    std::optional<ListenSocket> socket;
    int listen_fd = STDIN_FILENO;
    if (!FcgiServer::inheritedSocket()) {
        auto opened = ListenSocket::open(settings.snapshotSocketPath(), true);
        if (!opened)
            return tl::unexpected<Error>(std::move(opened.error()));
        socket.emplace(std::move(*opened));
        listen_fd = socket->fd();
    }

    const ControlsFiles controls_files(settings);
    const auto load_controls = [&controls_files, defaults = settings.camera.controls] {
        return controlsRequest(controls_files.load(), defaults);
    };
    StillCapture capture(settings, *store, *requests, *make_source, load_controls, giveUp);
    const Stills stills(settings, *store, *requests, capture);
    ExifCache exifs(settings.camera.title);
    auto server = FcgiServer::create(listen_fd, settings.snapshot.threads, [&](const StillRequest &request) {
        const Expected<Still> still = wantsPicture(request) ? stills.get() : Expected<Still>(Still{});
        if (!still)
            log::warning("no still: {}", still.error().message);
        std::shared_ptr<const Exif> exif;
        if (settings.snapshot.exif && still && still->picture)
            exif = exifs.of(still->picture);
        return respond(request, still, std::move(exif), settings.instance, settings.stream.origins,
                       std::chrono::steady_clock::now());
    });
    if (!server)
        return tl::unexpected<Error>(std::move(server.error()));
    log::info("ready: stills of {} on {}", settings.snapshot.size.toString(),
              socket ? settings.snapshotSocketPath() : "the inherited socket");
    notifyService("READY=1");

    int signal = 0;
    ::sigwait(&signals, &signal);
    log::info("stopping");
    notifyService("STOPPING=1");
    capture.stop(); // first: whoever waits for a picture is told, so that the server's threads end
    return {};
}

} // namespace

int main(int argc, char **argv)
{
    // Before any thread: only sigwait() gets these.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return picam::runProgram(argc, argv, "picam-snapshot", "stills from a camera, as a FastCGI worker behind nginx",
                             [&signals](const picam::Settings &settings) { return serve(settings, signals); });
}
