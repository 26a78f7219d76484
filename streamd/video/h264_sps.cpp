#include "streamd/video/h264_sps.h"

#include <bit>
#include <cstddef>
#include <utility>

namespace picam {
namespace {

constexpr std::uint8_t kSpsType = 7;
constexpr std::uint8_t kBaselineProfile = 66;
constexpr std::uint8_t kExtendedSar = 255;
constexpr std::size_t kMaxBytes = 4096; // far beyond any; what is copied stays small

// Without the bytes that keep start codes out of a NAL unit (7.4.1: 00 00 03).
std::vector<std::uint8_t> withoutEmulationPrevention(std::span<const std::uint8_t> nal)
{
    std::vector<std::uint8_t> bytes;
    bytes.reserve(nal.size());
    unsigned zeros = 0;
    for (const std::uint8_t byte : nal) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        bytes.push_back(byte);
    }
    return bytes;
}

std::vector<std::uint8_t> withEmulationPrevention(const std::vector<std::uint8_t> &bytes)
{
    std::vector<std::uint8_t> nal;
    nal.reserve(bytes.size() + bytes.size() / 2);
    unsigned zeros = 0;
    for (const std::uint8_t byte : bytes) {
        if (zeros >= 2 && byte <= 3) {
            nal.push_back(3);
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        nal.push_back(byte);
    }
    return nal;
}

class BitWriter {
public:
    void put(std::uint32_t value, unsigned bits)
    {
        while (bits > 0) {
            --bits;
            if (used_ % 8 == 0)
                bytes_.push_back(0);
            const unsigned bit = value >> bits & 1U;
            bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | bit << (7 - used_ % 8));
            ++used_;
        }
    }

    // ue(v): as many zeros as there are bits behind the first one of value + 1, then value + 1. Not for 2^32 - 1.
    void putUe(std::uint32_t value)
    {
        const auto length = static_cast<unsigned>(std::bit_width(value + 1));
        put(0, length - 1);
        put(value + 1, length);
    }

    // The stop bit, and zeros up to a whole byte.
    [[nodiscard]] std::vector<std::uint8_t> finish()
    {
        put(1, 1);
        return std::move(bytes_);
    }

private:
    std::vector<std::uint8_t> bytes_;
    std::size_t used_ = 0; // bits
};

// Reads bits, and copies each one that it reads where it is told to. What lies behind the end is zeros, and ok() says
// so: a caller asks once, at the end of a group of fields, and in loops.
class BitReader {
public:
    explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    void copyTo(BitWriter *copy) { copy_ = copy; } // null: nowhere

    std::uint32_t take(unsigned bits)
    {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < bits; ++i) {
            const std::size_t byte = at_ / 8;
            if (byte >= bytes_.size()) {
                ok_ = false;
                return 0;
            }
            value = value << 1U | (unsigned{bytes_[byte]} >> (7 - at_ % 8) & 1U);
            ++at_;
        }
        if (copy_ != nullptr)
            copy_->put(value, bits);
        return value;
    }

    bool flag() { return take(1) != 0; }

    // ue(v). More than 31 zeros in front would be no number of 32 bits that the standard allows in an SPS.
    std::uint32_t ue()
    {
        unsigned zeros = 0;
        while (ok_ && !flag())
            if (++zeros > 31)
                ok_ = false;
        if (!ok_)
            return 0;
        return (1U << zeros) - 1 + take(zeros);
    }

    void ue(std::uint32_t max)
    {
        if (ue() > max)
            ok_ = false;
    }

    void se() { static_cast<void>(ue()); } // as long as the same ue(v); its value is nobody's business here

    void refuse() { ok_ = false; }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    const std::span<const std::uint8_t> bytes_;
    BitWriter *copy_ = nullptr;
    std::size_t at_ = 0; // bits
    bool ok_ = true;
};

// From behind the level up to vui_parameters_present_flag: max_num_ref_frames.
std::uint32_t passPicture(BitReader &in)
{
    in.ue(31); // seq_parameter_set_id
    in.ue(12); // log2_max_frame_num_minus4
    const std::uint32_t order_type = in.ue();
    if (order_type == 0) {
        in.ue(12); // log2_max_pic_order_cnt_lsb_minus4
    } else if (order_type == 1) {
        in.flag(); // delta_pic_order_always_zero_flag
        in.se();   // offset_for_non_ref_pic
        in.se();   // offset_for_top_to_bottom_field
        const std::uint32_t offsets = in.ue();
        if (offsets > 255)
            in.refuse();
        for (std::uint32_t i = 0; i < offsets && in.ok(); ++i)
            in.se(); // offset_for_ref_frame
    } else if (order_type > 2) {
        in.refuse();
    }
    const std::uint32_t references = in.ue();
    if (references > 16)
        in.refuse();
    in.flag();      // gaps_in_frame_num_value_allowed_flag
    in.ue(0xffff);  // pic_width_in_mbs_minus1
    in.ue(0xffff);  // pic_height_in_map_units_minus1
    if (!in.flag()) // frame_mbs_only_flag: always in baseline
        in.refuse();
    in.flag();     // direct_8x8_inference_flag
    if (in.flag()) // frame_cropping_flag
        for (int side = 0; side < 4; ++side)
            in.ue(0xffff);
    return references;
}

