// picam-streamd: live viewers. Wires the parts and shuts them down.
#include "core/base/listen_socket.h"
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/runtime_dir.h"
#include "core/base/settings.h"
#include "core/camera/source.h"
#include "core/store/frame_store.h"
#include "streamd/loop/event_loop.h"
#include "streamd/loop/service_notify.h"
#include "streamd/pipeline/capture.h"
#include "streamd/status/status.h"
#include "streamd/viewers/hub.h"
#include "streamd/viewers/tickets.h"
#include "streamd/web/http_server.h"
#include "streamd/web/websocket_server.h"

#include <cstdlib>
#include <sys/resource.h>

namespace {

using namespace picam;

// So long may viewers take to hear that the server goes.
constexpr std::chrono::milliseconds kGoodbye{500};
constexpr std::chrono::milliseconds kGoodbyeStep{10};

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
    return options;
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
    auto store = FrameStore::open(settings.storePath());
    if (!store)
        return tl::unexpected<Error>(std::move(store.error()));

    EventLoop loop;
    Status status(PICAM_VERSION, settings.instance, loop.now());
    Capture capture(
        settings, [&settings] { return createSource(settings.camera); }, loop, *store, status,
        [](const std::string &why) {
            log::error("{}; this process gives up, for the service manager to start another", why);
            std::_Exit(EXIT_FAILURE);
        });
    Hub hub(loop, capture, status, hubOptions(settings));
    capture.setSink(&hub);
    Tickets tickets;
    auto web_sockets =
        WebSocketServer::create(loop.context(), stream_socket->release(), hub, tickets, settings.stream.origins);
    if (!web_sockets)
        return tl::unexpected<Error>(std::move(web_sockets.error()));
    auto web = HttpServer::create(loop.context(), http_socket->release(), hub, status, tickets);
    if (!web)
        return tl::unexpected<Error>(std::move(web.error()));

    const auto goodbye = loop.makeTimer();
    const auto ends = std::make_shared<std::chrono::steady_clock::time_point>();
    std::function<void()> wait_for_viewers = [&] {
        if (hub.viewerCount() == 0 || loop.now() >= *ends)
            loop.stop();
        else
            goodbye->start(kGoodbyeStep, wait_for_viewers);
    };
    loop.onSignals([&] {
        log::info("stopping");
        notifyService("STOPPING=1");
        (*web_sockets)->stopAccepting();
        (*web)->stopAccepting();
        hub.refuseViewers();
        capture.stop();
        hub.closeViewers();
        *ends = loop.now() + kGoodbye;
        wait_for_viewers();
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
