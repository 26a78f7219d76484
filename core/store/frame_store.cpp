#include "core/store/frame_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <mutex>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace picam {
namespace {

using store::SlotEntry;
using store::SlotState;
using store::StoreHeader;

constexpr std::size_t kTableBytes = sizeof(StoreHeader) + store::kSlotCount * sizeof(SlotEntry);
constexpr std::uint32_t kMaxSide = 65535; // pixels; what a JPEG can be
constexpr int kReadTries = 8;             // each lost try means that the writer lapped us by four pictures

// FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/
std::uint64_t checksumOf(const void *data, std::size_t bytes)
{
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    const auto *byte = static_cast<const unsigned char *>(data);
    for (std::size_t i = 0; i < bytes; ++i)
        hash = (hash ^ byte[i]) * 0x100000001b3ULL;
    return hash;
}

StoreHeader ourHeader()
{
    StoreHeader header{};
    header.magic = store::kMagic;
    header.layout_version = store::kLayoutVersion;
    header.slot_count = store::kSlotCount;
    header.slot_capacity = store::kSlotCapacity;
    header.checksum = checksumOf(&header, offsetof(StoreHeader, checksum));
    return header;
}

bool isOurs(const StoreHeader &header)
{
    static const StoreHeader ours = ourHeader();
    return std::memcmp(&header, &ours, offsetof(StoreHeader, event)) == 0;
}

bool isWhole(const SlotEntry &entry)
{
    return entry.state == static_cast<std::uint32_t>(SlotState::kWhole) && entry.sequence != 0 &&
           entry.checksum == checksumOf(&entry, offsetof(SlotEntry, checksum)) && entry.bytes > 0 &&
           entry.bytes <= store::kSlotCapacity && entry.width > 0 && entry.width <= kMaxSide && entry.height > 0 &&
           entry.height <= kMaxSide;
}

struct Table {
    StoreHeader header;
    std::array<SlotEntry, store::kSlotCount> entries;
};
static_assert(sizeof(Table) == kTableBytes);

bool isNewer(const SlotEntry &one, const SlotEntry &other)
{
    // Two of the still's size may stand beside the same frame.
    return one.sequence != other.sequence ? one.sequence > other.sequence
                                          : one.captured_monotonic_ns > other.captured_monotonic_ns;
}

const SlotEntry *newestWhole(const Table &table, FrameStore::Kind kind)
{
    const std::span<const SlotEntry> all(table.entries);
    const auto slots =
        kind == FrameStore::Kind::kSequence ? all.first(store::kSequenceSlots) : all.subspan(store::kSequenceSlots);
    const SlotEntry *newest = nullptr;
    for (const SlotEntry &entry : slots)
        if (isWhole(entry) && (newest == nullptr || isNewer(entry, *newest)))
            newest = &entry;
    return newest;
}

std::size_t slotFor(const Table &table, std::uint64_t sequence, bool still_size)
{
    if (!still_size)
        return sequence % store::kSequenceSlots;
    const SlotEntry *newest = newestWhole(table, FrameStore::Kind::kStillSize);
    return newest == &table.entries[store::kSequenceSlots] ? store::kSequenceSlots + 1 : store::kSequenceSlots;
}

std::uint64_t entryOffset(std::size_t slot)
{
    return sizeof(StoreHeader) + slot * sizeof(SlotEntry);
}

std::uint64_t slotOffset(std::size_t slot)
{
    return store::kFirstSlotOffset + slot * store::kSlotCapacity;
}

std::uint64_t wordOffset(FrameStore::Word word)
{
    switch (word) {
    case FrameStore::Word::kEvent:
        return offsetof(StoreHeader, event);
    case FrameStore::Word::kCameraWish:
        return offsetof(StoreHeader, camera_wish);
    case FrameStore::Word::kStillWish:
        return offsetof(StoreHeader, still_wish);
    }
    return offsetof(StoreHeader, event);
}

// 32-bit systems with a 64-bit time_t have a call of their own for it.
#ifdef SYS_futex_time64
constexpr long kFutexCall = sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
constexpr long kFutexCall = SYS_futex;
#endif

template <class Duration>
std::int64_t nanoseconds(Duration duration)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

std::uint32_t monotonicMs()
{
    return static_cast<std::uint32_t>(nanoseconds(std::chrono::steady_clock::now().time_since_epoch()) / 1'000'000);
}

class RealStoreFile : public StoreFile {
public:
    explicit RealStoreFile(int fd) : fd_(fd) {}
    RealStoreFile(const RealStoreFile &) = delete;
    RealStoreFile &operator=(const RealStoreFile &) = delete;
    ~RealStoreFile() override { ::close(fd_); }
    long read(void *to, std::size_t bytes, std::uint64_t offset) override
    {
        return static_cast<long>(::pread(fd_, to, bytes, static_cast<off_t>(offset)));
    }
    long write(const void *from, std::size_t bytes, std::uint64_t offset) override
    {
        return static_cast<long>(::pwrite(fd_, from, bytes, static_cast<off_t>(offset)));
    }

private:
    int fd_;
};

} // namespace

