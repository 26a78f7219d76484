#include "core/camera/camera_claim.h"

#include "tests/fakes/temp_dir.h"

#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace picam {
namespace {

using testing::TempDir;

const CameraName kDoor{"usb-1-046d:0825", "Door webcam"};
const CameraName kNursery{"usb-2-046d:0825", "Nursery webcam"};
const CameraName kGarage{"usb-3-1234:0001", "Garage webcam"};

class CameraClaimTest : public ::testing::Test {
protected:
    CameraClaim open(const std::string &instance, const std::string &wanted = "") const
    {
        auto claim = CameraClaim::open(dir_.path(), instance, wanted);
        EXPECT_TRUE(claim) << claim.error().message;
        return std::move(*claim);
    }
    // The id of the one that it takes, or why there is none.
    static std::string choice(const CameraClaim &claim, const std::vector<CameraName> &cameras)
    {
        const auto chosen = claim.choose(cameras);
        return chosen ? cameras.at(*chosen).id : chosen.error().message;
    }

    TempDir dir_;
};

TEST_F(CameraClaimTest, AloneItTakesTheFirst)
{
    const auto pi = open("pi");
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    EXPECT_EQ(choice(open("x"), {}), "there is no camera");
}

TEST_F(CameraClaimTest, ItKeepsToTheCameraItHad)
{
    const auto streamd = open("pi");
    EXPECT_EQ(choice(streamd, {kDoor, kNursery}), kDoor.id);
    const auto snapshot = open("pi"); // the instance's other program
    EXPECT_EQ(choice(snapshot, {kNursery, kDoor}), kDoor.id) << "whatever the order";
    EXPECT_EQ(choice(snapshot, {kGarage, kNursery, kDoor}), kDoor.id);
}

TEST_F(CameraClaimTest, WhatWasThereBesideItIsNotTakenInItsPlace)
{
    const auto pi = open("pi");
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    const auto gone = pi.choose({kNursery});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().kind, ErrorKind::kNoCamera);
    EXPECT_EQ(gone.error().message, "the camera usb-1-046d:0825 is not there; camera.id chooses another");
    EXPECT_EQ(choice(pi, {kNursery, kDoor}), kDoor.id) << "plugged in again";
    // What came while it was at work is no substitute either.
    pi.noteOthers({kDoor, kNursery, kGarage});
    EXPECT_FALSE(pi.choose({kNursery, kGarage}));
}

TEST_F(CameraClaimTest, ANewCameraInItsPlaceIsTaken)
{
    const auto pi = open("pi");
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    EXPECT_EQ(choice(pi, {kNursery, kGarage}), kGarage.id) << "replaced, or in another port";
    EXPECT_EQ(choice(pi, {kDoor, kNursery, kGarage}), kGarage.id) << "and kept to";
}

TEST_F(CameraClaimTest, NoInstanceTakesAnothersCamera)
{
    const auto pi = open("pi");
    const auto other = open("other");
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    EXPECT_EQ(choice(other, {kDoor, kNursery}), kNursery.id);
    EXPECT_EQ(choice(other, {kDoor}), "the camera usb-2-046d:0825 is not there");
    const auto third = open("third");
    const auto none = third.choose({kDoor, kNursery});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNoCamera);
    EXPECT_EQ(choice(third, {kDoor, kNursery, kGarage}), kGarage.id);
}

TEST_F(CameraClaimTest, AClaimEndsWithTheLastProgramOfItsInstance)
{
    const auto other = open("other");
    {
        const auto streamd = open("pi");
        EXPECT_EQ(choice(streamd, {kDoor}), kDoor.id);
        {
            const auto snapshot = open("pi");
        }
        EXPECT_FALSE(other.choose({kDoor})) << "its other program still runs";
    }
    EXPECT_EQ(choice(other, {kDoor}), kDoor.id);
}

