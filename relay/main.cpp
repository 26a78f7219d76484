// picam-relay: the camera elsewhere. Wires the parts and shuts them down.
#include "core/base/listen_socket.h"
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/base/service_notify.h"
#include "core/base/settings.h"
#include "core/loop/event_loop.h"
#include "relay/engine.h"
#include "relay/publisher.h"
#include "relay/subscriber.h"

#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace {

using namespace picam;

std::string seedPath(const Settings &settings)
{
    if (!settings.relay.seed.empty())
        return settings.relay.seed;
    if (const char *credentials = std::getenv("CREDENTIALS_DIRECTORY")) // systemd's LoadCredential=
        return std::string(credentials) + "/seed";
    return "/etc/picam/relay/" + settings.instance + ".seed";
}

Expected<EngineOptions> engineOptions(const Settings &settings)
{
    auto servers = engineServers(settings.relay.servers);
    if (!servers)
        return tl::unexpected<Error>(std::move(servers.error()));
    EngineOptions options;
    options.servers = std::move(*servers);
    options.ca_file = settings.relay.ca;
    options.nkey = settings.relay.nkey;
    options.client_name = "picam-relay " + settings.instance;
    if (options.nkey.empty())
        return options;
    options.seed_file = seedPath(settings);
    // systemd lets the service's user read a credential by an ACL, whose mask stands where the group's rights do.
    const bool is_credential = settings.relay.seed.empty() && std::getenv("CREDENTIALS_DIRECTORY") != nullptr;
    const mode_t not_private = is_credential ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    struct stat file {};
    if (::stat(options.seed_file.c_str(), &file) != 0)
        return failErrno(ErrorKind::kSetting, "relay.seed: cannot find " + options.seed_file, errno);
    if ((file.st_mode & not_private) != 0)
        return fail(ErrorKind::kSetting,
                    fmt::format("relay.seed: {} is a private key that others may read (chmod 600)", options.seed_file));
    return options;
}

// What the service manager shows of the program, told at most once a second: whoever is at the other end of the engine
// shall not keep it busy.
class StatusLine {
public:
    explicit StatusLine(Scheduler &scheduler) : timer_(scheduler.makeTimer()) {}

    void say(std::string status)
    {
        next_ = std::move(status);
        if (!resting_)
            tell();
    }

private:
    void tell()
    {
        resting_ = next_ != told_;
        if (!resting_)
            return;
        told_ = next_;
        notifyService(("STATUS=" + told_).c_str());
        timer_->start(std::chrono::seconds(1), [this] { tell(); });
    }

    const std::unique_ptr<Timer> timer_;
    std::string next_;
    std::string told_;
    bool resting_ = false;
};

Expected<void> serve(const Settings &settings)
{
    if (settings.relay.role == RelayRole::kOff)
        return fail(ErrorKind::kSetting, "relay.role is off: publish this camera, or join one that is published");
    const std::string camera = settings.relay.camera.empty() ? settings.instance : settings.relay.camera;
    auto engine = engineOptions(settings);
    if (!engine)
        return tl::unexpected<Error>(std::move(engine.error()));

    EventLoop loop;
    StatusLine status_line(loop);
    const auto notify_status = [&status_line](const std::string &status) { status_line.say(status); };
    std::optional<ListenSocket> feed_socket;
    std::unique_ptr<relay::Publisher> publisher;
    std::unique_ptr<relay::Subscriber> subscriber;
    if (settings.relay.role == RelayRole::kPublish) {
        publisher = std::make_unique<relay::Publisher>(
            loop.context(), loop, std::move(*engine),
            relay::PublisherOptions{camera, settings.streamSocketPath(), settings.snapshotSocketPath()}, notify_status);
        log::info("ready: publishes {} as {}", settings.instance, camera);
    } else {
        auto socket = ListenSocket::open(settings.feedPath(), true);
        if (!socket)
            return tl::unexpected<Error>(std::move(socket.error()));
        feed_socket.emplace(std::move(*socket));
        const std::string inbox =
            fmt::format("_picam.{}", engine->nkey.empty() ? std::string("anonymous") : engine->nkey);
        auto joined = relay::Subscriber::create(loop.context(), loop, std::move(*engine), {camera, inbox},
                                                feed_socket->release(), notify_status);
        if (!joined)
            return tl::unexpected<Error>(std::move(joined.error()));
        subscriber = std::move(*joined);
        log::info("ready: feeds {} with {}", settings.feedPath(), camera);
    }

    loop.onSignals([&loop] {
        log::info("stopping");
        notifyService("STOPPING=1");
        loop.stop();
    });
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
    return runProgram(argc, argv, "picam-relay", "a camera's pictures to other machines, over NATS", serve);
}