struct FrameStore::State {
    std::unique_ptr<StoreFile> file;
    std::string path;
    void *words = nullptr; // the first page, for the kernel's futex calls only: never dereferenced
    std::array<std::uint32_t, 16> private_words{};
    std::mutex publishing;
    std::uint64_t last_published = 0; // guarded by publishing

    State() = default;
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State()
    {
        if (words != nullptr)
            ::munmap(words, store::kFirstSlotOffset);
    }

    // All or an error; a short read is kCorrupt, since nothing in a store ends early.
    [[nodiscard]] Expected<void> readAll(void *to, std::size_t bytes, std::uint64_t offset) const
    {
        std::size_t done = 0;
        while (done < bytes) {
            const long got = file->read(static_cast<char *>(to) + done, bytes - done, offset + done);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return failErrno(ErrorKind::kIo, fmt::format("cannot read the frame store {}", path), errno);
            if (got == 0)
                return fail(ErrorKind::kCorrupt, fmt::format("the frame store {} is cut short", path));
            done += static_cast<std::size_t>(got);
        }
        return {};
    }

    [[nodiscard]] Expected<void> writeAll(const void *from, std::size_t bytes, std::uint64_t offset) const
    {
        std::size_t done = 0;
        while (done < bytes) {
            const long put = file->write(static_cast<const char *>(from) + done, bytes - done, offset + done);
            if (put < 0 && errno == EINTR)
                continue;
            if (put <= 0)
                return failErrno(ErrorKind::kIo, fmt::format("cannot write the frame store {}", path),
                                 put < 0 ? errno : ENOSPC);
            done += static_cast<std::size_t>(put);
        }
        return {};
    }

    [[nodiscard]] void *address(Word word)
    {
        char *base = words != nullptr ? static_cast<char *>(words) : reinterpret_cast<char *>(private_words.data());
        return base + wordOffset(word);
    }

    // The whole table; empty: the file is still empty, so there is no picture and nothing wrong either.
    [[nodiscard]] Expected<std::optional<Table>> readTable() const
    {
        Table table{};
        char first = 0;
        if (file->read(&first, 1, 0) == 0)
            return std::optional<Table>();
        if (auto done = readAll(&table, sizeof(table), 0); !done)
            return tl::unexpected<Error>(std::move(done.error()));
        // Waiting on a word makes a page of zeros of a new file.
        static constexpr std::uint64_t kNothing = 0;
        if (table.header.magic == kNothing && table.header.layout_version == 0 && table.header.checksum == 0)
            return std::optional<Table>();
        if (!isOurs(table.header))
            return fail(ErrorKind::kCorrupt,
                        fmt::format("{} is no frame store of layout {}", path, store::kLayoutVersion));
        return std::optional<Table>(table);
    }

    [[nodiscard]] Expected<std::optional<StoredPicture>> readNewest(Kind kind, bool with_bytes) const;
};

FrameStore::FrameStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
FrameStore::FrameStore(FrameStore &&) noexcept = default;
FrameStore &FrameStore::operator=(FrameStore &&) noexcept = default;
FrameStore::~FrameStore() = default;