TEST_F(CameraClaimTest, AClaimEndsWithAKilledProgram)
{
    const pid_t child = ::fork();
    if (child == 0) {
        const auto claim = CameraClaim::open(dir_.path(), "pi", "");
        ::_exit(claim && claim->choose({kDoor}) ? 0 : 1); // without any destructor
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(choice(open("other"), {kDoor}), kDoor.id);
    // The instance itself, started again, has its camera back when that is free.
    EXPECT_EQ(choice(open("pi"), {kNursery, kDoor}), kDoor.id);
}

TEST_F(CameraClaimTest, WhatIsWantedByNameGoesToWhoNamesIt)
{
    const auto pi = open("pi");
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    const auto named = open("named", "Door");
    EXPECT_EQ(choice(named, {kDoor, kNursery}), kDoor.id);
    EXPECT_EQ(choice(pi, {kDoor, kNursery}), kNursery.id) << "it was taken away: another will do";
    const auto again = open("again", "1");
    EXPECT_EQ(choice(again, {kDoor, kGarage}), kGarage.id);
    const auto same = open("same", "046d");
    const auto refused = same.choose({kDoor, kGarage});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kCameraBusy);
    EXPECT_EQ(refused.error().message, "the camera usb-1-046d:0825 is that of the instance named");
}

TEST_F(CameraClaimTest, WhatAnotherWantsByNameIsNotTakenByChance)
{
    const auto named = open("named", "Door"); // started, and has opened nothing yet
    EXPECT_EQ(choice(open("pi"), {kDoor, kNursery}), kNursery.id);
}

TEST_F(CameraClaimTest, ByNameOrPlace)
{
    const std::vector<CameraName> cameras{kDoor, kNursery};
    EXPECT_EQ(choice(open("a", "usb-2"), cameras), kNursery.id);
    EXPECT_EQ(choice(open("b", "Nursery web"), cameras), kNursery.id);
    EXPECT_EQ(choice(open("c", "1"), cameras), kNursery.id);
    EXPECT_EQ(choice(open("d", "2"), cameras), "there is no camera \"2\"");
    EXPECT_EQ(choice(open("e", "attic"), cameras), "there is no camera \"attic\"");
}

// Two webcams of one model, each wanted by the model's name.
TEST_F(CameraClaimTest, OfSeveralByThatNameEachHasItsOwn)
{
    const std::vector<CameraName> cameras{kDoor, kNursery};
    const auto pi = open("pi", "046d:0825");
    EXPECT_EQ(choice(pi, cameras), kDoor.id);
    const auto garage = open("garage", "046d:0825");
    EXPECT_EQ(choice(garage, cameras), kNursery.id);
    EXPECT_EQ(choice(garage, {kNursery, kDoor}), kNursery.id) << "whatever the order";
    EXPECT_EQ(choice(pi, {kNursery, kDoor}), kDoor.id);
    const auto third = open("x", "046d:0825").choose(cameras);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, ErrorKind::kCameraBusy);
    EXPECT_EQ(choice(open("y"), {kDoor, kNursery, kGarage}), kGarage.id);
}

TEST_F(CameraClaimTest, AnotherSettingForgetsWhatItHad)
{
    {
        const auto pi = open("pi");
        EXPECT_EQ(choice(pi, {kDoor, kNursery}), kDoor.id);
    }
    {
        const auto pi = open("pi", "Nursery");
        EXPECT_EQ(choice(pi, {kDoor, kNursery}), kNursery.id);
    }
    EXPECT_EQ(choice(open("pi"), {kDoor, kNursery}), kDoor.id);
}

TEST_F(CameraClaimTest, SaysWhyItCannotBeOpened)
{
    const auto claim = CameraClaim::open(dir_.file("none"), "pi", "");
    ASSERT_FALSE(claim);
    EXPECT_EQ(claim.error().kind, ErrorKind::kIo);
    EXPECT_NE(claim.error().message.find(dir_.file("none")), std::string::npos);
}

} // namespace
} // namespace picam
