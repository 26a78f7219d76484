#include "core/base/small_file.h"

#include "tests/fakes/temp_dir.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace picam {
namespace {

using testing::TempDir;

void put(const std::string &path, const std::string &text)
{
    std::ofstream(path, std::ios::binary) << text;
}

std::string textOf(const std::string &path)
{
    const auto text = readSmallFile(path, 1 << 20);
    return text && *text ? **text : std::string("(nothing)");
}

TEST(SmallFile, NoFileIsNoError)
{
    const TempDir dir;
    const auto text = readSmallFile(dir.file("none"), 10);
    ASSERT_TRUE(text);
    EXPECT_FALSE(*text);
}

TEST(SmallFile, WhatIsWrittenIsRead)
{
    const TempDir dir;
    const std::string path = dir.file("a");
    for (const std::string &text : {std::string(), std::string("x"), std::string("a\0b\n", 4), std::string(70000, 'y')})
        for (const auto durability : {Durability::kUntilReboot, Durability::kLasting}) {
            ASSERT_TRUE(replaceSmallFile(path, text, durability));
            EXPECT_EQ(textOf(path), text);
        }
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07137, 0U) << "nobody but the owner writes it, and others do not read it";
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(SmallFile, ItsSizeIsLimited)
{
    const TempDir dir;
    const std::string path = dir.file("a");
    put(path, std::string(10, 'x'));
    EXPECT_EQ(**readSmallFile(path, 10), std::string(10, 'x'));
    const auto large = readSmallFile(path, 9);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(large.error().message.find(path), std::string::npos);
    EXPECT_FALSE(readSmallFile(path, 0));
    put(path, "");
    EXPECT_EQ(**readSmallFile(path, 0), "");
}

TEST(SmallFile, WhatIsNoFileIsNotWaitedFor)
{
    const TempDir dir;
    // A pipe that nobody writes.
    ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(**readSmallFile(dir.file("pipe"), 10), "");
    const auto folder = readSmallFile(dir.path(), 10);
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().kind, ErrorKind::kIo);
    EXPECT_FALSE(readSmallFile("/dev/zero", 10)) << "without an end";
}

TEST(SmallFile, ASymbolicLinkIsNotFollowed)
{
    const TempDir dir;
    put(dir.file("secret"), "secret");
    std::filesystem::create_symlink(dir.file("secret"), dir.file("link"));
    const auto text = readSmallFile(dir.file("link"), 100);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().kind, ErrorKind::kIo);
    // Replaced itself, not what it leads to.
    EXPECT_TRUE(replaceSmallFile(dir.file("link"), "new", Durability::kLasting));
    EXPECT_EQ(textOf(dir.file("link")), "new");
    EXPECT_EQ(textOf(dir.file("secret")), "secret");
    // Nor where the new text is written first.
    put(dir.file("a"), "old");
    std::filesystem::create_symlink(dir.file("secret"), dir.file("a.new"));
    static_cast<void>(replaceSmallFile(dir.file("a"), "new", Durability::kLasting).has_value());
    EXPECT_EQ(textOf(dir.file("secret")), "secret");
}

TEST(SmallFile, WhatAKilledWriterLeftIsNoObstacle)
{
    const TempDir dir;
    const std::string path = dir.file("a");
    put(path, "old");
    put(path + ".new", std::string(100000, 'z'));
    EXPECT_EQ(textOf(path), "old");
    ASSERT_TRUE(replaceSmallFile(path, "new", Durability::kLasting));
    EXPECT_EQ(textOf(path), "new");
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(SmallFile, WhatCannotBeWrittenStaysAsItWas)
{
    const TempDir dir;
    const std::string path = dir.file("a");
    put(path, "old");
    std::filesystem::create_directory(path + ".new"); // root may write into any folder, but not here
    const auto done = replaceSmallFile(path, "new", Durability::kLasting);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::kIo);
    EXPECT_NE(done.error().message.find(path), std::string::npos);
    EXPECT_EQ(textOf(path), "old");

    EXPECT_FALSE(replaceSmallFile(dir.file("no/folder"), "x", Durability::kLasting));
    EXPECT_FALSE(replaceSmallFile(path + "/inside", "x", Durability::kUntilReboot));
    // Where the last step fails nothing is left of the others.
    std::filesystem::create_directories(dir.file("folder/full"));
    EXPECT_FALSE(replaceSmallFile(dir.file("folder"), "x", Durability::kLasting));
    EXPECT_FALSE(std::filesystem::exists(dir.file("folder.new")));
}

TEST(SmallFile, AFolderThatMayNotBeWrittenIsSaid)
{
    if (::geteuid() == 0)
        GTEST_SKIP() << "root may write everywhere";
    const TempDir dir;
    put(dir.file("a"), "old");
    ASSERT_EQ(::chmod(dir.path().c_str(), 0500), 0);
    const auto done = replaceSmallFile(dir.file("a"), "new", Durability::kLasting);
    ASSERT_EQ(::chmod(dir.path().c_str(), 0700), 0);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::kIo);
    EXPECT_EQ(textOf(dir.file("a")), "old");
}

bool isWhole(const std::string &text)
{
    return text == "old" || (!text.empty() && text.find_first_not_of(text[0]) == std::string::npos &&
                             text.size() == 1000U * static_cast<unsigned char>(text[0]));
}

// Replaces the file until it is killed, each time with a text that says how long it has to be.
[[noreturn]] void replaceForever(const std::string &path)
{
    for (unsigned round = 0;; ++round) {
        const char letter = static_cast<char>('a' + round % 20);
        if (!replaceSmallFile(path, std::string(1000U * static_cast<unsigned char>(letter), letter),
                              Durability::kUntilReboot))
            ::_exit(1);
    }
}

TEST(SmallFile, AKilledWriterLeavesTheOldTextOrTheNewOne)
{
    const TempDir dir;
    const std::string path = dir.file("a");
    put(path, "old");
    constexpr std::chrono::seconds kDeadline{20};
    for (int kill = 0; kill < 100; ++kill) {
        const std::string before = textOf(path);
        const pid_t writer = ::fork();
        ASSERT_GE(writer, 0);
        if (writer == 0)
            replaceForever(path);
        // It is killed in the midst of its work, each time elsewhere: after a different number of reads.
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        int reads = 0;
        bool changed = false;
        while ((!changed || reads < kill) && std::chrono::steady_clock::now() < deadline) {
            const std::string now = textOf(path);
            EXPECT_TRUE(isWhole(now)) << now.size() << " bytes of " << now.substr(0, 10);
            changed = changed || now != before;
            ++reads;
        }
        ::kill(writer, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(writer, &status, 0), writer);
        EXPECT_TRUE(WIFSIGNALED(status)) << "it could not write";
        EXPECT_TRUE(changed);
        EXPECT_TRUE(isWhole(textOf(path)));
    }
    ASSERT_TRUE(replaceSmallFile(path, "new", Durability::kLasting));
    EXPECT_EQ(textOf(path), "new");
}

} // namespace
} // namespace picam
