#include "core/store/frame_store.h"

#include "core/store/frame_store_format.h"
#include "tests/fakes/open_store.h"
#include "tests/fakes/temp_dir.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <gtest/gtest.h>
#include <iostream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace picam {
namespace {

using std::chrono::steady_clock;
using testing::OpenStore;
using testing::TempDir;

// A picture whose every byte follows from its number: a torn one shows.
Picture numbered(std::uint8_t number, std::size_t bytes = 5000)
{
    Picture picture;
    picture.bytes.assign(bytes, number);
    picture.size = {64, 48};
    picture.captured = steady_clock::now();
    picture.captured_wall = std::chrono::system_clock::now();
    return picture;
}

bool isWhole(const Picture &picture)
{
    return !picture.bytes.empty() && std::all_of(picture.bytes.begin(), picture.bytes.end(),
                                                 [&](std::uint8_t byte) { return byte == picture.bytes[0]; });
}

// A file in memory that fails, or stops taking anything, at the Nth write.
struct Disk {
    std::vector<char> bytes;
    int writes_left = -1; // -1: no end
    bool partial = false; // the write that ends it gets half of its bytes down
    bool fails = false;   // it says so, or the writer is dead and never knows
};

class MemoryFile : public StoreFile {
public:
    explicit MemoryFile(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
    // The pictures of these tests are small: the slots lie close together in memory.
    static std::size_t placeOf(std::uint64_t offset)
    {
        constexpr std::uint64_t kSmallSlot = 16384;
        if (offset < store::kFirstSlotOffset)
            return static_cast<std::size_t>(offset);
        const std::uint64_t behind = offset - store::kFirstSlotOffset;
        return static_cast<std::size_t>(store::kFirstSlotOffset + behind / store::kSlotCapacity * kSmallSlot +
                                        behind % store::kSlotCapacity);
    }
    long read(void *to, std::size_t bytes, std::uint64_t file_offset) override
    {
        const std::size_t offset = placeOf(file_offset);
        if (offset >= disk_->bytes.size())
            return 0;
        const std::size_t take = std::min<std::size_t>(bytes, disk_->bytes.size() - offset);
        std::memcpy(to, disk_->bytes.data() + offset, take);
        return static_cast<long>(take);
    }
    long write(const void *from, std::size_t bytes, std::uint64_t file_offset) override
    {
        const std::size_t offset = placeOf(file_offset);
        std::size_t take = bytes;
        if (disk_->writes_left == 0) {
            take = std::exchange(disk_->partial, false) ? bytes / 2 : 0;
            if (disk_->fails) {
                errno = ENOSPC;
                return -1;
            }
        } else if (disk_->writes_left > 0) {
            --disk_->writes_left;
        }
        if (disk_->bytes.size() < offset + take)
            disk_->bytes.resize(offset + take);
        std::memcpy(disk_->bytes.data() + offset, from, take);
        return static_cast<long>(bytes);
    }

private:
    std::shared_ptr<Disk> disk_;
};

FrameStore overMemory(const std::shared_ptr<Disk> &disk, const CameraRequests &requests)
{
    return {std::make_unique<MemoryFile>(disk), "memory", requests};
}

PicturePtr newestOf(const FrameStore &store)
{
    auto stored = store.newest();
    return stored && *stored ? (*stored)->picture : nullptr;
}

TEST(FrameStore, ReturnsWhatWasPublished)
{
    const TempDir dir;
    OpenStore writer(dir.file("s"));
    OpenStore reader(dir.file("s"));
    ASSERT_TRUE(reader->newest());
    EXPECT_FALSE(*reader->newest());

    Picture picture = numbered(7);
    picture.converged = false;
    picture.exposure = {12000, 400, 5500};
    StoreTag tag;
    tag.stream = true;
    tag.still_offered = true;
    tag.interval = std::chrono::microseconds(33333);
    const auto sequence = writer->publish(picture, tag);
    ASSERT_TRUE(sequence);
    const auto stored = reader->newest();
    ASSERT_TRUE(stored && *stored);
    EXPECT_EQ((*stored)->picture->bytes, picture.bytes);
    EXPECT_EQ((*stored)->picture->size, picture.size);
    EXPECT_EQ((*stored)->picture->sequence, *sequence);
    EXPECT_EQ((*stored)->picture->captured, picture.captured);
    EXPECT_FALSE((*stored)->picture->converged);
    EXPECT_EQ((*stored)->picture->exposure, picture.exposure);
    EXPECT_TRUE((*stored)->tag.still_offered);
    EXPECT_FALSE((*stored)->tag.still_size);
    EXPECT_TRUE((*stored)->tag.stream);
    EXPECT_EQ((*stored)->tag.interval.count(), 33333);
    EXPECT_TRUE((*reader->newestEntry())->picture->bytes.empty());
}

TEST(FrameStore, SequenceGoesOnAcrossWriters)
{
    const TempDir dir;
    std::uint64_t last = 0;
    for (int i = 0; i < 10; ++i) {
        OpenStore store(dir.file("s"));
        const auto sequence = store->publish(numbered(1), {});
        ASSERT_TRUE(sequence);
        EXPECT_TRUE(i == 0 || *sequence == last + 1) << *sequence << " after " << last;
        last = *sequence;
    }
}

// What is made at the still's size stands beside the frames and takes the place of none.
TEST(FrameStore, KeepsTheStillSizedBesideTheSequence)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    StoreTag still_size;
    still_size.still_size = true;
    EXPECT_FALSE(*store->newest(FrameStore::Kind::kStillSize));
    std::uint64_t last = 0;
    for (std::uint8_t i = 1; i <= 20; ++i) {
        const auto frame = store->publish(numbered(i), {});
        ASSERT_TRUE(frame);
        EXPECT_TRUE(last == 0 || *frame == last + 1);
        last = *frame;
        for (int again = 0; again < 2; ++again) { // two beside the same frame: the later one counts
            const auto number = static_cast<std::uint8_t>(100 + 2 * i + again);
            const auto beside = store->publish(numbered(number, 9000), still_size);
            ASSERT_TRUE(beside);
            EXPECT_EQ(*beside, *frame);
            const auto still = store->newest(FrameStore::Kind::kStillSize);
            ASSERT_TRUE(still && *still);
            EXPECT_TRUE((*still)->tag.still_size);
            EXPECT_EQ((*still)->picture->bytes, std::vector<std::uint8_t>(9000, number));
        }
        EXPECT_EQ(newestOf(*store)->bytes[0], i);
    }
}

TEST(FrameStore, IsForItsOwnerAloneWhateverTheUmask)
{
    const TempDir dir;
    const auto mode = [&dir] {
        struct stat status {};
        return ::stat(dir.file("s").c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
    };
    const mode_t before = ::umask(0);
    ASSERT_TRUE(openStoreFile(dir.file("s")));
    ::umask(before);
    EXPECT_EQ(mode(), 0600U);
    ASSERT_EQ(::chmod(dir.file("s").c_str(), 0660), 0); // as an earlier version made it
    ASSERT_TRUE(openStoreFile(dir.file("s")));
    EXPECT_EQ(mode(), 0600U);
}

TEST(FrameStore, RefusesWhatIsNoFile)
{
    const TempDir dir;
    EXPECT_EQ(CameraRequests::open(dir.path()).error().kind, ErrorKind::kIo);
    ASSERT_EQ(::symlink("/etc/passwd", dir.file("link").c_str()), 0);
    EXPECT_EQ(CameraRequests::open(dir.file("link")).error().kind, ErrorKind::kIo);
    ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(CameraRequests::open(dir.file("pipe")).error().kind, ErrorKind::kIo);
    EXPECT_NE(CameraRequests::open(dir.file("none/s")).error().message.find(dir.file("none/s")), std::string::npos);
}

TEST(FrameStore, AFileOfAnotherUserIsASentence)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root has another user's file at hand";
    const TempDir dir;
    ASSERT_EQ(::chmod(dir.path().c_str(), 0777), 0);
    ASSERT_TRUE(openStoreFile(dir.file("s")));
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t kNobody = 65534;
        if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)
            ::_exit(2);
        const auto store = openStoreFile(dir.file("s"));
        const bool said = !store && store.error().kind == ErrorKind::kIo &&
                          store.error().message.find(dir.file("s")) != std::string::npos;
        ::_exit(said ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(FrameStore, RefusesAPictureThatDoesNotFit)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    EXPECT_EQ(store->publish(numbered(1, 0), {}).error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(store->publish(numbered(1, store::kSlotCapacity + 1), {}).error().kind, ErrorKind::kUnsupported);
}

// The writer dies, or is refused, at each of its writes: readers have the picture before.
TEST(FrameStore, AWriterThatEndsAnywhereLeavesTheLastPictureWhole)
{
    const TempDir dir;
    const CameraRequests requests = CameraRequests::open(dir.file("s")).value();
    for (const bool fails : {false, true}) {
        for (const bool partial : {false, true}) {
            bool completed = false;
            for (int writes = 0; !completed; ++writes) {
                ASSERT_LT(writes, 20);
                auto disk = std::make_shared<Disk>();
                auto store = overMemory(disk, requests);
                for (std::uint8_t i = 1; i <= 6; ++i)
                    ASSERT_TRUE(store.publish(numbered(i), {}));
                disk->writes_left = writes;
                disk->partial = partial;
                disk->fails = fails;
                static_cast<void>(store.publish(numbered(100), {}));
                completed = disk->writes_left > 0;

                const auto reader = overMemory(disk, requests);
                const PicturePtr newest = newestOf(reader);
                ASSERT_TRUE(newest);
                EXPECT_TRUE(isWhole(*newest));
                EXPECT_TRUE(newest->bytes[0] == 6 || newest->bytes[0] == 100);

                // And the next writer goes on.
                disk->writes_left = -1;
                auto next = overMemory(disk, requests);
                ASSERT_TRUE(next.publish(numbered(200), {}));
                EXPECT_EQ(newestOf(reader)->bytes[0], 200);
            }
        }
    }
}

TEST(FrameStore, AFlippedByteInTheHeaderIsNoCrashAndNoTornPicture)
{
    const TempDir dir;
    const CameraRequests requests = CameraRequests::open(dir.file("s")).value();
    auto disk = std::make_shared<Disk>();
    auto store = overMemory(disk, requests);
    for (std::uint8_t i = 1; i <= 4; ++i)
        ASSERT_TRUE(store.publish(numbered(i), {}));
    const std::vector<char> good = disk->bytes;
    const std::size_t header = sizeof(store::StoreHeader) + store::kSlotCount * sizeof(store::SlotEntry);
    int refused = 0;
    for (std::size_t at = 0; at < header; ++at) {
        for (const int mask : {0x01, 0x80, 0xff}) {
            disk->bytes = good;
            disk->bytes[at] = static_cast<char>(disk->bytes[at] ^ mask);
            const auto stored = store.newest();
            if (!stored) {
                EXPECT_EQ(stored.error().kind, ErrorKind::kCorrupt);
                ++refused;
            } else if (*stored) {
                EXPECT_TRUE(isWhole(*(*stored)->picture));
            }
            ASSERT_TRUE(store.publish(numbered(9), {})) << "byte " << at;
            EXPECT_EQ(newestOf(store)->bytes[0], 9);
        }
    }
    EXPECT_GE(refused, 32 * 3); // the fields that say what the file is
}

TEST(FrameStore, AFileCutShortAtAnyLengthIsNoCrash)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    std::vector<long> lengths{0, 1, 31, 32, 33, 63, 4095, 4096, 4097, 8000};
    for (std::size_t slot = 0; slot <= store::kSlotCount; ++slot) {
        const auto entry = static_cast<long>(sizeof(store::StoreHeader) + slot * sizeof(store::SlotEntry));
        const auto bytes = static_cast<long>(store::kFirstSlotOffset + slot * store::kSlotCapacity);
        lengths.insert(lengths.end(), {entry, entry + 1, entry + 95, bytes, bytes + 1, bytes + 4999, bytes + 5000});
    }
    for (const long length : lengths) {
        for (std::uint8_t i = 1; i <= 5; ++i)
            ASSERT_TRUE(store->publish(numbered(i), {}));
        ASSERT_EQ(::truncate(dir.file("s").c_str(), length), 0);
        const PicturePtr left = newestOf(*store);
        EXPECT_TRUE(!left || isWhole(*left));
        store.requests().signal(CameraRequests::Word::kEvent);
        store.requests().waitChanged(CameraRequests::Word::kEvent, store.requests().value(CameraRequests::Word::kEvent),
                                     steady_clock::now() + std::chrono::milliseconds(1));
        ASSERT_TRUE(store->publish(numbered(77), {}));
        EXPECT_EQ(newestOf(*store)->bytes[0], 77);
    }
}

TEST(FrameStore, GarbageIsRefusedWithASentenceAndRebuilt)
{
    const TempDir dir;
    std::ofstream(dir.file("s")) << std::string(100000, 'x');
    OpenStore store(dir.file("s"));
    const auto stored = store->newest();
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(stored.error().message.find(dir.file("s")), std::string::npos);
    ASSERT_TRUE(store->publish(numbered(3), {}));
    EXPECT_EQ(newestOf(*store)->bytes[0], 3);
}

TEST(FrameStore, AWiderStampThanTheClockIsNoPicture)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    Picture picture = numbered(1);
    picture.captured = steady_clock::now() + std::chrono::hours(1); // written before a reboot
    ASSERT_TRUE(store->publish(picture, {}));
    EXPECT_FALSE(newestOf(*store));
}

