#include "streamd/viewers/viewer.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace picam {
namespace {

// Of the protocol that a viewer speaks; empty: none.
std::optional<protocol::Version> versionOf(WireFormat format)
{
    switch (format) {
    case WireFormat::kV1:
        return protocol::Version::k1;
    case WireFormat::kV2:
        return protocol::Version::k2;
    default:
        return std::nullopt;
    }
}

} // namespace

Viewer::Viewer(std::shared_ptr<ViewerConnection> connection, WireFormat format, double max_fps,
               const ViewerLimits &limits, const Scheduler &scheduler, Status &status, ViewerOwner &owner)
    : format_(format), limits_(limits), scheduler_(scheduler), status_(status), owner_(owner),
      connection_(std::move(connection)), video_flow_(limits.video), takes_h264_(isVideoOnly(format)),
      takes_jpeg_(!isVideoOnly(format) && format != WireFormat::kV2), pictures_(takes_jpeg_), pacer_(max_fps),
      max_fps_(max_fps), budget_at_(scheduler.now()), last_heard_(budget_at_)
{
    if (format_ == WireFormat::kMp4)
        fragments_ = std::make_unique<StreamFragments>(StreamFragments::AtOtherSize::kEnd);
    status_.viewerJoined(format_);
}

void Viewer::sendHello(const protocol::Hello &hello)
{
    if (const auto version = versionOf(format_))
        connection_->sendText(protocol::hello(hello, *version));
}

void Viewer::sendState(const CameraStatus &camera)
{
    if (closing_ || camera.state == CameraState::kIdle)
        return;
    camera_fps_ = camera.fps;
    if (versionOf(format_))
        connection_->sendText(protocol::state(camera));
    // HTTP has a word for it as long as its answer has not begun.
    else if (isHttp(format_) && camera.state == CameraState::kUnavailable && !sent_any_)
        close(CloseCode::kTryAgainLater, camera.reason);
}

void Viewer::offer(const FramePtr &picture)
{
    if (!wantsPictures() || !pacer_.take(picture->captured))
        return;
    if (pending_)
        status_.skipped();
    pending_ = picture;
    sendPending();
}

void Viewer::sendPending()
{
    if (!pending_ || writing_ || !active())
        return;
    if (versionOf(format_) && !flow_.maySend(scheduler_.now())) {
        flow_.onHeldBack();
        return;
    }
    write(std::exchange(pending_, nullptr));
}

void Viewer::write(const FramePtr &frame)
{
    noteSent(*frame);
    writing_ = frame;
    write_started_ = scheduler_.now();
    sent_any_ = true;
    message_budget_ += kMessagesPerFrame;
    connection_->sendFrame(writing_, format_);
}

// Of those whose viewers acknowledge them.
void Viewer::noteSent(const StreamFrame &frame)
{
    const auto now = scheduler_.now();
    if (format_ == WireFormat::kV1)
        flow_.onSent(frame.sequence, frame.bytes, now);
    if (format_ != WireFormat::kV2)
        return;
    const std::uint64_t number = sent_.add(frame);
    video_flow_.onSent(number, frame.bytes, now);
    if (frame.codec == Codec::kJpeg)
        flow_.onSent(number, frame.bytes, now);
}

bool Viewer::wantsVideo() const
{
    // A chain is taken whole or not at all: who wants fewer frames gets pictures.
    return active() && takes_h264_ && limits_.offers_h264 && (max_fps_ == 0.0 || isVideoOnly(format_));
}

bool Viewer::mayTake(Time now) const
{
    return canTake() && (format_ != WireFormat::kV2 || video_flow_.maySend(now));
}

std::uint32_t Viewer::bitrate() const
{
    return format_ == WireFormat::kV2 ? video_flow_.bitrate() : 0;
}

std::chrono::steady_clock::duration Viewer::transferTime(std::size_t bytes, Time now) const
{
    return format_ == WireFormat::kV2 ? video_flow_.transferTime(bytes, now) : Time::duration::zero();
}

void Viewer::sendVideo(const FramePtr &frame)
{
    if (!fragments_)
        return write(frame);
    // A player of HTTP begins anew with another request.
    const auto fragment = fragments_->make(frame, camera_fps_);
    if (!fragment)
        return endConnection(CloseCode::kTryAgainLater, fragment.error().message);
    write(*fragment);
}

void Viewer::setPictures(bool pictures)
{
    pictures_ = pictures && takes_jpeg_;
    pending_.reset();
    if (pictures_)
        flow_.clear(); // what it knew of the link is from before
}

std::chrono::seconds Viewer::keyInterval() const
{
    if (isVideoOnly(format_))
        return kProgramKeyInterval;
    return fragments_ ? kPageKeyInterval : std::chrono::seconds(0);
}

void Viewer::endVideo()
{
    close(CloseCode::kTryAgainLater, "there is no H.264 now");
}

void Viewer::onFrameWritten()
{
    if (!writing_)
        return;
    const auto frame = std::exchange(writing_, nullptr);
    status_.sent(frame->bytes, scheduler_.now() - frame->captured);
    sendPending();
    if (takes_h264_)
        owner_.onVideoReady(*this);
}

void Viewer::onText(std::string_view message)
{
    onAlive();
    // Clients without a subprotocol have nothing to say; some say it all the same.
    const auto version = versionOf(format_);
    if (closing_ || !chargeMessage() || !version)
        return;
    if (version == protocol::Version::k1)
        if (const auto ack = protocol::parsePlainAck(message))
            return handle(*ack);
    const auto parsed = protocol::parse(message, *version);
    if (!parsed) {
        close(parsed.error().code, parsed.error().reason);
        return;
    }
    std::visit([this](const auto &known) { handle(known); }, *parsed);
}

