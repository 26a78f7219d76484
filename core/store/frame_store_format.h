// The frame store's layout, written down once. Native endianness: it never leaves the machine.
//
//   0      StoreHeader         who wrote it, in which layout, and the words that processes wait on
//   64     SlotEntry[6]        one line about each slot
//   4096   slot 0 to 5         a JPEG each, `slot_capacity` bytes apart (sparse: unused pages cost nothing)
//
// Slots 0 to 3 are for the pictures that follow each other, of whatever size: sequence n goes to slot n % 4. Slots 4
// and 5, in turn, are for what was made at the still's size beside a stream. Publishing: mark the slot's entry as being
// written, write the bytes, write the entry, change `event`, wake. A writer killed anywhere leaves the other slots
// whole. A reader takes the valid entry with the highest sequence, copies the bytes and reads the entry again:
// unchanged means whole. Both use pread and pwrite, which answer a truncated file with a short count where a mapping
// would answer with SIGBUS; only the futex words are mapped, and they are touched by the kernel alone (FUTEX_WAIT fails
// with EFAULT).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace picam::store {

constexpr std::uint64_t kMagic = 0x314d41434950ULL; // "PICAM1"
constexpr std::uint32_t kLayoutVersion = 2;
constexpr std::uint32_t kSequenceSlots = 4; // the first so many
constexpr std::uint32_t kStillSlots = 2;    // behind them
constexpr std::uint32_t kSlotCount = kSequenceSlots + kStillSlots;
constexpr std::uint64_t kSlotCapacity = 32ULL << 20U; // bytes; a full-size still of any camera of today
constexpr std::uint64_t kFirstSlotOffset = 4096;

struct StoreHeader {
    std::uint64_t magic;
    std::uint32_t layout_version;
    std::uint32_t slot_count;
    std::uint64_t slot_capacity;
    std::uint64_t checksum; // of the fields above
    // Futex words: a change wakes those who wait; the value means nothing.
    std::uint32_t event;               // a picture was published, or the camera was released
    std::uint32_t camera_request;      // a process waits for the camera lock
    std::uint32_t still_request;       // a process requests a picture, or the camera: holders wait on this one
    std::uint32_t camera_requested_ms; // when it was last requested: CLOCK_MONOTONIC in ms, modulo 2^32; 0: granted
    std::uint32_t controls_generation; // of the newest change of a control: pictures of another are from before it
    std::uint32_t reserved[3];
};
static_assert(sizeof(StoreHeader) == 64 && std::is_trivially_copyable_v<StoreHeader>);
static_assert(offsetof(StoreHeader, event) == 32 && offsetof(StoreHeader, camera_requested_ms) == 44);

enum class SlotState : std::uint32_t { kEmpty = 0, kWriting = 1, kWhole = 2 };

struct SlotEntry {
    std::uint64_t sequence;             // 0: never used
    std::uint32_t state;                // SlotState
    std::uint32_t flags;                // kFlag…
    std::uint64_t bytes;                // length of the JPEG
    std::uint32_t width;                // pixels
    std::uint32_t height;               // pixels
    std::int64_t captured_monotonic_ns; // CLOCK_MONOTONIC
    std::int64_t captured_wall_ns;      // CLOCK_REALTIME, since the epoch
    std::uint32_t interval_us;          // time until the next picture is due; 0: none is promised
    std::uint32_t writer_pid;
    std::uint32_t exposure_us;         // exposure time; 0: the camera does not say
    std::uint32_t sensitivity;         // ISO; 0: the camera does not say
    std::uint32_t color_temperature;   // kelvin, by automatic white balance; 0: the camera does not say
    std::uint32_t controls_generation; // of the controls in force; 0: none were wanted
    std::uint32_t reserved[4];
    std::uint64_t checksum; // of the fields above: a half-written entry is no entry
};
static_assert(sizeof(SlotEntry) == 96 && std::is_trivially_copyable_v<SlotEntry>);
static_assert(offsetof(SlotEntry, interval_us) == 48 && offsetof(SlotEntry, checksum) == 88);
static_assert(sizeof(StoreHeader) + kSlotCount * sizeof(SlotEntry) <= kFirstSlotOffset);

constexpr std::uint32_t kFlagConverged = 1;    // exposure and white balance had converged
constexpr std::uint32_t kFlagStream = 2;       // published by the streaming daemon, frame after frame
constexpr std::uint32_t kFlagStillSize = 4;    // of the still's size, made on request
constexpr std::uint32_t kFlagStillOffered = 8; // a change of `still_request` brings one of the still's size

} // namespace picam::store