TEST(FrameStore, WakesAnotherProcess)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    const std::uint32_t seen = store.requests().value(CameraRequests::Word::kEvent);
    const pid_t child = ::fork();
    if (child == 0) {
        OpenStore mine(dir.file("s"));
        ::_exit(mine->publish(numbered(1), {}) ? 0 : 1);
    }
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (store.requests().value(CameraRequests::Word::kEvent) == seen && steady_clock::now() < deadline)
        store.requests().waitChanged(CameraRequests::Word::kEvent, seen, deadline);
    EXPECT_NE(store.requests().value(CameraRequests::Word::kEvent), seen);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// Readers against a writer at full speed; the pictures' lengths differ, so that a mix of two shows at its end too.
// STORE_RACE_SECONDS makes it a long run, of a million reads at least.
TEST(FrameStore, NoTornPictureAtFullSpeed)
{
    const char *const seconds = std::getenv("STORE_RACE_SECONDS");
    const std::chrono::seconds least(seconds != nullptr ? std::atoi(seconds) : 0);
    const std::uint64_t reads_each = seconds != nullptr ? 500'000 : 20'000;
    const TempDir dir;
    OpenStore writer(dir.file("s"));
    std::atomic<bool> stop{false};
    std::thread writing([&] {
        for (std::uint8_t i = 0; !stop; ++i)
            if (!writer->publish(numbered(i, 2000U + i * 10U), {}))
                stop = true;
    });
    std::vector<std::thread> reading;
    std::atomic<std::uint64_t> torn{0};
    std::atomic<std::uint64_t> whole{0};
    const auto begun = steady_clock::now();
    for (int r = 0; r < 2; ++r)
        reading.emplace_back([&] {
            OpenStore reader(dir.file("s"));
            std::uint64_t last = 0;
            for (std::uint64_t i = 0; (i < reads_each || steady_clock::now() < begun + least); ++i) {
                const PicturePtr picture = newestOf(*reader);
                if (!picture)
                    continue;
                if (!isWhole(*picture) || picture->bytes.size() != 2000U + picture->bytes[0] * 10U ||
                    picture->sequence < last)
                    ++torn;
                last = picture->sequence;
                ++whole;
            }
        });
    for (auto &thread : reading)
        thread.join();
    EXPECT_FALSE(stop); // the writer never failed
    stop = true;
    writing.join();
    std::cout << whole << " pictures read whole\n";
    EXPECT_EQ(torn, 0U);
    EXPECT_GT(whole, reads_each);
}

TEST(FrameStore, KeepsTheGenerationOfTheControls)
{
    const TempDir dir;
    OpenStore store(dir.file("s"));
    EXPECT_EQ(store.requests().controlsGeneration(), 0U);
    store.requests().setControlsGeneration(7);
    Picture picture = numbered(1);
    picture.controls_generation = 7;
    ASSERT_TRUE(store->publish(picture, {}));
    EXPECT_EQ((*store->newest())->picture->controls_generation, 7U);
    EXPECT_EQ(store.requests().controlsGeneration(), 7U) << "it outlives the making of the table";
}

TEST(FrameStore, GenerationsMayWrap)
{
    EXPECT_TRUE(isBeforeControls(1, 2));
    EXPECT_FALSE(isBeforeControls(2, 2));
    EXPECT_FALSE(isBeforeControls(3, 2));
    EXPECT_TRUE(isBeforeControls(UINT32_MAX, 1));
    EXPECT_FALSE(isBeforeControls(1, UINT32_MAX));
}

} // namespace
} // namespace picam
