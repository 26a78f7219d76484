#include "streamd/video/annex_b.h"

#include <gtest/gtest.h>
#include <random>
#include <utility>

namespace picam {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<Bytes> units(const Bytes &access_unit)
{
    std::vector<Bytes> found;
    std::span<const std::uint8_t> rest = access_unit;
    while (const auto unit = takeNalUnit(rest))
        found.emplace_back(unit->begin(), unit->end());
    EXPECT_TRUE(rest.empty());
    return found;
}

TEST(AnnexB, StartCodesOfThreeAndOfFourBytes)
{
    const std::vector<Bytes> both{{0x67, 1}, {0x68, 2}};
    EXPECT_EQ(units({0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2}), both);
    EXPECT_EQ(units({0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2}), both);
    EXPECT_EQ(units({0, 0, 0, 0, 0, 1, 0x67, 1, 0, 0, 0, 0, 0, 0, 1, 0x68, 2, 0, 0, 0}), both) << "trailing zeros";
    EXPECT_EQ(units({9, 0, 0, 2, 0, 0, 1, 0x67, 1, 0, 0, 1, 0, 0, 1, 0x68, 2, 0, 0, 1}), both) << "what is no unit";
    EXPECT_EQ(units({0, 0, 1, 0x65, 0, 0, 3, 0, 0, 3, 1, 0, 1, 1, 0}),
              (std::vector<Bytes>{{0x65, 0, 0, 3, 0, 0, 3, 1, 0, 1, 1}}));
}

TEST(AnnexB, NoUnits)
{
    for (const Bytes &none :
         {Bytes{}, Bytes{0}, Bytes{0, 0}, Bytes{0, 0, 1}, Bytes{0, 0, 0, 1}, Bytes{0, 0, 1, 0}, Bytes{0, 1, 0x67},
          Bytes{0x67, 1, 2, 3}, Bytes(100, 0), Bytes{0, 0, 1, 0, 0, 1, 0, 0, 0, 1}})
        EXPECT_EQ(units(none), std::vector<Bytes>{});
}

TEST(AnnexB, ParameterSetsAndTheNameOfTheCodec)
{
    const Bytes key{0,    0,    0, 1, 9, 0xf0, 0,    0,    0, 1, 0x67, 0x42, 0xc0,
                    0x1f, 0x8c, 0, 0, 0, 1,    0x68, 0xce, 0, 0, 1,    0x65, 0x88};
    const auto sets = parameterSets(key);
    ASSERT_TRUE(sets);
    EXPECT_EQ(*sets, (ParameterSets{{0x67, 0x42, 0xc0, 0x1f, 0x8c}, {0x68, 0xce}}));
    EXPECT_EQ(codecString(sets->sps), "avc1.42C01F");
    EXPECT_EQ(codecString(Bytes{0x67, 0x42, 0x00, 0x0a}), "avc1.42000A");

    EXPECT_FALSE(parameterSets({})) << "nothing";
    EXPECT_FALSE(parameterSets(Bytes{0, 0, 1, 0x65, 0x88})) << "a slice alone";
    EXPECT_FALSE(parameterSets(Bytes{0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0, 0, 1, 0x65, 0x88})) << "no PPS";
    EXPECT_FALSE(parameterSets(Bytes{0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88})) << "no SPS";
    EXPECT_FALSE(parameterSets(Bytes{0, 0, 1, 0x67, 0x42, 0xc0, 0, 0, 1, 0x68, 0xce})) << "an SPS that ends early";
}

TEST(AnnexB, ASampleHasWhatIsNoParameterSet)
{
    const Bytes key{0,    0, 0, 1, 9, 0xf0, 0,    0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 0,    1,    0x68,
                    0xce, 0, 0, 1, 6, 0x05, 0x80, 0, 0, 1, 0x65, 0x88, 0x84, 0,    0, 1, 0x0c, 0xff, 0x80};
    Bytes sample{0xaa};
    EXPECT_TRUE(appendAvcSample(key, sample));
    EXPECT_EQ(sample, (Bytes{0xaa, 0, 0, 0, 3, 6, 0x05, 0x80, 0, 0, 0, 3, 0x65, 0x88, 0x84}));

    Bytes delta{0, 0, 1, 0x41};
    delta.insert(delta.end(), 0x012345, 0x5a);
    sample.clear();
    EXPECT_TRUE(appendAvcSample(delta, sample));
    ASSERT_EQ(sample.size(), 4U + 1 + 0x012345);
    EXPECT_EQ(Bytes(sample.begin(), sample.begin() + 6), (Bytes{0, 1, 0x23, 0x46, 0x41, 0x5a}));

    EXPECT_FALSE(appendAvcSample({}, sample));
    EXPECT_FALSE(appendAvcSample(Bytes{0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 1, 6, 0x80}, sample)) << "no slice";
}

// Bytes of which many are start codes; a sanitizer watches what is read.
TEST(AnnexB, AnyBytes)
{
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        Bytes bytes(random() % 64);
        for (std::uint8_t &byte : bytes)
            byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 3);
        bytes.shrink_to_fit();
        const std::uint8_t *after = bytes.data();
        std::span<const std::uint8_t> rest = bytes;
        while (const auto unit = takeNalUnit(rest)) {
            ASSERT_FALSE(unit->empty());
            ASSERT_GE(unit->data(), after + 3);
            after = unit->data() + unit->size();
            ASSERT_LE(after, bytes.data() + bytes.size());
            ASSERT_NE(unit->back(), 0);
            for (std::size_t at = 0; at + 2 < unit->size(); ++at)
                ASSERT_FALSE((*unit)[at] == 0 && (*unit)[at + 1] == 0 && (*unit)[at + 2] == 1);
        }
        (void)parameterSets(bytes);
        Bytes sample;
        (void)appendAvcSample(bytes, sample);
    }
}

} // namespace
} // namespace picam
