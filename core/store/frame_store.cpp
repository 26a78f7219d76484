#include "core/store/frame_store.h"

#include "core/store/frame_store_format.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <mutex>
#include <span>
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

template <class Duration>
std::int64_t nanoseconds(Duration duration)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

} // namespace

struct FrameStore::State {
    std::unique_ptr<StoreFile> file;
    std::string path;
    const CameraRequests &requests;
    std::mutex publishing;
    std::uint64_t last_published = 0; // guarded by publishing

    State(std::unique_ptr<StoreFile> store_file, std::string store_path, const CameraRequests &words)
        : file(std::move(store_file)), path(std::move(store_path)), requests(words)
    {
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

FrameStore::FrameStore(std::unique_ptr<StoreFile> file, std::string path, const CameraRequests &requests)
    : state_(std::make_unique<State>(std::move(file), std::move(path), requests))
{
}
FrameStore::FrameStore(FrameStore &&) noexcept = default;
FrameStore &FrameStore::operator=(FrameStore &&) noexcept = default;
FrameStore::~FrameStore() = default;

Expected<FrameStore> FrameStore::open(const std::string &path, const CameraRequests &requests)
{
    auto file = openStoreFile(path);
    if (!file)
        return tl::unexpected<Error>(std::move(file.error()));
    return FrameStore(std::move(*file), path, requests);
}

Expected<std::uint64_t> FrameStore::publish(const Picture &picture, const StoreTag &tag)
{
    if (picture.bytes.empty() || picture.bytes.size() > store::kSlotCapacity)
        return fail(ErrorKind::kUnsupported, fmt::format("a picture of {} bytes does not fit the frame store's {}",
                                                         picture.bytes.size(), store::kSlotCapacity));
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
    entry.flags = (picture.converged ? store::kFlagConverged : 0U) | (tag.stream ? store::kFlagStream : 0U) |
                  (tag.still_size ? store::kFlagStillSize : 0U) | (tag.still_offered ? store::kFlagStillOffered : 0U);
    entry.bytes = picture.bytes.size();
    entry.width = picture.size.width;
    entry.height = picture.size.height;
    entry.captured_monotonic_ns = nanoseconds(picture.captured.time_since_epoch());
    entry.captured_wall_ns = nanoseconds(picture.captured_wall.time_since_epoch());
    entry.interval_us = static_cast<std::uint32_t>(std::clamp<std::int64_t>(tag.interval.count(), 0, UINT32_MAX));
    entry.writer_pid = static_cast<std::uint32_t>(::getpid());
    entry.exposure_us = picture.exposure.time_us;
    entry.sensitivity = picture.exposure.sensitivity;
    entry.color_temperature = picture.exposure.color_temperature;
    entry.controls_generation = picture.controls_generation;
    entry.checksum = checksumOf(&entry, offsetof(SlotEntry, checksum));
    if (auto done = state_->writeAll(&entry, sizeof(entry), entryOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    // The system calls order these writes among themselves on every kernel seen; the fences say that it matters.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (auto done = state_->writeAll(picture.bytes.data(), picture.bytes.size(), slotOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    std::atomic_thread_fence(std::memory_order_seq_cst);
    entry.state = static_cast<std::uint32_t>(SlotState::kWhole);
    entry.checksum = checksumOf(&entry, offsetof(SlotEntry, checksum));
    if (auto done = state_->writeAll(&entry, sizeof(entry), entryOffset(slot)); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    if (!tag.still_size)
        state_->last_published = entry.sequence;
    state_->requests.signal(CameraRequests::Word::kEvent);
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
        picture->converged = (entry->flags & store::kFlagConverged) != 0;
        picture->captured = MonotonicTime(std::chrono::duration_cast<MonotonicTime::duration>(
            std::chrono::nanoseconds(entry->captured_monotonic_ns)));
        picture->captured_wall =
            WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(entry->captured_wall_ns)));
        picture->exposure = {entry->exposure_us, entry->sensitivity, entry->color_temperature};
        picture->controls_generation = entry->controls_generation;
        const StoreTag tag{(entry->flags & store::kFlagStream) != 0, (entry->flags & store::kFlagStillSize) != 0,
                           (entry->flags & store::kFlagStillOffered) != 0,
                           std::chrono::microseconds(entry->interval_us)};
        if (!with_bytes)
            return std::optional<StoredPicture>(StoredPicture{std::move(picture), tag});

        picture->bytes.resize(static_cast<std::size_t>(entry->bytes));
        if (auto done = readAll(picture->bytes.data(), picture->bytes.size(), slotOffset(slot)); !done)
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

} // namespace picam
