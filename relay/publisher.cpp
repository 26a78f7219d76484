#include "relay/publisher.h"

#include "core/base/log.h"
#include "core/image/jpeg_markers.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <random>
#include <utility>

namespace picam::relay {
namespace {

using std::chrono::milliseconds;

std::uint64_t wallMicroseconds()
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

std::string randomName()
{
    std::random_device random;
    return fmt::format("{:08x}{:08x}", random(), random());
}

std::string_view textOf(const Engine::Message &message)
{
    return {reinterpret_cast<const char *>(message.data.data()), message.data.size()};
}

std::string megabytes(std::size_t bytes)
{
    return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

} // namespace

Publisher::Publisher(boost::asio::io_context &context, Scheduler &scheduler, EngineOptions engine,
                     PublisherOptions options, std::function<void(const std::string &)> on_status)
    : context_(context), scheduler_(scheduler), options_(std::move(options)),
      frame_subject_(subject(options_.camera, "frame")), on_status_(std::move(on_status)), boot_(randomName()),
      engine_(
          scheduler,
          [&] {
              engine.echo_subject = subject(options_.camera, "mark");
              return std::move(engine);
          }(),
          *this),
      lease_timer_(scheduler.makeTimer()), rate_timer_(scheduler.makeTimer()), retry_timer_(scheduler.makeTimer())
{
    engine_.subscribe(subject(options_.camera, "want"), [this](const Engine::Message &message) { onWant(message); });
    engine_.subscribe(subject(options_.camera, "still"),
                      [this](const Engine::Message &message) { onStillRequest(message); });
    engine_.start();
    sayStatus();
}

void Publisher::onEngineConnected()
{
    lost_reason_.clear();
    acknowledgeAll(); // no mark comes back from the connection before
    said_.reset();
    sayState();
    if (still_) { // its parts went to nobody, perhaps
        still_->sent = 0;
        sendStill();
    }
    sayStatus();
}

void Publisher::onEngineLost(const std::string &reason)
{
    lost_reason_ = reason;
    sayStatus();
}

void Publisher::onEcho(std::uint64_t token)
{
    // Echoes come in their order, but one may be lost: what was sent before this one has arrived.
    const auto arrived = [token](std::uint64_t one) { return static_cast<std::int64_t>(token - one) >= 0; };
    if (still_ && arrived(still_->token)) {
        const auto took = scheduler_.now() - still_->sent_at;
        part_bytes_ = std::clamp(took > kPartTime ? part_bytes_ / 2 : part_bytes_ * 2, kMinPartBytes, kMaxPartBytes);
        sendStill();
    }
    std::optional<FrameHeader> newest;
    for (; !in_flight_.empty() && arrived(in_flight_.front().token); in_flight_.pop_front())
        newest = in_flight_.front().header;
    if (stream_ && newest)
        stream_->acknowledge(*newest);
}

void Publisher::acknowledgeAll()
{
    if (stream_ && !in_flight_.empty())
        stream_->acknowledge(in_flight_.back().header);
    in_flight_.clear();
}

void Publisher::onWant(const Engine::Message &message)
{
    const auto want = parseWant(textOf(message));
    if (!want)
        return log::debug("a request that is none: {}", want.error().message);
    const bool leased = leases_.add(*want, scheduler_.now());
    lookAtDemand();
    State state = said_.value_or(State{});
    if (!leased) {
        state.state = "unavailable";
        state.reason = "too many edges";
    }
    answer(message.reply, state, want->t);
}

void Publisher::answer(const std::string &reply, const State &state, std::uint64_t t)
{
    if (!reply.empty())
        engine_.publish(reply, toJson(Answer{state, t, wallMicroseconds()}), {});
}

// Opens, changes or closes the stream by what the leases say now.
void Publisher::lookAtDemand()
{
    leases_.expire(scheduler_.now());
    const double fps = leases_.fps();
    engine_.watch(fps > 0.0 || still_);
    if (const auto end = leases_.nextEnd())
        lease_timer_->start(*end - scheduler_.now(), [this] { lookAtDemand(); });
    else
        lease_timer_->cancel();
    if (fps <= 0.0 && stream_) {
        stream_.reset();
        in_flight_.clear();
        stream_state_ = {};
        too_large_.clear();
    } else if (fps > 0.0 && stream_) {
        tellRate();
    } else if (fps > 0.0 && !stream_ && !resting_) {
        openStream(fps);
    }
    sayState();
    sayStatus();
}

void Publisher::tellRate()
{
    const double fps = leases_.fps();
    if (!stream_ || fps <= 0.0 || fps == stream_fps_)
        return;
    if (const auto wait = rate_at_ + kRateInterval - scheduler_.now(); wait > wait.zero())
        return rate_timer_->start(wait, [this] { tellRate(); });
    stream_fps_ = fps;
    rate_at_ = scheduler_.now();
    stream_->setRate(fps);
}

void Publisher::openStream(double fps)
{
    stream_fps_ = fps;
    rate_at_ = scheduler_.now();
    stream_state_ = {};
    stream_state_.state = "starting";
    StreamClient::Events events;
    events.on_frame = [this](const FrameHeader &header, std::shared_ptr<const Engine::Bytes> message) {
        onFrame(header, std::move(message));
    };
    events.on_text = [this](std::string_view text) {
        if (auto state = stateOfStream(text)) {
            stream_state_ = std::move(*state);
            sayState();
        }
    };
    events.on_closed = [this](const std::string &reason) {
        stream_.reset();
        in_flight_.clear();
        stream_state_ = {};
        stream_state_.state = "unavailable";
        stream_state_.reason = reason;
        sayState();
        resting_ = true;
        retry_timer_->start(kRetryDelay, [this] {
            resting_ = false;
            lookAtDemand();
        });
    };
    stream_ = std::make_unique<StreamClient>(context_, options_.stream_socket, fps, std::move(events));
}

void Publisher::onFrame(const FrameHeader &header, std::shared_ptr<const Engine::Bytes> message)
{
    if (!engine_.isConnected()) { // acknowledged once there is a connection
        in_flight_.push_back({0, header});
        return;
    }
    if (message->size() > engine_.maxPayload()) {
        too_large_ = fmt::format("a picture of {} is more than the engine takes (max_payload {})",
                                 megabytes(message->size()), megabytes(engine_.maxPayload()));
        sayState();
        return stream_->acknowledge(header);
    }
    if (!std::exchange(too_large_, {}).empty())
        sayState();
    engine_.publish(frame_subject_, std::move(message));
    in_flight_.push_back({engine_.echo(), header});
}

void Publisher::sayState()
{
    State state = stream_state_;
    if (!too_large_.empty()) {
        state.state = "unavailable";
        state.reason = too_large_;
    }
    state.boot = boot_;
    if (said_ == state)
        return;
    if (!state.reason.empty())
        log::info("{}: {}", state.state, state.reason);
    said_ = state;
    engine_.publish(subject(options_.camera, "state"), toJson(state));
    sayStatus();
}

void Publisher::onStillRequest(const Engine::Message &message)
{
    answer(message.reply, said_.value_or(State{}), 0);
    if (still_)
        still_again_ = still_again_ || still_->sent > 0;
    else if (!still_client_)
        still_client_ = std::make_unique<StillClient>(context_, options_.snapshot_socket,
                                                      [this](auto still) { onStill(std::move(still)); });
}

void Publisher::onStill(Expected<StillPicture> still)
{
    const auto client = std::exchange(still_client_, nullptr); // whose call this is
    auto size = still ? readJpegSize(still->jpeg) : tl::unexpected<Error>(still.error());
    if (!size) {
        log::warning("no still: {}", size.error().message);
        State state = said_.value_or(State{});
        state.still = size.error().message;
        engine_.publish(subject(options_.camera, "state"), toJson(state));
        return;
    }
    FrameHeader header;
    header.converged = true;
    header.payload_bytes = static_cast<std::uint32_t>(still->jpeg.size());
    header.sequence = ++still_sequence_;
    header.captured_wall_us = static_cast<std::uint64_t>(still->captured_wall.count());
    header.width = static_cast<std::uint16_t>(size->width);
    header.height = static_cast<std::uint16_t>(size->height);
    still_ = SendingStill{std::move(*still), header};
    lookAtDemand();
    sendStill();
}

void Publisher::sendStill()
{
    const std::size_t left = still_->picture.jpeg.size() - still_->sent;
    if (left == 0)
        return endStill();
    // Without a connection it goes to nobody, and is sent again with the next one.
    const std::size_t most = engine_.isConnected() ? engine_.maxPayload() : kMinPartBytes + kPartHeadBytes;
    if (most <= kPartHeadBytes)
        return endStill();
    const std::size_t bytes = std::min({left, part_bytes_, most - kPartHeadBytes});
    engine_.publish(subject(options_.camera, "part"), std::make_shared<const Engine::Bytes>(partOf(
                                                          still_->header, still_->picture.jpeg, still_->sent, bytes)));
    still_->sent += bytes;
    still_->sent_at = scheduler_.now();
    still_->token = engine_.echo();
}

void Publisher::endStill()
{
    still_.reset();
    lookAtDemand();
    if (std::exchange(still_again_, false))
        onStillRequest({});
}

void Publisher::sayStatus()
{
    std::string status = "no connection to the engine: " + lost_reason_;
    if (engine_.isConnected() && leases_.count() == 0)
        status = fmt::format("connected to {}; idle", engine_.server());
    else if (engine_.isConnected())
        status = fmt::format("connected to {}; {} {}, {:.3g} fps", engine_.server(), leases_.count(),
                             leases_.count() == 1 ? "edge" : "edges", leases_.fps());
    if (engine_.isConnected() && said_ && said_->state == "unavailable")
        status += "; unavailable: " + said_->reason;
    if (status != status_)
        on_status_(status);
    status_ = std::move(status);
}

} // namespace picam::relay