Expected<FrameStore> FrameStore::open(const std::string &path)
{
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0660);
    if (fd < 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot open the frame store {}", path), errno);
    auto state = std::make_unique<State>();
    state->file = std::make_unique<RealStoreFile>(fd);
    state->path = path;
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return fail(ErrorKind::kIo, fmt::format("{} is in the way: it is no regular file", path));
    // The umask may have taken the group's right to write, which the other program needs.
    if (status.st_uid == ::geteuid())
        static_cast<void>(::fchmod(fd, 0660));
    // The futex words need a page behind them from the start.
    if (status.st_size < static_cast<off_t>(store::kFirstSlotOffset) &&
        ::ftruncate(fd, static_cast<off_t>(store::kFirstSlotOffset)) != 0)
        return failErrno(ErrorKind::kIo, fmt::format("cannot enlarge the frame store {}", path), errno);
    void *words = ::mmap(nullptr, store::kFirstSlotOffset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        return failErrno(ErrorKind::kIo, fmt::format("cannot map the frame store {}", path), errno);
    state->words = words;
    return FrameStore(std::move(state));
}

FrameStore FrameStore::overFile(std::unique_ptr<StoreFile> file)
{
    auto state = std::make_unique<State>();
    state->file = std::move(file);
    state->path = "test";
    return FrameStore(std::move(state));
}

Expected<std::uint64_t> FrameStore::publish(const Picture &picture, const StoreTag &tag)
{
    if (picture.jpeg.empty() || picture.jpeg.size() > store::kSlotCapacity)
        return fail(ErrorKind::kUnsupported, fmt::format("a picture of {} bytes does not fit the frame store's {}",
                                                         picture.jpeg.size(), store::kSlotCapacity));
    const std::lock_guard<std::mutex> lock(state_->publishing);

    auto table = state_->readTable();
    if (!table && table.error().kind == ErrorKind::kIo)
        return tl::unexpected<Error>(std::move(table.error()));
    std::uint64_t last = state_->last_published;
    const Table empty{ourHeader(), {}};
    if (table && *table) {
        if (const SlotEntry *newest = newestWhole(**table, Kind::kSequence))
            last = std::max(last, newest->sequence);
    } else {
        // New, foreign or damaged: made anew, without its old entries. The words stay: somebody may wait on them.
        if (auto done = state_->writeAll(&empty.entries, sizeof(empty.entries), sizeof(StoreHeader)); !done)
            return tl::unexpected<Error>(std::move(done.error()));
        if (auto done = state_->writeAll(&empty.header, offsetof(StoreHeader, event), 0); !done)
            return tl::unexpected<Error>(std::move(done.error()));
    }
    // A store that lost its memory goes on above whatever was served before: milliseconds outrun any frame rate.
    if (last == 0)
        last = static_cast<std::uint64_t>(nanoseconds(std::chrono::system_clock::now().time_since_epoch()) / 1000000);

    SlotEntry entry{};
    entry.sequence = tag.still_size ? last : last + 1;
    const std::size_t slot = slotFor(table && *table ? **table : empty, entry.sequence, tag.still_size);
    entry.state = static_cast<std::uint32_t>(SlotState::kWriting);
    entry.flags = (picture.settled ? store::kFlagSettled : 0U) | (tag.stream ? store::kFlagStream : 0U) |
                  (tag.still_size ? store::kFlagStillSize : 0U) | (tag.still_offered ? store::kFlagStillOffered : 0U);
    entry.bytes = picture.jpeg.size();
    entry.width = picture.size.width;
    entry.height = picture.size.height;
    entry.captured_monotonic_ns = nanoseconds(picture.captured.time_since_epoch());
    entry.captured_wall_ns = nanoseconds(picture.captured_wall.time_since_epoch());
    entry.interval_us = static_cast<std::uint32_t>(std::clamp<std::int64_t>(tag.interval.count(), 0, UINT32_MAX));
    entry.writer_pid = static_cast<std::uint32_t>(::getpid());
    entry.exposure_us = picture.exposure.time_us;
    entry.sensitivity = picture.exposure.sensitivity;
    entry.color_temperature = picture.exposure.color_temperature;
    entry.checksum = checksumOf(&entry, offsetof(SlotEntry, checksum));
    if (auto done = state_->writeAll(&entry, sizeof(entry), entryOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    // The system calls order these writes among themselves on every kernel seen; the fences say that it matters.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (auto done = state_->writeAll(picture.jpeg.data(), picture.jpeg.size(), slotOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    std::atomic_thread_fence(std::memory_order_seq_cst);
    entry.state = static_cast<std::uint32_t>(SlotState::kWhole);
    entry.checksum = checksumOf(&entry, offsetof(SlotEntry, checksum));
    if (auto done = state_->writeAll(&entry, sizeof(entry), entryOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    if (!tag.still_size)
        state_->last_published = entry.sequence;
    signal(Word::kEvent);
    return entry.sequence;
}

Expected<std::optional<StoredPicture>> FrameStore::State::readNewest(Kind kind, bool with_bytes) const
{
    for (int attempt = 0; attempt < kReadTries; ++attempt) {
        auto table = readTable();
        if (!table)
            return tl::unexpected<Error>(std::move(table.error()));
        const SlotEntry *entry = *table ? newestWhole(**table, kind) : nullptr;
        // A stamp ahead of the clock is from before a reboot: that picture is nobody's newest.
        const auto now = std::chrono::steady_clock::now();
        if (entry == nullptr || entry->captured_monotonic_ns > nanoseconds(now.time_since_epoch()))
            return std::optional<StoredPicture>();

        const auto slot = static_cast<std::size_t>(entry - (*table)->entries.data());
        auto picture = std::make_shared<Picture>();
        picture->size = {entry->width, entry->height};
        picture->sequence = entry->sequence;
        picture->settled = (entry->flags & store::kFlagSettled) != 0;
        picture->captured = MonotonicTime(std::chrono::duration_cast<MonotonicTime::duration>(
            std::chrono::nanoseconds(entry->captured_monotonic_ns)));
        picture->captured_wall =
            WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(entry->captured_wall_ns)));
        picture->exposure = {entry->exposure_us, entry->sensitivity, entry->color_temperature};
        const StoreTag tag{(entry->flags & store::kFlagStream) != 0, (entry->flags & store::kFlagStillSize) != 0,
                           (entry->flags & store::kFlagStillOffered) != 0,
                           std::chrono::microseconds(entry->interval_us)};
        if (!with_bytes)
            return std::optional<StoredPicture>(StoredPicture{std::move(picture), tag});

        picture->jpeg.resize(static_cast<std::size_t>(entry->bytes));
        if (auto done = readAll(picture->jpeg.data(), picture->jpeg.size(), slotOffset(slot)); !done)
            return tl::unexpected<Error>(std::move(done.error()));
        std::atomic_thread_fence(std::memory_order_seq_cst);
        SlotEntry again{};
        if (auto done = readAll(&again, sizeof(again), entryOffset(slot)); !done)
            return tl::unexpected<Error>(std::move(done.error()));
        if (std::memcmp(&again, entry, sizeof(again)) == 0)
            return std::optional<StoredPicture>(StoredPicture{std::move(picture), tag});
    }
    return fail(ErrorKind::kTimeout, fmt::format("the frame store {} changes faster than it can be read", path));
}

Expected<std::optional<StoredPicture>> FrameStore::newest(Kind kind) const
{
    return state_->readNewest(kind, true);
}

Expected<std::optional<StoredPicture>> FrameStore::newestEntry(Kind kind) const
{
    return state_->readNewest(kind, false);
}

std::uint32_t FrameStore::value(Word word) const
{
    std::uint32_t value = 0;
    if (state_->words == nullptr)
        return std::atomic_ref<std::uint32_t>(*static_cast<std::uint32_t *>(state_->address(word))).load();
    // A file cut short reads as 0: waiting on it returns at once, with EFAULT.
    if (state_->file->read(&value, sizeof(value), wordOffset(word)) != static_cast<long>(sizeof(value)))
        return 0;
    return value;
}

void FrameStore::waitChanged(Word word, std::uint32_t seen, std::optional<MonotonicTime> deadline) const
{
    timespec until{};
    if (deadline) {
        const auto since_boot = nanoseconds(deadline->time_since_epoch());
        until.tv_sec = static_cast<time_t>(since_boot / 1'000'000'000);
        until.tv_nsec = static_cast<long>(since_boot % 1'000'000'000);
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC deadline; the word is shared, hence not PRIVATE.
    const long result = ::syscall(kFutexCall, state_->address(word), FUTEX_WAIT_BITSET, seen,
                                  deadline ? &until : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result != 0 && errno == EFAULT) {
        // Somebody cut the file off: give the words their page back, or every wait would return at once.
        constexpr char kZero = 0;
        static_cast<void>(state_->file->write(&kZero, 1, store::kFirstSlotOffset - 1));
    }
}

void FrameStore::signal(Word word) const
{
    void *address = state_->address(word);
    if (state_->words == nullptr) {
        std::atomic_ref<std::uint32_t>(*static_cast<std::uint32_t *>(address)).fetch_add(1);
    } else {
        // The kernel adds one and wakes, and where a mapping is cut off it answers with EFAULT and no SIGBUS.
        constexpr int kAddOne = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
        constexpr long kNoneMore = 0; // woken beside those of the first word, which is the same
        if (::syscall(kFutexCall, address, FUTEX_WAKE_OP, INT_MAX, kNoneMore, address, kAddOne) >= 0)
            return;
        const std::uint32_t next = value(word) + 1;
        static_cast<void>(state_->file->write(&next, sizeof(next), wordOffset(word)));
    }
    ::syscall(kFutexCall, address, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void FrameStore::wishForCamera() const
{
    const std::uint32_t now = monotonicMs();
    static_cast<void>(state_->file->write(&now, sizeof(now), offsetof(StoreHeader, wished_ms)));
    signal(Word::kCameraWish);
    signal(Word::kStillWish);
}

void FrameStore::wishIsGranted() const
{
    constexpr std::uint32_t kNoWish = 0;
    static_cast<void>(state_->file->write(&kNoWish, sizeof(kNoWish), offsetof(StoreHeader, wished_ms)));
}

bool FrameStore::isCameraWished(std::chrono::milliseconds time) const
{
    std::uint32_t wished = 0;
    if (state_->file->read(&wished, sizeof(wished), offsetof(StoreHeader, wished_ms)) !=
        static_cast<long>(sizeof(wished)))
        return false;
    return wished != 0 && monotonicMs() - wished < static_cast<std::uint32_t>(time.count());
}

} // namespace picam