void passHrd(BitReader &in)
{
    const std::uint32_t more = in.ue(); // cpb_cnt_minus1
    if (more > 31)
        in.refuse();
    in.take(4); // bit_rate_scale
    in.take(4); // cpb_size_scale
    for (std::uint32_t i = 0; i <= more && in.ok(); ++i) {
        static_cast<void>(in.ue()); // bit_rate_value_minus1
        static_cast<void>(in.ue()); // cpb_size_value_minus1
        in.flag();                  // cbr_flag
    }
    in.take(5); // initial_cpb_removal_delay_length_minus1
    in.take(5); // cpb_removal_delay_length_minus1
    in.take(5); // dpb_output_delay_length_minus1
    in.take(5); // time_offset_length
}

void putColors(BitWriter &out)
{
    out.put(1, 1); // video_signal_type_present_flag
    out.put(5, 3); // video_format: unspecified
    out.put(1, 1); // video_full_range_flag
    out.put(1, 1); // colour_description_present_flag
    // JPEG is sRGB but for the matrix. SMPTE 170M's primaries would make a browser that manages colours shift them
    // away from those of the same camera's JPEG.
    out.put(1, 8);  // colour_primaries: BT.709, which are sRGB's
    out.put(13, 8); // transfer_characteristics: sRGB's
    out.put(6, 8);  // matrix_coefficients: SMPTE 170M, which is BT.601's
}

// bitstream_restriction(), the reader at its flag or, where there is no VUI, nowhere.
void putRestriction(BitReader *in, BitWriter &out, std::uint32_t references)
{
    out.put(1, 1);
    if (in != nullptr) {
        in->copyTo(&out);
        in->flag(); // motion_vectors_over_pic_boundaries_flag
        in->ue(16); // max_bytes_per_pic_denom
        in->ue(16); // max_bits_per_mb_denom
        in->ue(16); // log2_max_mv_length_horizontal
        in->ue(16); // log2_max_mv_length_vertical
        in->copyTo(nullptr);
        in->ue(16); // max_num_reorder_frames, and
        in->ue(16); // max_dec_frame_buffering: replaced
    } else {        // no limits: what they mean when they are left out
        out.put(1, 1);
        out.putUe(0);
        out.putUe(0);
        out.putUe(15);
        out.putUe(15);
    }
    out.putUe(0);          // max_num_reorder_frames: shown in the order of decoding
    out.putUe(references); // max_dec_frame_buffering: not less than the references
}

void rewriteVui(BitReader &in, BitWriter &out, std::uint32_t references)
{
    if (in.flag() && in.take(8) == kExtendedSar) // aspect_ratio_info_present_flag, aspect_ratio_idc
        in.take(32);                             // sar_width, sar_height
    if (in.flag())                               // overscan_info_present_flag
        in.flag();                               // overscan_appropriate_flag
    in.copyTo(nullptr);
    if (in.flag()) { // video_signal_type_present_flag
        in.take(4);  // video_format, video_full_range_flag
        if (in.flag())
            in.take(24); // the colours' description
    }
    putColors(out);
    in.copyTo(&out);
    if (in.flag()) { // chroma_loc_info_present_flag
        in.ue(5);
        in.ue(5);
    }
    if (in.flag()) { // timing_info_present_flag
        in.take(32); // num_units_in_tick
        in.take(32); // time_scale
        in.flag();   // fixed_frame_rate_flag
    }
    const bool nal_hrd = in.flag();
    if (nal_hrd)
        passHrd(in);
    const bool vcl_hrd = in.flag();
    if (vcl_hrd)
        passHrd(in);
    if (nal_hrd || vcl_hrd)
        in.flag(); // low_delay_hrd_flag
    in.flag();     // pic_struct_present_flag
    in.copyTo(nullptr);
    putRestriction(in.flag() ? &in : nullptr, out, references);
}

} // namespace

Expected<std::vector<std::uint8_t>> withFullRangeVui(std::span<const std::uint8_t> sps)
{
    if (sps.size() < 4 || sps.size() > kMaxBytes || (sps[0] & 0x9fU) != kSpsType)
        return fail(ErrorKind::kCorrupt, "this is no sequence parameter set");
    const std::vector<std::uint8_t> bytes = withoutEmulationPrevention(sps);
    BitReader in(bytes);
    BitWriter out;
    in.copyTo(&out);
    in.take(8);
    if (in.take(8) != kBaselineProfile)
        return fail(ErrorKind::kUnsupported, "the sequence parameter set is not of the baseline profile");
    in.take(16); // the constraints' flags, the level
    const std::uint32_t references = passPicture(in);
    in.copyTo(nullptr);
    const bool has_vui = in.flag();
    out.put(1, 1);
    if (has_vui) {
        in.copyTo(&out);
        rewriteVui(in, out, references);
    } else {
        out.put(0, 2); // no aspect ratio, no overscan
        putColors(out);
        out.put(0, 5); // no chroma location, no timing, neither HRD, no pic_struct
        putRestriction(nullptr, out, references);
    }
    if (!in.flag()) // rbsp_stop_one_bit, and not more fields
        in.refuse();
    if (!in.ok())
        return fail(ErrorKind::kCorrupt, "the sequence parameter set is damaged");
    return withEmulationPrevention(out.finish());
}

} // namespace picam