void Viewer::onBinary(std::string_view message)
{
    if (format_ != WireFormat::kV2)
        return close(CloseCode::kUnsupportedData, "binary messages are not understood");
    onAlive();
    if (closing_ || !chargeMessage())
        return;
    const auto ack = protocol::parseFrameAck(message);
    if (!ack)
        return close(CloseCode::kPolicyViolation, "an acknowledgement has 10 bytes");
    const auto done = sent_.acknowledge(static_cast<Codec>(ack->codec), ack->rung, ack->sequence);
    if (done.found == SentFrames::Found::kNever)
        return close(CloseCode::kPolicyViolation, "ack of a frame that was not sent");
    if (done.found == SentFrames::Found::kOld)
        return;
    const auto now = scheduler_.now();
    (void)video_flow_.onAcknowledged(done.number, now);
    if (done.picture != 0)
        (void)flow_.onAcknowledged(done.picture, now);
    sendPending();
    if (takes_h264_)
        owner_.onVideoReady(*this);
}

void Viewer::onPing()
{
    onAlive();
    (void)chargeMessage();
}

void Viewer::onAlive()
{
    last_heard_ = scheduler_.now();
    ping_open_ = false;
}

void Viewer::onClosed()
{
    if (!connection_)
        return;
    closing_ = true;
    pending_.reset();
    writing_.reset();
    connection_.reset();
    status_.viewerLeft(format_);
    if (paused_)
        status_.viewerPaused(false);
    owner_.onViewerClosed(*this);
}

void Viewer::handle(const protocol::Ack &ack)
{
    const auto batch = static_cast<std::size_t>(std::min(ack.batch, protocol::kMaxAckBatch));
    if (!flow_.onAcknowledged(ack.sequence, scheduler_.now(), batch)) {
        close(CloseCode::kPolicyViolation, "ack of a frame that was not sent");
        return;
    }
    sendPending();
}

void Viewer::handle(const protocol::Rate &rate)
{
    if (rate.fps == max_fps_)
        return;
    max_fps_ = rate.fps;
    pacer_.setRate(rate.fps);
    chooseCodec();
}

void Viewer::handle(const protocol::Take &take)
{
    takes_h264_ = take.h264;
    takes_jpeg_ = take.jpeg;
    if (take.mp4 != (fragments_ != nullptr)) {
        fragments_ = take.mp4 ? std::make_unique<StreamFragments>(StreamFragments::AtOtherSize::kBeginAnew) : nullptr;
        owner_.onKeyWanted(*this);
    }
    chooseCodec();
}

void Viewer::handle(const protocol::Key &)
{
    if (fragments_)
        fragments_->restart();
    owner_.onKeyWanted(*this);
}

// Pictures or H.264, by what it takes and at which rate.
void Viewer::chooseCodec()
{
    if (!wantsVideo())
        setPictures(takes_jpeg_);
    owner_.onVideoWanted(*this);
    owner_.onDemandChanged();
}

void Viewer::handle(const protocol::Ping &ping)
{
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    connection_->sendText(protocol::pong(ping, std::chrono::duration_cast<std::chrono::microseconds>(wall)));
}

void Viewer::setPaused(bool paused)
{
    if (paused == paused_)
        return;
    paused_ = paused;
    status_.viewerPaused(paused);
    pending_.reset();
    owner_.onVideoWanted(*this);
    if (!paused) {
        owner_.onResumed(*this);
        return;
    }
    // A hidden page paints nothing, so it owes nothing.
    flow_.clear();
    video_flow_.clear();
    sent_.clear();
    owner_.onDemandChanged();
}

bool Viewer::chargeMessage()
{
    const auto now = scheduler_.now();
    const auto passed = std::chrono::duration<double>(now - std::exchange(budget_at_, now)).count();
    message_budget_ = std::min(message_budget_ + passed * kMessagesPerSecond, kMessageBudget) - 1;
    if (message_budget_ >= 0)
        return true;
    close(CloseCode::kPolicyViolation, "too many messages");
    return false;
}

void Viewer::checkTimeouts()
{
    if (closing_)
        return;
    const auto now = scheduler_.now();
    if (writing_ && now - write_started_ >= limits_.write_timeout)
        return close(CloseCode::kPolicyViolation, "too slow");
    const auto silence = format_ == WireFormat::kV2 ? video_flow_.silence(now) : flow_.silence(now);
    if (silence >= limits_.ack_timeout)
        return close(CloseCode::kPolicyViolation, "no acknowledgement");
    if (isHttp(format_))
        return; // HTTP has no ping; the kernel or the write timeout ends it
    if (ping_open_ && now - pinged_ >= 2 * limits_.ping_interval)
        return close(CloseCode::kPolicyViolation, "no answer to a ping");
    if (!ping_open_ && now - last_heard_ >= limits_.ping_interval) {
        ping_open_ = true;
        pinged_ = now;
        connection_->ping();
    }
}

// Its owner hears of it when the connection has ended.
void Viewer::endConnection(CloseCode code, std::string_view reason)
{
    closing_ = true;
    pending_.reset();
    connection_->close(code, reason);
}

void Viewer::close(CloseCode code, std::string_view reason)
{
    if (closing_)
        return;
    endConnection(code, reason);
    owner_.onVideoWanted(*this);
    owner_.onDemandChanged();
}

} // namespace picam
