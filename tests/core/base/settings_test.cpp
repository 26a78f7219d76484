#include "core/base/settings.h"

#include "core/base/settings_table.h"
#include "tests/fakes/temp_dir.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <utility>

namespace picam {
namespace {

using testing::TempDir;

Expected<CommandLine> read(std::vector<const char *> arguments, std::vector<const char *> environment = {})
{
    arguments.insert(arguments.begin(), "program");
    environment.push_back(nullptr);
    return readSettings(static_cast<int>(arguments.size()), arguments.data(), environment.data(), "a program");
}

std::string write(const TempDir &dir, const std::string &text)
{
    std::ofstream(dir.file("picam.conf")) << text;
    return dir.file("picam.conf");
}

TEST(Settings, DefaultsWork)
{
    const auto line = read({});
    ASSERT_TRUE(line) << line.error().message;
    EXPECT_EQ(line->settings.stream.size, (Size{640, 480}));
    EXPECT_FALSE(line->settings.stream.size_given);
    EXPECT_EQ(line->settings.lockPath(), "/run/picam/pi.lock");
    EXPECT_TRUE(line->print.empty());
}

TEST(Settings, FlagsGoBeforeVariablesBeforeTheFile)
{
    const TempDir dir;
    const std::string path =
        write(dir, "instance = \"garage\"\n[stream]\nsize = \"320x240\"\nfps = 10\nquality = 50\n");
    const auto line =
        read({"--config", path.c_str(), "--stream.fps", "12.5"}, {"PICAM_STREAM_FPS=11", "PICAM_STREAM_QUALITY=60"});
    ASSERT_TRUE(line) << line.error().message;
    EXPECT_EQ(line->settings.instance, "garage");
    EXPECT_EQ(line->settings.stream.size, (Size{320, 240}));
    EXPECT_TRUE(line->settings.stream.size_given);
    EXPECT_DOUBLE_EQ(line->settings.stream.fps, 12.5);
    EXPECT_EQ(line->settings.stream.quality, 60);
}

TEST(Settings, ReadsEveryKind)
{
    const TempDir dir;
    const std::string path = write(dir, "runtime-dir = \"/tmp/x\"\n[log]\nlevel = \"debug\"\n[camera]\nrotation = 90\n"
                                        "hflip = true\n[stream]\nlinger = \"1.5s\"\n"
                                        "origins = [\"https://a.example\", \"https://b.example\"]\n"
                                        "[snapshot]\nsettle = \"250ms\"\nlinger = 2\n");
    const auto line = read({"--config", path.c_str()});
    ASSERT_TRUE(line) << line.error().message;
    EXPECT_EQ(line->settings.runtime_dir, "/tmp/x");
    EXPECT_EQ(line->settings.log_level, log::Level::kDebug);
    EXPECT_EQ(line->settings.camera.rotation, Rotation::k90);
    EXPECT_TRUE(line->settings.camera.hflip);
    EXPECT_EQ(line->settings.stream.linger.count(), 1500);
    EXPECT_EQ(line->settings.stream.origins, (std::vector<std::string>{"https://a.example", "https://b.example"}));
    EXPECT_EQ(line->settings.snapshot.settle.count(), 250);
    EXPECT_EQ(line->settings.snapshot.linger.count(), 2000);
}

struct Refused {
    const char *key;
    const char *value;
};

class RefusedSetting : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedSetting, NamesKeyValueAndWhatIsAllowed)
{
    const auto [key, value] = GetParam();
    const std::string flag = std::string("--") + key;
    const auto line = read({flag.c_str(), value});
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().kind, ErrorKind::kSetting);
    EXPECT_NE(line.error().message.find(key), std::string::npos) << line.error().message;
    EXPECT_NE(line.error().message.find(value), std::string::npos) << line.error().message;
    EXPECT_NE(line.error().message.find("allowed"), std::string::npos) << line.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedSetting,
    ::testing::Values(Refused{"stream.fps", "0"}, Refused{"stream.fps", "241"}, Refused{"stream.fps", "ten"},
                      Refused{"stream.fps", "1e1"}, Refused{"stream.fps", "+5"}, Refused{"stream.fps", "inf"},
                      Refused{"stream.fps", "nan"}, Refused{"stream.fps", "0x10"}, Refused{"stream.fps", "1.2.3"},
                      Refused{"stream.fps", "."}, Refused{"stream.fps", "5 "},
                      Refused{"stream.fps", "00000000000000000010"}, Refused{"stream.size", "640"},
                      Refused{"stream.size", "641x480"}, Refused{"stream.size", "0x0"},
                      Refused{"stream.size", "99999x2"}, Refused{"stream.size", "2x-2"}, Refused{"stream.quality", "0"},
                      Refused{"stream.quality", "101"}, Refused{"camera.rotation", "45"},
                      Refused{"camera.source", "v4l2"}, Refused{"camera.hflip", "maybe"},
                      Refused{"stream.linger", "1h"}, Refused{"stream.linger", "11m"}, Refused{"runtime-dir", "here"},
                      Refused{"instance", "a/b"}, Refused{"stream.origins", "example.org"},
                      Refused{"snapshot.threads", "0"}, Refused{"snapshot.threads", "65"},
                      Refused{"camera.color_range", "tv"}, Refused{"camera.feed", "feed.sock"}));

