#include "core/controls/control_value.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace picam {
namespace {

using Numbers = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

ControlInfo info(ControlType type, double min = -10, double max = 10, std::size_t size = 0)
{
    ControlInfo made;
    made.name = "Control";
    made.type = type;
    made.min = min;
    made.max = max;
    made.size = size;
    return made;
}

ControlInfo choice(std::vector<std::string> values)
{
    ControlInfo made = info(ControlType::kEnum);
    made.values = std::move(values);
    return made;
}

std::optional<ControlValue> checked(const ControlInfo &control, const ControlValue &value)
{
    auto good = checkControl(control, value);
    if (good)
        return *std::move(good);
    EXPECT_EQ(good.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(good.error().message, allowedValues(control));
    return std::nullopt;
}

const std::vector<ControlValue> &oneOfEveryKind()
{
    static const std::vector<ControlValue> all{true, std::int64_t{3}, 2.5, std::string("Auto"), Numbers{1.0, 2.0}};
    return all;
}

// Which of oneOfEveryKind() it takes.
std::vector<bool> taken(const ControlInfo &control)
{
    std::vector<bool> result;
    for (const ControlValue &value : oneOfEveryKind())
        result.push_back(checked(control, value).has_value());
    return result;
}

TEST(CheckControl, EachTypeTakesItsOwnKindsOfValues)
{
    EXPECT_EQ(taken(info(ControlType::kBool)), (std::vector<bool>{true, false, false, false, false}));
    EXPECT_EQ(taken(info(ControlType::kInteger)), (std::vector<bool>{false, true, false, false, false}));
    EXPECT_EQ(taken(info(ControlType::kNumber)), (std::vector<bool>{false, true, true, false, false}));
    EXPECT_EQ(taken(choice({"Auto", "Manual"})), (std::vector<bool>{false, false, false, true, false}));
    EXPECT_EQ(taken(info(ControlType::kNumbers, -10, 10, 2)), (std::vector<bool>{false, false, false, false, true}));
    EXPECT_EQ(taken(info(ControlType::kNumbers, -10, 10, 1)), (std::vector<bool>{false, true, true, false, false}));
}

TEST(CheckControl, ANumberIsFiniteAndWithinItsRange)
{
    const ControlInfo number = info(ControlType::kNumber, -1, 1);
    for (const double good : {-1.0, -0.0, 0.0, 1.0, 5e-324})
        EXPECT_EQ(checked(number, good), ControlValue(good));
    for (const double bad :
         {std::nextafter(1.0, 2.0), std::nextafter(-1.0, -2.0), 1e308, kNan, -kNan, kInfinity, -kInfinity})
        EXPECT_FALSE(checked(number, bad)) << bad;
    EXPECT_EQ(checked(number, std::int64_t{1}), ControlValue(1.0)) << "a whole number becomes one with a fraction";
    EXPECT_FALSE(checked(number, std::numeric_limits<std::int64_t>::min()));
    // A range without ends does not take what is no number.
    const ControlInfo wide = info(ControlType::kNumber, -kInfinity, kInfinity);
    EXPECT_FALSE(checked(wide, kInfinity));
    EXPECT_FALSE(checked(wide, kNan));
    EXPECT_TRUE(checked(wide, 1e308));
}

TEST(CheckControl, ARangeThatIsNoneTakesNothing)
{
    EXPECT_FALSE(checked(info(ControlType::kNumber, 1, -1), 0.0));
    EXPECT_FALSE(checked(info(ControlType::kNumber, kNan, kNan), 0.0));
    EXPECT_FALSE(checked(info(ControlType::kInteger, kNan, 5), std::int64_t{0}));
}

TEST(CheckControl, AnIntegerIsWhole)
{
    const ControlInfo integer = info(ControlType::kInteger, -1e18, 1e18);
    EXPECT_EQ(checked(integer, 3.0), ControlValue(std::int64_t{3}));
    EXPECT_EQ(checked(integer, -0.0), ControlValue(std::int64_t{0}));
    EXPECT_EQ(checked(integer, std::int64_t{-7}), ControlValue(std::int64_t{-7}));
    for (const double bad : {0.5, -1e-300, kNan, kInfinity, -kInfinity, 1e17})
        EXPECT_FALSE(checked(integer, bad)) << bad;
    EXPECT_FALSE(checked(integer, std::numeric_limits<std::int64_t>::max()));
    EXPECT_FALSE(checked(integer, std::numeric_limits<std::int64_t>::min()));
    EXPECT_EQ(checked(integer, 9007199254740992.0), ControlValue(std::int64_t{9007199254740992}));
}

TEST(CheckControl, ListsHaveTheirSizeAndEachNumberIsChecked)
{
    const ControlInfo pair = info(ControlType::kNumbers, 0, 1, 2);
    EXPECT_EQ(checked(pair, Numbers{0.0, 1.0}), ControlValue(Numbers{0.0, 1.0}));
    for (const Numbers &bad : {Numbers{}, {0.5}, {0.5, 0.5, 0.5}, {0.5, 1.1}, {kNan, 0.5}, {0.5, kInfinity}})
        EXPECT_FALSE(checked(pair, bad)) << bad.size();
    EXPECT_FALSE(checked(pair, 0.5));
    const ControlInfo one = info(ControlType::kNumbers, 0, 1, 1);
    EXPECT_EQ(checked(one, std::int64_t{1}), ControlValue(Numbers{1.0}));
    EXPECT_EQ(checked(one, 0.5), ControlValue(Numbers{0.5}));
    EXPECT_FALSE(checked(one, kNan));
}

TEST(CheckControl, ANameIsOneOfThoseThatThereAre)
{
    const ControlInfo mode = choice({"Auto", "Manual"});
    for (const char *bad : {"", "auto", "Auto ", "AutoManual", "Auto, Manual"})
        EXPECT_FALSE(checked(mode, std::string(bad))) << bad;
    // A menu may have numbers for names.
    const ControlInfo menu = choice({"50", "60", "2.5"});
    EXPECT_EQ(checked(menu, std::int64_t{50}), ControlValue(std::string("50")));
    EXPECT_EQ(checked(menu, 60.0), ControlValue(std::string("60")));
    EXPECT_EQ(checked(menu, 2.5), ControlValue(std::string("2.5")));
    EXPECT_FALSE(checked(menu, std::int64_t{51}));
    EXPECT_FALSE(checked(choice({"nan", "inf"}), std::int64_t{0}));
    EXPECT_FALSE(checked(choice({}), std::string()));
}

TEST(CheckControl, WhatWasAcceptedIsAcceptedAgainAndAsItIs)
{
    const std::vector<ControlInfo> controls{info(ControlType::kBool), info(ControlType::kInteger),
                                            info(ControlType::kNumber), choice({"Auto", "3"}),
                                            info(ControlType::kNumbers, -10, 10, 1)};
    for (const ControlInfo &control : controls)
        for (const ControlValue &value : oneOfEveryKind())
            if (const auto good = checked(control, value)) {
                EXPECT_EQ(checked(control, *good), good);
            }
}

TEST(AllowedValues, SayWhatAPersonMayTry)
{
    EXPECT_EQ(allowedValues(info(ControlType::kBool)), "true or false");
    EXPECT_EQ(allowedValues(info(ControlType::kNumber, -1, 1)), "-1 to 1");
    EXPECT_EQ(allowedValues(info(ControlType::kInteger, 100, 200000)), "a whole number, 100 to 200000");
    EXPECT_EQ(allowedValues(choice({"Auto", "Manual"})), "Auto, Manual");
    EXPECT_EQ(allowedValues(info(ControlType::kNumbers, 0, 32, 2)), "2 numbers, 0 to 32");
}

TEST(ControlText, ComesBackAsTheValueThatItWas)
{
    const std::vector<ControlValue> values{true,
                                           false,
                                           std::int64_t{0},
                                           std::numeric_limits<std::int64_t>::min(),
                                           std::numeric_limits<std::int64_t>::max(),
                                           0.1,
                                           -1.0 / 3.0,
                                           5e-324,
                                           std::numeric_limits<double>::max(),
                                           std::string("Auto"),
                                           std::string("50 Hz"),
                                           std::string("nan"),
                                           std::string("inf"),
                                           Numbers{1.5, -2.25},
                                           Numbers{0.1, 1e-9, 1e300}};
    for (const ControlValue &value : values)
        EXPECT_EQ(parseControlValue(controlText(value)), value) << controlText(value);
}

TEST(ControlText, WholeNumbersComeBackSoThatTheirControlTakesThem)
{
    const ControlInfo number = info(ControlType::kNumber, -1e30, 1e30);
    for (const double value : {5.0, -0.0, 1e6, 1e15, 1e16, 1e22}) {
        const auto read = parseControlValue(controlText(value));
        ASSERT_TRUE(read) << value;
        EXPECT_EQ(checked(number, *read), ControlValue(value)) << controlText(value);
    }
}

TEST(ParseControlValue, HostileTextsAreTextsOrNothing)
{
    for (const char *none : {"", " ", "     ", "\t", "a\tb", "a\nb", "\x7f", "a\x01"})
        EXPECT_FALSE(parseControlValue(none)) << none;
    EXPECT_FALSE(parseControlValue(std::string("a\0b", 3)));
    EXPECT_FALSE(parseControlValue(std::string(65, 'x')));
    EXPECT_EQ(parseControlValue(std::string(64, 'x')), ControlValue(std::string(64, 'x')));
    for (const char *text :
         {"nan", "inf", "-inf", "infinity", "1e999", "0x10", "+5", "1.2.3", "1;2", "TRUE", "1 nan", "--1"})
        EXPECT_EQ(parseControlValue(text), ControlValue(std::string(text))) << text;
    EXPECT_EQ(parseControlValue("  7 "), ControlValue(std::int64_t{7}));
    EXPECT_EQ(parseControlValue("9223372036854775808"), ControlValue(9223372036854775808.0));
    EXPECT_EQ(parseControlValue("1   2"), ControlValue(Numbers{1.0, 2.0}));
    // Sixteen numbers at most.
    EXPECT_EQ(parseControlValue("1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"), ControlValue(Numbers(16, 1.0)));
    EXPECT_TRUE(std::holds_alternative<std::string>(*parseControlValue("1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1")));
}

TEST(ParseControlList, TakesWhatSettingsHave)
{
    EXPECT_EQ(parseControlList(""), ControlValues{});
    EXPECT_EQ(parseControlList("   "), ControlValues{});
    const ControlValues values{
        {"Brightness", 0.1}, {"AwbMode", std::string("Daylight")}, {"ColourGains", Numbers{1.5, 1.2}}};
    EXPECT_EQ(parseControlList(" Brightness = 0.1,AwbMode=Daylight , ColourGains=1.5 1.2 "), values);
    EXPECT_EQ(parseControlList(controlListText(values)), values);
    EXPECT_EQ(parseControlList("a=b=c"), (ControlValues{{"a", std::string("b=c")}}));
}

TEST(ParseControlList, RefusesWhatIsNoList)
{
    for (const char *bad : {"a", "=", "=1", "a=", "a= ", ",", "a=1,,b=2", ",a=1", "a=1 , , b=2", "a=1,a=2", "a=1, b",
                            "a b=1", "a-b=1", "a=1\nb=2", "a\n=1", "\xc3\xa4=1", "a=1,\tb=2"})
        EXPECT_FALSE(parseControlList(bad)) << bad;
    EXPECT_FALSE(parseControlList(std::string("a\0=1", 4)));
    EXPECT_FALSE(parseControlList(std::string(65, 'n') + "=1"));
    EXPECT_TRUE(parseControlList(std::string(64, 'n') + "=1"));
    EXPECT_FALSE(parseControlList(std::string(1 << 20, ',')));
}

TEST(ControlName, IsShortAndPlain)
{
    for (const char *good : {"A", "a.b_C9", "v4l2.power_line_frequency", "..."})
        EXPECT_TRUE(isControlName(good)) << good;
    for (const char *bad : {"", " ", "a b", "a-b", "a/b", "a\"", "a\n", "\xc3\xa4"})
        EXPECT_FALSE(isControlName(bad)) << bad;
    EXPECT_FALSE(isControlName(std::string_view("a\0", 2)));
    EXPECT_FALSE(isControlName(std::string(65, 'a')));
}

} // namespace
} // namespace picam
