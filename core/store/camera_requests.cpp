#include "core/store/camera_requests.h"

#include "core/store/frame_store_format.h"

#include <cerrno>
#include <climits>
#include <ctime>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

using store::StoreHeader;

std::uint64_t wordOffset(CameraRequests::Word word)
{
    switch (word) {
    case CameraRequests::Word::kEvent:
        return offsetof(StoreHeader, event);
    case CameraRequests::Word::kCameraRequest:
        return offsetof(StoreHeader, camera_request);
    case CameraRequests::Word::kStillRequest:
        return offsetof(StoreHeader, still_request);
    }
    return offsetof(StoreHeader, event);
}

// 32-bit systems with a 64-bit time_t have a call of their own for it.
#ifdef SYS_futex_time64
constexpr long kFutexCall = sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
constexpr long kFutexCall = SYS_futex;
#endif

std::int64_t nanoseconds(MonotonicTime time)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// Never 0, which says that nothing is requested.
std::uint32_t monotonicMs()
{
    const auto ms = static_cast<std::uint32_t>(nanoseconds(std::chrono::steady_clock::now()) / 1'000'000);
    return ms != 0 ? ms : 1;
}

} // namespace

Expected<CameraRequests> CameraRequests::open(const std::string &path)
{
    int fd = -1;
    auto file = openStoreFile(path, &fd);
    if (!file)
        return tl::unexpected<Error>(std::move(file.error()));
    void *words = ::mmap(nullptr, store::kFirstSlotOffset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        return failErrno(ErrorKind::kIo, fmt::format("cannot map the frame store {}", path), errno);
    return CameraRequests(std::move(*file), words);
}

CameraRequests::CameraRequests(CameraRequests &&other) noexcept
    : file_(std::move(other.file_)), words_(std::exchange(other.words_, nullptr))
{
}

CameraRequests &CameraRequests::operator=(CameraRequests &&other) noexcept
{
    std::swap(file_, other.file_);
    std::swap(words_, other.words_);
    return *this;
}

CameraRequests::~CameraRequests()
{
    if (words_ != nullptr)
        ::munmap(words_, store::kFirstSlotOffset);
}

void *CameraRequests::address(Word word) const
{
    return static_cast<char *>(words_) + wordOffset(word);
}

std::uint32_t CameraRequests::value(Word word) const
{
    // A file cut short reads as 0: waiting on it returns at once, with EFAULT.
    std::uint32_t value = 0;
    if (file_->read(&value, sizeof(value), wordOffset(word)) != static_cast<long>(sizeof(value)))
        return 0;
    return value;
}

void CameraRequests::waitChanged(Word word, std::uint32_t seen, std::optional<MonotonicTime> deadline) const
{
    timespec until{};
    if (deadline) {
        const std::int64_t since_boot = nanoseconds(*deadline);
        until.tv_sec = static_cast<time_t>(since_boot / 1'000'000'000);
        until.tv_nsec = static_cast<long>(since_boot % 1'000'000'000);
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC deadline; the word is shared, hence not PRIVATE.
    const long result = ::syscall(kFutexCall, address(word), FUTEX_WAIT_BITSET, seen, deadline ? &until : nullptr,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result != 0 && errno == EFAULT) {
        // Somebody cut the file off: give the words their page back, or every wait would return at once.
        constexpr char kZero = 0;
        static_cast<void>(file_->write(&kZero, 1, store::kFirstSlotOffset - 1));
    }
}

void CameraRequests::signal(Word word) const
{
    // The kernel adds one and wakes, and where a mapping is cut off it answers with EFAULT and no SIGBUS.
    constexpr int kAddOne = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
    constexpr long kNoneMore = 0; // woken beside those of the first word, which is the same
    if (::syscall(kFutexCall, address(word), FUTEX_WAKE_OP, INT_MAX, kNoneMore, address(word), kAddOne) >= 0)
        return;
    const std::uint32_t next = value(word) + 1;
    static_cast<void>(file_->write(&next, sizeof(next), wordOffset(word)));
    ::syscall(kFutexCall, address(word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void CameraRequests::requestCamera() const
{
    const std::uint32_t now = monotonicMs();
    static_cast<void>(file_->write(&now, sizeof(now), offsetof(StoreHeader, camera_requested_ms)));
    signal(Word::kCameraRequest);
    signal(Word::kStillRequest);
}

void CameraRequests::cameraGranted() const
{
    constexpr std::uint32_t kNoRequest = 0;
    static_cast<void>(file_->write(&kNoRequest, sizeof(kNoRequest), offsetof(StoreHeader, camera_requested_ms)));
}

std::uint32_t CameraRequests::controlsGeneration() const
{
    std::uint32_t generation = 0;
    if (file_->read(&generation, sizeof(generation), offsetof(StoreHeader, controls_generation)) !=
        static_cast<long>(sizeof(generation)))
        return 0;
    return generation;
}

void CameraRequests::setControlsGeneration(std::uint32_t generation) const
{
    static_cast<void>(file_->write(&generation, sizeof(generation), offsetof(StoreHeader, controls_generation)));
    signal(Word::kStillRequest);
    signal(Word::kEvent);
}

bool CameraRequests::isCameraRequested(std::chrono::milliseconds time) const
{
    std::uint32_t requested = 0;
    if (file_->read(&requested, sizeof(requested), offsetof(StoreHeader, camera_requested_ms)) !=
        static_cast<long>(sizeof(requested)))
        return false;
    return requested != 0 && monotonicMs() - requested < static_cast<std::uint32_t>(time.count());
}

} // namespace picam
