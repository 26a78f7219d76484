#include "core/image/frame_header.h"

#include <fmt/format.h>

namespace picam {

namespace {

constexpr std::uint8_t kKeyFlag = 1U << 0U;
constexpr std::uint8_t kConvergedFlag = 1U << 1U;

class Writer {
public:
    template <class Integer>
    void put(Integer value)
    {
        for (std::size_t i = sizeof(Integer); i > 0; --i)
            bytes_[at_++] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * (i - 1)));
    }
    [[nodiscard]] const std::array<std::uint8_t, kFrameHeaderBytes> &bytes() const { return bytes_; }

private:
    std::array<std::uint8_t, kFrameHeaderBytes> bytes_{};
    std::size_t at_ = 0;
};

class Reader {
public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    template <class Integer>
    void get(Integer &value)
    {
        std::uint64_t read = 0;
        for (std::size_t i = 0; i < sizeof(Integer); ++i)
            read = read << 8U | bytes_[at_++];
        value = static_cast<Integer>(read);
    }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

template <class... Values>
tl::unexpected<Error> corrupt(fmt::format_string<Values...> text, Values &&...values)
{
    return fail(ErrorKind::kCorrupt, "frame header: " + fmt::format(text, std::forward<Values>(values)...));
}

} // namespace

std::array<std::uint8_t, kFrameHeaderBytes> serializeFrameHeader(const FrameHeader &header)
{
    Writer out;
    out.put(kFrameHeaderVersion);
    out.put(static_cast<std::uint8_t>(header.codec));
    out.put(header.rung);
    out.put(static_cast<std::uint8_t>((header.key ? kKeyFlag : 0) | (header.converged ? kConvergedFlag : 0)));
    out.put(header.payload_bytes);
    out.put(header.sequence);
    out.put(header.captured_wall_us);
    out.put(header.width);
    out.put(header.height);
    out.put(header.exposure_us);
    out.put(header.iso);
    out.put(header.controls_generation);
    return out.bytes();
}

Expected<FrameHeader> parseFrameHeader(std::span<const std::uint8_t> bytes)
{
    if (bytes.size() < kFrameHeaderBytes)
        return corrupt("{} bytes of {}", bytes.size(), kFrameHeaderBytes);
    Reader in(bytes);
    FrameHeader header;
    std::uint8_t version = 0;
    std::uint8_t codec = 0;
    std::uint8_t flags = 0;
    in.get(version);
    in.get(codec);
    in.get(header.rung);
    in.get(flags);
    in.get(header.payload_bytes);
    in.get(header.sequence);
    in.get(header.captured_wall_us);
    in.get(header.width);
    in.get(header.height);
    in.get(header.exposure_us);
    in.get(header.iso);
    in.get(header.controls_generation);

    if (version != kFrameHeaderVersion)
        return corrupt("format version {}, not {}", version, kFrameHeaderVersion);
    if (codec > static_cast<std::uint8_t>(Codec::kH264))
        return corrupt("unknown codec {}", codec);
    if ((flags & ~(kKeyFlag | kConvergedFlag)) != 0)
        return corrupt("unknown flags {:#04x}", flags);
    header.codec = static_cast<Codec>(codec);
    header.key = (flags & kKeyFlag) != 0;
    header.converged = (flags & kConvergedFlag) != 0;
    if (header.codec == Codec::kJpeg && !header.key)
        return corrupt("flags without the key frame's for a JPEG");
    const std::uint32_t most = header.codec == Codec::kNone ? kMaxStateBytes : kMaxPayloadBytes;
    if (header.payload_bytes == 0 || header.payload_bytes > most)
        return corrupt("payload bytes {}, not 1 to {}", header.payload_bytes, most);
    if (header.codec == Codec::kNone)
        return header;
    if (header.sequence == 0)
        return corrupt("sequence 0");
    if (header.width == 0 || header.height == 0)
        return corrupt("{} 0", header.width == 0 ? "width" : "height");
    return header;
}

} // namespace picam
