#include "core/controls/controls_files.h"

#include "tests/fakes/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace picam {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

ControlsDocument documentOf(std::uint32_t generation, double brightness = 0.5)
{
    ControlsDocument document;
    document.generation = generation;
    document.camera = "a";
    document.cameras["a"].values = {{"Brightness", brightness}};
    return document;
}

class ControlsFilesTest : public ::testing::Test {
protected:
    ControlsFilesTest()
    {
        settings.runtime_dir = dir.path();
        settings.state_dir = dir.file("state");
    }
    [[nodiscard]] ControlsFiles files() const { return ControlsFiles(settings); }
    [[nodiscard]] std::string current() const { return settings.path(".controls"); }
    [[nodiscard]] std::string kept() const { return settings.state_dir + "/" + settings.instance + ".json"; }

    static void put(const std::string &path, const std::string &text) { std::ofstream(path, std::ios::binary) << text; }
    static std::string textOf(const std::string &path)
    {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    TempDir dir;
    Settings settings;
};

TEST_F(ControlsFilesTest, WithoutFilesNothingIsWanted)
{
    EXPECT_EQ(files().load(), ControlsDocument{});
    EXPECT_FALSE(fs::exists(settings.state_dir)) << "who reads makes nothing";
}

TEST_F(ControlsFilesTest, WhatIsPublishedIsInForceAtOnce)
{
    ASSERT_TRUE(files().publish(documentOf(3)));
    EXPECT_EQ(files().load(), documentOf(3));
    EXPECT_FALSE(fs::exists(kept()));
}

TEST_F(ControlsFilesTest, WhatIsKeptOutlivesAReboot)
{
    ASSERT_TRUE(files().publish(documentOf(3)));
    ASSERT_TRUE(files().keep(documentOf(3)));
    fs::remove(current());
    EXPECT_EQ(files().load(), documentOf(3));
}

TEST_F(ControlsFilesTest, TheNewerOfTheTwoCounts)
{
    ASSERT_TRUE(files().keep(documentOf(3, 0.3)));
    ASSERT_TRUE(files().publish(documentOf(4, 0.4)));
    EXPECT_EQ(files().load(), documentOf(4, 0.4));
    ASSERT_TRUE(files().keep(documentOf(5, 0.5)));
    EXPECT_EQ(files().load(), documentOf(5, 0.5));
    ASSERT_TRUE(files().publish(documentOf(5, 0.6)));
    EXPECT_EQ(files().load(), documentOf(5, 0.6)) << "of two of one age that which is in force";
}

TEST_F(ControlsFilesTest, TheNewerCountsWhenGenerationsWrapToo)
{
    ASSERT_TRUE(files().keep(documentOf(4294967295U, 0.3)));
    ASSERT_TRUE(files().publish(documentOf(1, 0.4)));
    EXPECT_EQ(files().load(), documentOf(1, 0.4));
}

TEST_F(ControlsFilesTest, ADamagedRuntimeFileIsAsIfItWasNotThere)
{
    ASSERT_TRUE(files().keep(documentOf(3)));
    for (const std::string &damage :
         {std::string(), std::string("{"), std::string(300000, ' '), std::string(100, '\0')}) {
        put(current(), damage);
        EXPECT_EQ(files().load(), documentOf(3)) << damage.size();
    }
    fs::remove(current());
    fs::create_directory(current());
    EXPECT_EQ(files().load(), documentOf(3));
    EXPECT_FALSE(files().publish(documentOf(4)));
    EXPECT_EQ(files().load(), documentOf(3));
}

TEST_F(ControlsFilesTest, ADamagedKeptFileIsSetAside)
{
    ASSERT_TRUE(files().keep(documentOf(3)));
    put(kept(), "precious {");
    EXPECT_EQ(files().load(), ControlsDocument{});
    EXPECT_EQ(textOf(kept()), "precious {") << "who reads changes nothing";
    ASSERT_TRUE(files().keep(documentOf(4)));
    EXPECT_EQ(files().load(), documentOf(4));
    EXPECT_EQ(textOf(kept() + ".damaged"), "precious {");
    ASSERT_TRUE(files().keep(documentOf(5)));
    EXPECT_EQ(textOf(kept() + ".damaged"), "precious {") << "a good file does not take its place";
    // One that is too large as well.
    put(kept(), std::string(ControlsDocument::kMaxBytes + 1, ' '));
    ASSERT_TRUE(files().keep(documentOf(6)));
    EXPECT_EQ(fs::file_size(kept() + ".damaged.2"), ControlsDocument::kMaxBytes + 1);
    EXPECT_EQ(textOf(kept() + ".damaged"), "precious {") << "nor does another damaged one";
}

TEST_F(ControlsFilesTest, AMissingFolderIsMadeForTheOwnerAlone)
{
    ASSERT_TRUE(files().keep(documentOf(3)));
    EXPECT_EQ(fs::status(settings.state_dir).permissions() & fs::perms::mask, fs::perms::owner_all);
    fs::remove_all(settings.state_dir);
    ASSERT_TRUE(files().keep(documentOf(4))) << "though it was there before";
}

TEST_F(ControlsFilesTest, WhatCannotBeKeptIsSaid)
{
    put(dir.file("file"), "");
    settings.state_dir = dir.file("file/state"); // in no folder: not even root can
    const auto done = files().keep(documentOf(3));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::kIo);
    EXPECT_EQ(files().load(), ControlsDocument{});
    settings.runtime_dir = dir.file("file/run");
    const auto published = files().publish(documentOf(3));
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().kind, ErrorKind::kIo);
}

TEST_F(ControlsFilesTest, InstancesHaveFilesOfTheirOwn)
{
    ASSERT_TRUE(files().publish(documentOf(3)));
    ASSERT_TRUE(files().keep(documentOf(3)));
    Settings other = settings;
    other.instance = "other";
    EXPECT_EQ(ControlsFiles(other).load(), ControlsDocument{});
}

} // namespace
} // namespace picam
