#include "core/controls/v4l2_device.h"
#include "tests/fakes/temp_dir.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/sysmacros.h>

namespace picam {
namespace {

namespace fs = std::filesystem;

// A sysfs as Linux has it: links from class/ and dev/char/ into devices/.
class Sysfs : public ::testing::Test {
protected:
    testing::TempDir folder;
    const std::string sysfs = folder.file("sys");

    void SetUp() override
    {
        fs::create_directories(sysfs + "/class/video4linux");
        fs::create_directories(sysfs + "/dev/char");
    }

    void write(const std::string &file, const std::string &text) const
    {
        const fs::path path = fs::path(sysfs) / file;
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text << "\n";
    }

    void plug(const std::string &usb_device, const std::string &vendor = "1209",
              const std::string &product = "5043") const
    {
        write(usb_device + "/idVendor", vendor);
        write(usb_device + "/idProduct", product);
    }

    // A node of the device (for USB its interface), with the number 81:`number`.
    void node(const std::string &device, int number, int index) const
    {
        const std::string name = "video" + std::to_string(number);
        const std::string below = device + "/video4linux/" + name;
        write(below + "/index", std::to_string(index));
        fs::create_symlink(fs::path(sysfs) / device, fs::path(sysfs) / below / "device");
        for (const std::string &link : {"/class/video4linux/" + name, "/dev/char/81:" + std::to_string(number)})
            fs::create_symlink(fs::path(sysfs) / below, sysfs + link);
    }

    [[nodiscard]] std::optional<std::string> byId(const std::string &id) const
    {
        return v4l2DeviceOf(id, sysfs, "/dev");
    }

    template <std::size_t N>
    [[nodiscard]] std::optional<std::string> byNumbers(const std::array<std::int64_t, N> &numbers) const
    {
        return v4l2DeviceOf(numbers, sysfs, "/dev");
    }

    static std::int64_t number(unsigned minor) { return static_cast<std::int64_t>(makedev(81, minor)); }
};

constexpr const char *kPci = "devices/pci0000:00/0000:00:05.0";

TEST_F(Sysfs, FindsTheWebcamOfAnId)
{
    const std::string usb = std::string(kPci) + "/usb1/1-1";
    write(std::string(kPci) + "/firmware_node/path", "\\_SB_.PCI0.S28_");
    plug(usb);
    node(usb + "/1-1:1.0", 0, 1); // its metadata
    node(usb + "/1-1:1.0", 1, 0);
    plug(std::string(kPci) + "/usb1/1-2/1-2.4", "046d", "0825");
    node(std::string(kPci) + "/usb1/1-2/1-2.4/1-2.4:1.2", 2, 0);
    EXPECT_EQ(byId("\\_SB_.PCI0.S28_-1:1.0-1209:5043"), "/dev/video1");
    EXPECT_EQ(byId("\\_SB_.PCI0.S28_-2.4:1.2-046d:0825"), "/dev/video2");
    for (const char *other :
         {"", "-", "\\_SB_.PCI0.S28_-2:1.0-1209:5043", "\\_SB_.PCI0.S28_-1:1.1-1209:5043", "1:1.0-1209:5043",
          "\\_SB_.PCI0.S28_-1:1.0-1209:5044", "\\_SB_.PCI0.S99_-1:1.0-1209:5043", "/base/soc/i2c0mux/i2c@1/imx219@10"})
        EXPECT_EQ(byId(other), std::nullopt) << other;
}

TEST_F(Sysfs, FindsItBelowADeviceTree)
{
    const std::string host = "devices/platform/scb/fd500000.pcie/pci0000:00/0000:01:00.0";
    const std::string tree = "firmware/devicetree/base/scb/pcie@7d500000/pci@0,0/usb@0,0";
    fs::create_directories(sysfs + "/" + tree);
    plug(host + "/usb1/1-1/1-1.3");
    fs::create_symlink(fs::path(sysfs) / tree, fs::path(sysfs) / host / "of_node");
    node(host + "/usb1/1-1/1-1.3/1-1.3:1.0", 0, 0);
    EXPECT_EQ(byId("/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-1209:5043"), "/dev/video0");
}

TEST_F(Sysfs, DoesNotGuessBetweenTwo)
{
    write(std::string(kPci) + "/firmware_node/path", "\\_SB_.PCI0.S28_");
    for (const int bus : {1, 2}) {
        const std::string device = std::to_string(bus) + "-1";
        const std::string usb = std::string(kPci) + "/usb" + std::to_string(bus) + "/" + device;
        plug(usb);
        node(usb + "/" + device + ":1.0", bus, 0);
    }
    EXPECT_EQ(byId("\\_SB_.PCI0.S28_-1:1.0-1209:5043"), std::nullopt);
}

TEST_F(Sysfs, TellsControllersApart)
{
    for (const int bus : {1, 2}) {
        const std::string host = "devices/pci0000:00/0000:00:0" + std::to_string(bus) + ".0";
        const std::string device = std::to_string(bus) + "-1";
        write(host + "/firmware_node/path", "\\_SB_.PCI0.S0" + std::to_string(bus));
        plug(host + "/usb" + std::to_string(bus) + "/" + device);
        node(host + "/usb" + std::to_string(bus) + "/" + device + "/" + device + ":1.0", bus, 0);
    }
    EXPECT_EQ(byId("\\_SB_.PCI0.S02-1:1.0-1209:5043"), "/dev/video2");
}

TEST_F(Sysfs, FindsTheWebcamOfDeviceNumbers)
{
    const std::string usb = std::string(kPci) + "/usb1/1-1";
    plug(usb);
    node(usb + "/1-1:1.0", 4, 1);
    node(usb + "/1-1:1.0", 5, 0);
    EXPECT_EQ(byNumbers(std::array{number(4), number(5)}), "/dev/video5");
    EXPECT_EQ(byNumbers(std::array{number(5)}), "/dev/video5");
    EXPECT_EQ(byNumbers(std::array{number(4)}), std::nullopt);
    EXPECT_EQ(byNumbers(std::array{number(9), std::int64_t{-1}, std::int64_t{0}}), std::nullopt);
    EXPECT_EQ(byNumbers(std::array<std::int64_t, 0>{}), std::nullopt);
}

TEST_F(Sysfs, WhatIsNoWebcamIsNotFound)
{
    node("devices/platform/soc/fe801000.csi", 0, 0);
    write("devices/platform/soc/firmware_node/path", "soc");
    EXPECT_EQ(byNumbers(std::array{number(0)}), std::nullopt);
    EXPECT_EQ(byId("soc-fe801000.csi-:"), std::nullopt);
    EXPECT_EQ(byId("platform/vimc.0 Sensor B"), std::nullopt);
}

TEST(V4l2DeviceOf, WithoutSysfsThereIsNone)
{
    EXPECT_EQ(v4l2DeviceOf("\\_SB_.PCI0.S28_-1:1.0-1209:5043", "/nowhere"), std::nullopt);
    EXPECT_EQ(v4l2DeviceOf(std::array{std::int64_t{20736}}, "/nowhere"), std::nullopt);
}

} // namespace
} // namespace picam
