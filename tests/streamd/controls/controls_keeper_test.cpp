#include "streamd/controls/controls_keeper.h"

#include "tests/fakes/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace picam {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

ControlsDocument documentOf(std::uint32_t generation)
{
    ControlsDocument document;
    document.generation = generation;
    return document;
}

class ControlsKeeperTest : public ::testing::Test {
protected:
    static Settings settingsIn(const TempDir &dir, const std::string &state)
    {
        Settings settings;
        settings.runtime_dir = dir.path();
        settings.state_dir = dir.file(state);
        return settings;
    }
    template <class Condition>
    static bool until(Condition condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < deadline) {
            if (condition())
                return true;
            std::this_thread::yield();
        }
        return false;
    }

    TempDir dir;
    const ControlsFiles files{settingsIn(dir, "state")};
};

TEST_F(ControlsKeeperTest, WithoutAChangeNothingIsWritten)
{
    {
        const ControlsKeeper keeper(files);
        EXPECT_TRUE(keeper.kept());
    }
    EXPECT_FALSE(fs::exists(dir.file("state")));
}

TEST_F(ControlsKeeperTest, WritesWhatIsLeftAtItsEnd)
{
    {
        ControlsKeeper keeper(files);
        for (std::uint32_t generation = 1; generation <= 1000; ++generation)
            keeper.keep(documentOf(generation));
    }
    EXPECT_EQ(files.load(), documentOf(1000));
}

TEST_F(ControlsKeeperTest, WritesTheNewestOfManyWhenTheyHaveComeToRest)
{
    ControlsKeeper keeper(files);
    const auto begun = std::chrono::steady_clock::now();
    for (std::uint32_t generation = 1; generation <= 100; ++generation)
        keeper.keep(documentOf(generation));
    const bool in_time =
        std::chrono::steady_clock::now() < begun + ControlsKeeper::kRest; // else there may be two writes
    ASSERT_TRUE(until([this] { return files.load() != ControlsDocument{}; })) << "without another change";
    if (in_time) {
        EXPECT_EQ(files.load(), documentOf(100)) << "they are one write";
    }
    EXPECT_TRUE(until([this] { return files.load() == documentOf(100); }));
    EXPECT_TRUE(keeper.kept());
}

TEST_F(ControlsKeeperTest, SaysWhenItCouldNotWriteAndWhenItCouldAgain)
{
    std::ofstream(dir.file("state")) << "a file where the folder shall be"; // in which not even root can write
    ControlsKeeper keeper(files);
    keeper.keep(documentOf(1));
    EXPECT_TRUE(until([&] { return !keeper.kept(); }));
    fs::remove(dir.file("state"));
    keeper.keep(documentOf(2));
    EXPECT_TRUE(until([&] { return keeper.kept(); }));
    EXPECT_EQ(files.load(), documentOf(2));
}

TEST_F(ControlsKeeperTest, EndsThoughItCannotWrite)
{
    std::ofstream(dir.file("state")) << "a file";
    ControlsKeeper keeper(files);
    keeper.keep(documentOf(1));
}

} // namespace
} // namespace picam
