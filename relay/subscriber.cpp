#include "relay/subscriber.h"

#include "core/base/log.h"

#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <utility>

namespace picam::relay {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kOffline = "the camera's host is offline";

std::string randomName()
{
    std::random_device random;
    return fmt::format("{:08x}{:08x}", random(), random());
}

std::string_view textOf(const Engine::Message &message)
{
    return {reinterpret_cast<const char *>(message.data.data()), message.data.size()};
}

} // namespace

Expected<std::unique_ptr<Subscriber>> Subscriber::create(boost::asio::io_context &context, Scheduler &scheduler,
                                                         EngineOptions engine, SubscriberOptions options, int feed_fd,
                                                         std::function<void(const std::string &)> on_status)
{
    options.inbox += "." + randomName(); // two edges may have one key
    engine.echo_subject = options.inbox + ".echo";
    std::unique_ptr<Subscriber> subscriber(
        new Subscriber(scheduler, std::move(engine), std::move(options), std::move(on_status)));
    auto feed = FeedServer::create(context, feed_fd, [raw = subscriber.get()] { raw->onDemand(); });
    if (!feed)
        return tl::unexpected<Error>(std::move(feed.error()));
    subscriber->feed_ = std::move(*feed);
    subscriber->engine_.start();
    subscriber->sayStatus();
    return subscriber;
}

Subscriber::Subscriber(Scheduler &scheduler, EngineOptions engine, SubscriberOptions options,
                       std::function<void(const std::string &)> on_status)
    : scheduler_(scheduler), options_(std::move(options)), on_status_(std::move(on_status)), edge_(randomName()),
      engine_(scheduler, std::move(engine), *this), renew_timer_(scheduler.makeTimer()),
      lost_timer_(scheduler.makeTimer()), still_timer_(scheduler.makeTimer())
{
    using Message = Engine::Message;
    engine_.subscribe(options_.inbox + ".want", [this](const Message &message) { onAnswer(message, false); });
    engine_.subscribe(options_.inbox + ".still", [this](const Message &message) { onAnswer(message, true); });
    engine_.subscribe(subject(options_.camera, "state"), [this](const Message &message) { onState(message); });
    engine_.subscribeAtTimes(subject(options_.camera, "part"), [this](const Message &message) { onPart(message); });
    engine_.subscribeByCredits(subject(options_.camera, "frame"), [this](const Message &message) { onFrame(message); });
}

void Subscriber::onEngineConnected()
{
    lost_reason_.clear();
    endAwaiting();
    if (fps_ > 0.0)
        renew();
    if (std::exchange(still_asked_, false))
        askForStill();
    sayStatus();
}

void Subscriber::onEngineLost(const std::string &reason)
{
    lost_reason_ = reason;
    // Another of its servers is there in a moment, mostly.
    if (fps_ <= 0.0)
        endAwaiting();
    else if (reason_.empty())
        awaitAnswer();
    else
        sayUnavailable("no connection to the engine: " + lost_reason_);
    sayStatus();
}

// Viewers hear of it when nothing comes for long, from the first of several requests on.
void Subscriber::awaitAnswer()
{
    if (std::exchange(awaits_answer_, true))
        return;
    lost_timer_->start(kLostTimeout, [this] {
        sayUnavailable(engine_.isConnected() ? "the camera's host does not answer"
                                             : "no connection to the engine: " + lost_reason_);
    });
}

void Subscriber::endAwaiting()
{
    lost_timer_->cancel();
    awaits_answer_ = false;
}

// What picam's programs want of the feed has changed.
void Subscriber::onDemand()
{
    const double fps = feed_->wantedFps();
    const bool stills = feed_->wantedStills() > 0.0;
    engine_.watch(fps > 0.0 || stills);
    engine_.setCredits(fps > 0.0 ? kCredits : 0);
    engine_.setListening(stills);
    if (fps_ <= 0.0 && fps > 0.0)
        endAwaiting(); // for nobody, and long ago
    if (fps != std::exchange(fps_, fps))
        renew();
    if (stills && !still_asked_)
        askForStill();
    if (!stills) {
        still_timer_->cancel();
        still_asked_ = false;
    }
    sayStatus();
}

// Asks for frames, or says that none are wanted any more.
void Subscriber::renew()
{
    const Time now = scheduler_.now();
    requested_ = now;
    engine_.publish(subject(options_.camera, "want"), toJson(Want{edge_, fps_, kLease, ++request_}),
                    options_.inbox + ".want");
    if (fps_ <= 0.0) {
        renew_timer_->cancel();
        endAwaiting();
        reason_.clear();
        feed_->clearUnavailable();
        return;
    }
    renew_timer_->start(kRenewInterval, [this] { renew(); });
    awaitAnswer();
}