TEST(Settings, ARateIsAPlainDecimal)
{
    for (const auto &[text, fps] : {std::pair{"12.5", 12.5}, std::pair{".5", 0.5}, std::pair{"30.", 30.0},
                                    std::pair{"0.1", 0.1}, std::pair{"007", 7.0}, std::pair{"240", 240.0}}) {
        const auto line = read({"--stream.fps", text});
        ASSERT_TRUE(line) << text;
        EXPECT_EQ(line->settings.stream.fps, fps) << text; // the nearest double, as the compiler reads it
    }
}

TEST(Settings, UnknownNamesStopTheProgram)
{
    const TempDir dir;
    const auto flag = read({"--stream.colour", "red"});
    ASSERT_FALSE(flag);
    EXPECT_NE(flag.error().message.find("stream.colour"), std::string::npos);
    const std::string path = write(dir, "[stream]\ncolour = \"red\"\n");
    const auto key = read({"--config", path.c_str()});
    ASSERT_FALSE(key);
    EXPECT_NE(key.error().message.find("stream.colour"), std::string::npos);
    EXPECT_NE(key.error().message.find(path), std::string::npos);
    const auto variable = read({}, {"PICAM_STREAM_COLOUR=red"});
    ASSERT_FALSE(variable);
    EXPECT_NE(variable.error().message.find("PICAM_STREAM_COLOUR"), std::string::npos);
}

TEST(Settings, AFileThatIsAskedForMustBeReadable)
{
    const TempDir dir;
    const auto missing = read({"--config", dir.file("none").c_str()});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::kIo);
    EXPECT_FALSE(read({"--config", dir.path().c_str()})); // a folder
    EXPECT_TRUE(read({"--config", write(dir, "").c_str()}));
    EXPECT_TRUE(read({"--config", write(dir, "# nothing\n").c_str()}));
    EXPECT_FALSE(read({"--config", write(dir, "[stream\nfps = = 3").c_str()}));
}

TEST(Settings, ReplayNeedsAFile)
{
    EXPECT_FALSE(read({"--camera.source", "replay"}));
    EXPECT_TRUE(read({"--camera.source", "replay", "--camera.file", "/x.y4m"}));
}

TEST(Settings, AFeedHasASocketOfItsInstance)
{
    auto line = read({"--camera.source", "feed", "--instance", "garage"});
    ASSERT_TRUE(line);
    EXPECT_EQ(line->settings.feedPath(), "/run/picam-feed/garage.sock");
    const std::string longest = "/" + std::string(106, 'x'); // as much as the address of a socket holds
    line = read({"--camera.feed", longest.c_str()});
    ASSERT_TRUE(line);
    EXPECT_EQ(line->settings.feedPath(), longest);
    EXPECT_FALSE(read({"--camera.feed", (longest + "x").c_str()}));
}

TEST(Settings, PrintsWhatIsInForceAndWhereItIsFrom)
{
    const TempDir dir;
    const std::string path = write(dir, "[stream]\nfps = 10\n");
    const auto line = read({"--config", path.c_str(), "--camera.hflip", "true", "--print-config"});
    ASSERT_TRUE(line);
    const auto lineOf = [&](const std::string &start) {
        const auto at = line->print.find("\n" + start);
        return line->print.substr(at + 1, line->print.find('\n', at + 1) - at - 1);
    };
    EXPECT_NE(lineOf("fps = 10").find("# " + path), std::string::npos);
    EXPECT_NE(lineOf("hflip = true").find("# --camera.hflip"), std::string::npos);
    EXPECT_NE(lineOf("vflip = false").find("# default"), std::string::npos);

    // It is a configuration itself.
    const std::string again = write(dir, line->print);
    const auto second = read({"--config", again.c_str()});
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_DOUBLE_EQ(second->settings.stream.fps, 10.0);
    EXPECT_TRUE(second->settings.camera.hflip);
}

TEST(Settings, HelpListsEveryKey)
{
    const auto line = read({"--help"});
    ASSERT_TRUE(line);
    for (const SettingEntry &entry : settingsTable())
        EXPECT_NE(line->print.find("--" + entry.key), std::string::npos) << entry.key;
}

TEST(Settings, TheInstalledFileShowsTheTable)
{
    std::ifstream file(PICAM_SOURCE_DIR "/deploy/picam.conf");
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), defaultConfigFile());

    // Uncommented, it is a configuration that changes nothing.
    const TempDir dir;
    std::string active;
    for (std::string line; std::getline(text, line);)
        active += (line.rfind('#', 0) == 0 && line.rfind("# ", 0) != 0 ? line.substr(1) : line) + "\n";
    const auto read_back = read({"--config", write(dir, active).c_str(), "--print-config"});
    ASSERT_TRUE(read_back) << read_back.error().message;
    EXPECT_EQ(read_back->settings.stream.fps, Settings().stream.fps);
}

} // namespace
} // namespace picam
