// The least that any program can do to publish pictures over libnats: a file, so many times a second.
//   nats_publisher tls://HOST:PORT HOST CA NKEY SEEDFILE SUBJECT FILE FPS SECONDS [MARK]
// MARK: a subject to which it publishes a mark behind each, and hears it, as whoever wants to know when it has arrived.
// Prints one line of JSON: how many, their bytes, and this process's processor time from the connection on.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nats/nats.h>
#include <string>
#include <thread>

namespace {

void check(natsStatus status, const char *what)
{
    if (status == NATS_OK)
        return;
    std::fprintf(stderr, "nats_publisher: %s: %s\n", what, natsStatus_GetText(status));
    std::exit(1);
}

double processorSeconds()
{
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 10 && argc != 11) {
        std::fprintf(stderr,
                     "usage: nats_publisher tls://HOST:PORT HOST CA NKEY SEEDFILE SUBJECT FILE FPS SECONDS [MARK]\n");
        return 1;
    }
    std::ifstream file(argv[7], std::ios::binary);
    const std::string picture{std::istreambuf_iterator<char>(file), {}};
    const double fps = std::atof(argv[8]);
    const double seconds = std::atof(argv[9]);
    natsOptions *options = nullptr;
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, argv[1]), argv[1]);
    check(natsOptions_SetSecure(options, true), "TLS");
    check(natsOptions_LoadCATrustedCertificates(options, argv[3]), argv[3]);
    check(natsOptions_SetExpectedHostname(options, argv[2]), argv[2]);
    check(natsOptions_SetNKeyFromSeed(options, argv[4], argv[5]), argv[5]);
    check(natsOptions_SetSendAsap(options, true), "send at once");
    natsConnection *connection = nullptr;
    natsStatus connected = natsConnection_Connect(&connection, options);
    if (connected == NATS_CONNECTION_AUTH_FAILED) // the right key, now and then, by libnats 3.4.1
        connected = natsConnection_Connect(&connection, options);
    check(connected, "connect");
    const char *mark = argc > 10 ? argv[10] : nullptr;
    natsSubscription *marks = nullptr;
    const auto hear = [](natsConnection *, natsSubscription *, natsMsg *message, void *) { natsMsg_Destroy(message); };
    if (mark != nullptr)
        check(natsConnection_Subscribe(&marks, connection, mark, hear, nullptr), mark);

    const double before = processorSeconds();
    const auto begun = std::chrono::steady_clock::now();
    const auto frames = static_cast<std::uint64_t>(fps * seconds);
    for (std::uint64_t i = 0; i < frames; ++i) {
        std::this_thread::sleep_until(begun + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                  std::chrono::duration<double>(static_cast<double>(i) / fps)));
        check(natsConnection_Publish(connection, argv[6], picture.data(), static_cast<int>(picture.size())), "publish");
        if (mark != nullptr)
            check(natsConnection_PublishString(connection, mark, "8 bytes!"), "publish the mark");
    }
    check(natsConnection_Flush(connection), "flush");
    std::printf("{\"frames\":%llu,\"bytes\":%llu,\"cpu_seconds\":%.6f}\n", static_cast<unsigned long long>(frames),
                static_cast<unsigned long long>(frames * picture.size()), processorSeconds() - before);
    natsSubscription_Destroy(marks);
    natsConnection_Destroy(connection);
    natsOptions_Destroy(options);
    nats_Close();
}