void Subscriber::onAnswer(const Engine::Message &message, bool still)
{
    if (!still)
        endAwaiting();
    if (message.no_responders) {
        clock_.reset(); // who comes back may have another clock
        if (!still)
            sayUnavailable(std::string(kOffline));
        else
            noteNoStill(std::string(kOffline));
        return;
    }
    const auto answer = parseAnswer(textOf(message));
    if (!answer)
        return log::debug("an answer that is none: {}", answer.error().message);
    noteState(answer->state);
    if (still || answer->t == request_)
        clock_.add(still ? still_asked_at_ : requested_, answer->time_us, scheduler_.now());
}

void Subscriber::onState(const Engine::Message &message)
{
    const auto state = parseAnswer(textOf(message));
    if (!state)
        return log::debug("a state that is none: {}", state.error().message);
    const bool another = state->state.boot != boot_;
    noteState(state->state);
    // It has been started again, and knows of no lease; or it was missed for a moment.
    if ((another || (!clock_.isKnown() && !awaits_answer_)) && fps_ > 0.0)
        renew();
}

void Subscriber::noteState(const State &state)
{
    if (state.boot != std::exchange(boot_, state.boot))
        clock_.reset();
    if (!state.still.empty())
        noteNoStill(state.still);
    if (fps_ <= 0.0)
        return;
    if (state.state == "unavailable")
        return sayUnavailable(state.reason.empty() ? "the camera's host has no picture" : state.reason);
    reason_.clear();
    feed_->clearUnavailable();
}

void Subscriber::onFrame(const Engine::Message &message)
{
    const auto header = parseFrameHeader(message.data);
    if (!header || header->codec != Codec::kJpeg || message.data.size() != kFrameHeaderBytes + header->payload_bytes)
        return log::debug("a frame that is none");
    // Nobody can say how old it is. It may be from a host that was missed a moment ago, which has come back and
    // remembers the lease.
    if (!clock_.isKnown()) {
        if (fps_ > 0.0 && !awaits_answer_)
            renew();
        return;
    }
    reason_.clear();
    feed_->sendFrame({translated(*header), message.data.subspan(kFrameHeaderBytes), message.owner});
}

FrameHeader Subscriber::translated(FrameHeader header) const
{
    if (header.captured_wall_us == 0)
        return header;
    const auto age = clock_.age(header.captured_wall_us, scheduler_.now());
    const auto wall = std::chrono::duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch());
    header.captured_wall_us = static_cast<std::uint64_t>(std::max<std::int64_t>((wall - age).count(), 1));
    return header;
}

void Subscriber::askForStill()
{
    still_asked_ = true;
    still_asked_at_ = scheduler_.now();
    engine_.publish(subject(options_.camera, "still"), toJson(Want{edge_, 0.0, {}, 0}), options_.inbox + ".still");
    still_timer_->start(kStillTimeout, [this] {
        noteNoStill(engine_.isConnected() ? "no still comes from the camera's host"
                                          : "no connection to the engine: " + lost_reason_);
    });
}

// Whoever takes stills is told, and goes on waiting for one: it is asked for again.
void Subscriber::noteNoStill(const std::string &reason)
{
    if (!std::exchange(still_asked_, false))
        return; // another edge's
    feed_->sendNoStill(reason);
    still_timer_->start(kStillRetry, [this] {
        if (feed_->wantedStills() > 0.0)
            askForStill();
    });
}

void Subscriber::onPart(const Engine::Message &message)
{
    auto still = parts_.add(message.data);
    if (!still || !clock_.isKnown())
        return;
    const auto jpeg = std::make_shared<const std::vector<std::uint8_t>>(std::move(still->jpeg));
    feed_->sendStill({translated(still->header), *jpeg, jpeg});
    if (!std::exchange(still_asked_, false))
        return; // another edge's
    const double fps = feed_->wantedStills();
    const auto took = scheduler_.now() - still_asked_at_;
    auto pause = std::max<std::chrono::steady_clock::duration>(kMinStillInterval, 2 * took);
    if (fps > 0.0)
        pause = std::max(pause, std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                    std::chrono::duration<double>(1.0 / fps)));
    still_timer_->start(pause, [this] {
        if (feed_->wantedStills() > 0.0)
            askForStill();
    });
}

void Subscriber::sayUnavailable(const std::string &reason)
{
    if (fps_ > 0.0 && reason != reason_) {
        log::info("unavailable: {}", reason);
        reason_ = reason;
        feed_->sendUnavailable(reason);
    }
    sayStatus();
}

void Subscriber::sayStatus()
{
    std::string status = "no connection to the engine: " + lost_reason_;
    if (engine_.isConnected()) {
        status = fmt::format("connected to {}; ", engine_.server());
        if (fps_ <= 0.0)
            status += "idle";
        else if (reason_.empty())
            status += fmt::format("wanted, {:.3g} fps", fps_);
        else
            status += "unavailable: " + reason_;
    }
    if (status != status_)
        on_status_(status);
    status_ = std::move(status);
}

} // namespace picam::relay
