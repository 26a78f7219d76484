#include "core/camera/y4m.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr std::size_t kMaxLine = 512; // bytes of a header line; real ones have fewer than a hundred
constexpr std::uint32_t kMaxSide = 16384;

std::uint32_t number(std::string_view text)
{
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

double ratio(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == std::string_view::npos)
        return 0.0;
    const double above = number(text.substr(0, colon));
    const double below = number(text.substr(colon + 1));
    return below > 0 ? above / below : 0.0;
}

// Of planes as they are stored, those of even sides, without gaps, in their place.
void cropToEven(std::vector<std::uint8_t> &planes, Size stored, Size even)
{
    std::size_t from = 0;
    std::size_t to = 0;
    for (const std::uint32_t divisor : {1U, 2U, 2U}) {
        const std::size_t stored_width = (stored.width + divisor - 1) / divisor;
        const std::size_t stored_height = (stored.height + divisor - 1) / divisor;
        const std::size_t width = even.width / divisor;
        for (std::size_t line = 0; line < even.height / divisor; ++line, to += width)
            std::memmove(planes.data() + to, planes.data() + from + line * stored_width, width);
        from += stored_width * stored_height;
    }
    planes.resize(to);
}

std::size_t bytesOf(Size stored)
{
    const std::size_t chroma = std::size_t{(stored.width + 1) / 2} * ((stored.height + 1) / 2);
    return std::size_t{stored.width} * stored.height + 2 * chroma;
}

// A line without its newline; empty at the end of the file. Errors: kCorrupt, kIo.
Expected<std::string> readLine(int fd, std::uint64_t offset)
{
    std::array<char, kMaxLine> text{};
    const ssize_t got = ::pread(fd, text.data(), text.size(), static_cast<off_t>(offset));
    if (got < 0)
        return failErrno(ErrorKind::kIo, "cannot read", errno);
    const std::string_view all(text.data(), static_cast<std::size_t>(got));
    if (all.empty())
        return std::string();
    const auto newline = all.find('\n');
    if (newline == std::string_view::npos)
        return fail(ErrorKind::kCorrupt, "a header line has no end");
    return std::string(all.substr(0, newline));
}

} // namespace

Expected<Y4mHeader> parseY4mHeader(const std::string &line)
{
    std::string_view rest(line);
    constexpr std::string_view kMagic = "YUV4MPEG2";
    if (rest.substr(0, kMagic.size()) != kMagic || (rest.size() > kMagic.size() && rest[kMagic.size()] != ' '))
        return fail(ErrorKind::kCorrupt, "it is no Y4M file");
    rest.remove_prefix(kMagic.size());
    Y4mHeader header;
    header.bytes = line.size() + 1;
    std::string_view chroma; // "420jpeg", "422p10" …
    std::string_view range;
    std::string_view subsampling; // mjpegtools' word for chroma, which counts where there is no C
    while (!rest.empty()) {
        const auto start = rest.find_first_not_of(' ');
        if (start == std::string_view::npos)
            break;
        rest.remove_prefix(start);
        const std::string_view field = rest.substr(0, rest.find(' '));
        rest.remove_prefix(field.size());
        const std::string_view value = field.substr(1);
        switch (field[0]) {
        case 'W':
            header.stored.width = number(value);
            break;
        case 'H':
            header.stored.height = number(value);
            break;
        case 'F':
            header.fps = ratio(value);
            break;
        case 'C':
            chroma = value;
            break;
        case 'X':
            if (value.rfind("COLORRANGE=", 0) == 0)
                range = value.substr(11);
            if (value.rfind("YSCSS=", 0) == 0)
                subsampling = value.substr(6);
            break;
        default:
            break; // interlacing, aspect, comments
        }
    }
    if (chroma.empty())
        chroma = subsampling;
    if (chroma.empty())
        chroma = "420";
    if (chroma != "420" && chroma != "420jpeg" && chroma != "420mpeg2" && chroma != "420paldv" && chroma != "420JPEG" &&
        chroma != "420MPEG2" && chroma != "420PALDV")
        return fail(ErrorKind::kUnsupported, fmt::format("its chroma is {}, and only 8 bit 4:2:0 is read", chroma));
    const Size size = header.stored;
    if (size.width < 16 || size.height < 16 || size.width > kMaxSide || size.height > kMaxSide)
        return fail(ErrorKind::kUnsupported, fmt::format("its size is {}", size.toString()));
    header.format.size = {size.width & ~1U, size.height & ~1U};
    if (!(header.fps >= 0.0 && header.fps <= 1000.0))
        header.fps = 0.0;
    // "420jpeg" says where chroma is sampled, and nothing about the range.
    header.format.range = range == "FULL" ? ColorRange::kFull : ColorRange::kLimited;
    return header;
}

Expected<Y4mFile> Y4mFile::open(const std::string &path)
{
    FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return failErrno(errno == ENOENT ? ErrorKind::kNoCamera : ErrorKind::kIo, fmt::format("cannot open {}", path),
                         errno);
    auto line = readLine(fd.get(), 0);
    auto header = line ? parseY4mHeader(*line) : tl::unexpected<Error>(line.error());
    if (!header)
        return fail(header.error().kind, fmt::format("cannot use {}: {}", path, header.error().message));
    return Y4mFile(std::move(fd), path, *header);
}

Expected<void> Y4mFile::readFrame(std::vector<std::uint8_t> &planes)
{
    if (offset_ == 0)
        offset_ = header_.bytes;
    const bool first = offset_ == header_.bytes;
    auto done = readFrameAt(offset_, planes);
    // What stands behind the last whole frame is the end: nothing, or what a recorder left that was killed.
    if (!done && done.error().kind == ErrorKind::kCorrupt && !first)
        done = readFrameAt(header_.bytes, planes);
    if (!done)
        return tl::unexpected<Error>(std::move(done.error()));
    offset_ = *done;
    return {};
}

// Returns the offset behind the frame.
Expected<std::uint64_t> Y4mFile::readFrameAt(std::uint64_t offset, std::vector<std::uint8_t> &planes) const
{
    planes.resize(bytesOf(header_.stored));
    const auto line = readLine(fd_.get(), offset);
    if (!line)
        return fail(line.error().kind, fmt::format("{}: {}", path_, line.error().message));
    constexpr std::string_view kFrame = "FRAME";
    if (line->rfind(kFrame, 0) != 0)
        return fail(ErrorKind::kCorrupt, fmt::format("{} has no frame at byte {}", path_, offset));
    const std::uint64_t at = offset + line->size() + 1;
    std::size_t done = 0;
    while (done < planes.size()) {
        const ssize_t got =
            ::pread(fd_.get(), planes.data() + done, planes.size() - done, static_cast<off_t>(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failErrno(ErrorKind::kIo, fmt::format("cannot read {}", path_), errno);
        if (got == 0)
            return fail(ErrorKind::kCorrupt, fmt::format("{} ends within a frame", path_));
        done += static_cast<std::size_t>(got);
    }
    const std::uint64_t end = at + planes.size();
    if (header_.stored != header_.format.size)
        cropToEven(planes, header_.stored, header_.format.size);
    return end;
}

} // namespace picam
