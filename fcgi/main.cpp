// picam-snapshot: stills over FastCGI. Wires the parts and shuts them down.
#include "core/camera_list.h"
#include "core/frame_store.h"
#include "core/listen_socket.h"
#include "core/log.h"
#include "core/runtime_dir.h"
#include "core/settings.h"
#include "core/source.h"
#include "fcgi/fcgi_server.h"
#include "fcgi/still_camera.h"
#include "fcgi/still_response.h"
#include "fcgi/stills.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <unistd.h>

namespace {

using namespace picam;

Expected<void> serve(const Settings &settings, const sigset_t &signals)
{
    if (auto done = prepareRuntimeDir(settings.runtime_dir); !done)
        return done;
    auto store = FrameStore::open(settings.storePath());
    if (!store)
        return tl::unexpected<Error>(std::move(store.error()));

    std::optional<ListenSocket> socket;
    int listen_fd = STDIN_FILENO;
    if (!FcgiServer::inheritedSocket()) {
        auto opened = ListenSocket::open(settings.snapshotSocketPath(), true);
        if (!opened)
            return tl::unexpected<Error>(std::move(opened.error()));
        socket.emplace(std::move(*opened));
        listen_fd = socket->fd();
    }

    auto camera = StillCamera::create(settings, *store, [&settings] { return createSource(settings.camera); });
    if (!camera)
        return tl::unexpected<Error>(std::move(camera.error()));
    const Stills stills(settings, *store, **camera);
    auto server = FcgiServer::create(listen_fd, settings.snapshot.threads, [&](const StillRequest &request) {
        const Expected<Still> still = wantsPicture(request) ? stills.get() : Expected<Still>(Still{});
        if (!still)
            log::warning("no still: {}", still.error().message);
        return respond(request, still, settings.instance, std::chrono::steady_clock::now());
    });
    if (!server)
        return tl::unexpected<Error>(std::move(server.error()));
    log::info("ready: stills of {} on {}", settings.snapshot.size.toString(),
              socket ? settings.snapshotSocketPath() : "the inherited socket");

    int signal = 0;
    ::sigwait(&signals, &signal);
    log::info("stopping");
    (*camera)->stop(); // first: whoever waits for a picture is told, so that the server's threads end
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
    std::signal(SIGPIPE, SIG_IGN);

    try {
        log::init("picam-snapshot");
        const auto line = readSettings(argc, argv, environ,
                                       "picam-snapshot: stills from a camera, as a FastCGI worker behind nginx");
        if (!line) {
            log::error("{}", line.error().message);
            return EXIT_FAILURE;
        }
        if (!line->print.empty()) {
            std::fputs(line->print.c_str(), stdout);
            return EXIT_SUCCESS;
        }
        log::setLevel(line->settings.log_level);
        if (line->list_cameras) {
            const auto cameras = cameraList(line->settings);
            std::fputs(cameras ? cameras->c_str() : (cameras.error().message + "\n").c_str(), cameras ? stdout : stderr);
            return cameras ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (const auto done = serve(line->settings, signals); !done) {
            log::error("{}", done.error().message);
            return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        log::error("{}", error.what());
        return EXIT_FAILURE;
    }
}
