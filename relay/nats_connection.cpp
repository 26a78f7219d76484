#include "relay/nats_connection.h"

#include "core/base/log.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace picam {
namespace {

constexpr std::int64_t kConnectTimeoutMs = 2000; // for each step: TCP, the server's greeting, TLS
constexpr std::int64_t kPingIntervalMs = 20'000; // while nobody watches
constexpr int kMaxPingsOut = 2;
constexpr std::int64_t kLibraryEndMs = 2000;

// A message that outlives libnats is not given back to it, which would crash. The loop's thread alone sets it and ends
// what is left.
std::atomic<bool> library_ended{false};

void destroyMessage(natsMsg *message)
{
    if (!library_ended)
        natsMsg_Destroy(message);
}

std::string textOf(natsStatus status)
{
    if (status == NATS_CONNECTION_AUTH_FAILED)
        return "it does not let this key in";
    const char *detail = nats_GetLastError(nullptr);
    return detail != nullptr && *detail != '\0' ? detail : natsStatus_GetText(status);
}

// --- threads of libnats

void onMessage(natsConnection *, natsSubscription *subscription, natsMsg *message, void *closure)
{
    auto &topic = *static_cast<Topic *>(closure);
    std::shared_ptr<natsMsg> owner(message, destroyMessage);
    if (topic.kind == Topic::Kind::kByCredits)
        topic.events.onCreditUsed(subscription);
    topic.events.onMessage(topic, std::move(owner));
}

void onClosed(natsConnection *, void *closure)
{
    static_cast<NatsConnectionEvents *>(closure)->onClosed();
}

// What the server refuses, in its words; that a message was too many for a subscription.
void onError(natsConnection *connection, natsSubscription *, natsStatus status, void *)
{
    const char *text = nullptr;
    natsConnection_GetLastError(connection, &text);
    log::warning("the engine: {}", text != nullptr && *text != '\0' ? text : natsStatus_GetText(status));
}

// --- the Engine's thread

struct OptionsDeleter {
    void operator()(natsOptions *options) const { natsOptions_Destroy(options); }
};
using OptionsPtr = std::unique_ptr<natsOptions, OptionsDeleter>;

Expected<OptionsPtr> optionsFor(const EngineServer &server, const NatsConnectionOptions &options,
                                NatsConnectionEvents &events)
{
    natsOptions *made = nullptr;
    natsStatus status = natsOptions_Create(&made);
    OptionsPtr owner(made);
    const auto set = [&status, made](auto function, auto... values) {
        if (status == NATS_OK)
            status = function(made, values...);
    };
    const EngineOptions &engine = options.engine;
    set(natsOptions_SetURL, server.url.c_str());
    set(natsOptions_SetName, engine.client_name.c_str());
    set(natsOptions_SetTimeout, kConnectTimeoutMs);
    set(natsOptions_SetWriteDeadline, std::int64_t{options.write_deadline.count()});
    set(natsOptions_SetPingInterval, kPingIntervalMs);
    set(natsOptions_SetMaxPingsOut, kMaxPingsOut);
    set(natsOptions_SetAllowReconnect, false);
    set(natsOptions_SetSendAsap, true);
    set(natsOptions_UseGlobalMessageDelivery, true);
    set(natsOptions_SetClosedCB, onClosed, &events);
    set(natsOptions_SetErrorHandler, onError, nullptr);
    if (server.tls) {
        set(natsOptions_SetSecure, true);
        set(natsOptions_LoadCATrustedCertificates, engine.ca_file.c_str());
        set(natsOptions_SetExpectedHostname, server.host.c_str());
    }
    if (!engine.nkey.empty())
        set(natsOptions_SetNKeyFromSeed, engine.nkey.c_str(), engine.seed_file.c_str());
    if (status != NATS_OK)
        return fail(ErrorKind::kIo, textOf(status));
    return owner;
}

natsStatus subscribe(natsConnection *connection, Topic &topic, std::vector<natsSubscription *> &subscriptions)
{
    natsSubscription *subscription = nullptr;
    const natsStatus status =
        natsConnection_Subscribe(&subscription, connection, topic.subject.c_str(), onMessage, &topic);
    if (status == NATS_OK)
        subscriptions.push_back(subscription);
    return status;
}

void destroyAll(std::vector<natsSubscription *> &subscriptions)
{
    for (auto *subscription : std::exchange(subscriptions, {}))
        natsSubscription_Destroy(subscription);
}

} // namespace

