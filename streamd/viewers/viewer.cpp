#include "streamd/viewers/viewer.h"

#include <algorithm>
#include <utility>

namespace picam {

Viewer::Viewer(std::shared_ptr<ViewerConnection> connection, WireFormat format, double max_fps,
               const ViewerLimits &limits, const Scheduler &scheduler, Status &status, ViewerOwner &owner)
    : format_(format), limits_(limits), scheduler_(scheduler), status_(status), owner_(owner),
      connection_(std::move(connection)), pacer_(max_fps), max_fps_(max_fps), budget_at_(scheduler.now()),
      last_heard_(budget_at_)
{
    status_.viewerJoined(format_);
}

void Viewer::sendHello(const protocol::Hello &hello)
{
    if (format_ == WireFormat::kV1)
        connection_->sendText(protocol::hello(hello));
}

void Viewer::sendState(const CameraStatus &camera)
{
    if (closing_ || camera.state == CameraState::kIdle)
        return;
    if (format_ == WireFormat::kV1)
        connection_->sendText(protocol::state(camera));
    // HTTP has a word for it as long as its answer has not begun.
    else if (format_ == WireFormat::kMultipart && camera.state == CameraState::kUnavailable && !sent_any_)
        close(CloseCode::kTryAgainLater, camera.reason);
}

void Viewer::offer(const FramePtr &frame)
{
    if (!active() || !pacer_.take(frame->captured))
        return;
    if (pending_)
        status_.skipped();
    pending_ = frame;
    sendPending();
}

void Viewer::sendPending()
{
    if (!pending_ || writing_ || !active())
        return;
    const auto now = scheduler_.now();
    if (format_ == WireFormat::kV1) {
        if (!flow_.maySend(now)) {
            flow_.onHeldBack();
            return;
        }
        flow_.onSent(pending_->sequence, pending_->bytes, now);
    }
    writing_ = std::exchange(pending_, nullptr);
    write_started_ = now;
    sent_any_ = true;
    message_budget_ += kMessagesPerFrame;
    connection_->sendFrame(writing_, format_);
}

void Viewer::onFrameWritten()
{
    if (!writing_)
        return;
    const auto frame = std::exchange(writing_, nullptr);
    status_.sent(frame->bytes, scheduler_.now() - frame->captured);
    sendPending();
}

void Viewer::onText(std::string_view message)
{
    onAlive();
    // Clients without a subprotocol have nothing to say; some say it all the same.
    if (closing_ || !chargeMessage() || format_ != WireFormat::kV1)
        return;
    if (const auto ack = protocol::parsePlainAck(message))
        return handle(*ack);
    const auto parsed = protocol::parse(message);
    if (!parsed) {
        close(parsed.error().code, parsed.error().reason);
        return;
    }
    std::visit([this](const auto &known) { handle(known); }, *parsed);
}

void Viewer::onBinary()
{
    close(CloseCode::kUnsupportedData, "binary messages are not understood");
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
    if (!paused) {
        owner_.onResumed(*this);
        return;
    }
    // A hidden page paints nothing, so it owes nothing.
    flow_.clear();
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
    if (format_ == WireFormat::kV1 && flow_.silence(now) >= limits_.ack_timeout)
        return close(CloseCode::kPolicyViolation, "no acknowledgement");
    if (format_ == WireFormat::kMultipart)
        return; // HTTP has no ping; the kernel or the write timeout ends it
    if (ping_open_ && now - pinged_ >= 2 * limits_.ping_interval)
        return close(CloseCode::kPolicyViolation, "no answer to a ping");
    if (!ping_open_ && now - last_heard_ >= limits_.ping_interval) {
        ping_open_ = true;
        pinged_ = now;
        connection_->ping();
    }
}

void Viewer::close(CloseCode code, std::string_view reason)
{
    if (closing_)
        return;
    closing_ = true;
    pending_.reset();
    connection_->close(code, reason);
    owner_.onDemandChanged();
}

} // namespace picam