Expected<std::unique_ptr<NatsConnection>>
NatsConnection::connect(const EngineServer &server, const NatsConnectionOptions &options, NatsConnectionEvents &events)
{
    const auto made = optionsFor(server, options, events);
    if (!made)
        return tl::unexpected<Error>(made.error());
    natsConnection *raw = nullptr;
    natsStatus status = natsConnection_Connect(&raw, made->get());
    // Seen with libnats 3.4.1: four of 640 connections with the right key were refused, and none that asked once more.
    if (status == NATS_CONNECTION_AUTH_FAILED && !options.engine.nkey.empty())
        status = natsConnection_Connect(&raw, made->get());
    std::string reason = status == NATS_OK ? std::string() : textOf(status);
    std::unique_ptr<NatsConnection> connection(new NatsConnection(raw, options));
    for (const auto &topic : options.topics)
        if (status == NATS_OK && topic->kind == Topic::Kind::kAlways) {
            status = subscribe(raw, *topic, connection->always_);
            if (status != NATS_OK)
                reason = textOf(status);
        }
    if (status != NATS_OK)
        return fail(ErrorKind::kIo, std::move(reason));
    return connection;
}

NatsConnection::NatsConnection(natsConnection *connection, const NatsConnectionOptions &options)
    : connection_(connection), topics_(options.topics), queue_(options.queue)
{
}

NatsConnection::~NatsConnection()
{
    destroyAll(always_);
    destroyAll(at_times_);
    destroyAll(credits_);
    natsConnection_Destroy(connection_);
}

void NatsConnection::publish(const std::string &subject, const void *data, std::size_t bytes, const std::string &reply)
{
    const int size = static_cast<int>(bytes);
    if (reply.empty())
        natsConnection_Publish(connection_, subject.c_str(), data, size);
    else
        natsConnection_PublishRequest(connection_, subject.c_str(), reply.c_str(), data, size);
}

bool NatsConnection::setListening(bool listening)
{
    if (listening == listening_)
        return true;
    listening_ = listening;
    if (!listening)
        destroyAll(at_times_);
    return !listening || std::all_of(topics_.begin(), topics_.end(), [this](const auto &topic) {
        return topic->kind != Topic::Kind::kAtTimes || subscribe(connection_, *topic, at_times_) == NATS_OK;
    });
}

bool NatsConnection::setCredits(const std::vector<natsSubscription *> &used, unsigned credits)
{
    const auto drop = [this](std::vector<natsSubscription *>::iterator at) {
        natsSubscription_Destroy(*at);
        credits_.erase(at);
    };
    for (auto *credit : used)
        if (const auto at = std::find(credits_.begin(), credits_.end(), credit); at != credits_.end())
            drop(at);
    while (credits_.size() > credits)
        drop(credits_.begin());
    const auto topic = std::find_if(topics_.begin(), topics_.end(),
                                    [](const auto &one) { return one->kind == Topic::Kind::kByCredits; });
    while (topic != topics_.end() && credits_.size() < credits) {
        natsSubscription *credit = nullptr;
        if (natsConnection_QueueSubscribe(&credit, connection_, (*topic)->subject.c_str(), queue_.c_str(), onMessage,
                                          topic->get()) != NATS_OK)
            return false;
        credits_.push_back(credit);
        if (natsSubscription_AutoUnsubscribe(credit, 1) != NATS_OK)
            return false;
    }
    return true;
}

NatsConnection::End NatsConnection::end() const
{
    const char *text = nullptr;
    const natsStatus status = natsConnection_GetLastError(connection_, &text);
    return {text != nullptr && *text != '\0' ? text : natsStatus_GetText(status), status == NATS_TIMEOUT};
}

bool endNats()
{
    library_ended = true;
    return nats_CloseAndWait(kLibraryEndMs) == NATS_OK;
}

} // namespace picam
