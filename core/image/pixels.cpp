#include "core/image/pixels.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <libyuv/convert.h>
#include <libyuv/planar_functions.h>
#include <libyuv/rotate.h>
#include <libyuv/scale.h>

namespace picam {
namespace {

// A plane of the promised format: how many rows, and how many bytes of each are pixels.
struct Extent {
    std::uint64_t row_bytes = 0;
    std::uint64_t rows = 0;
};

std::array<Extent, 3> extentsOf(const FrameFormat &format)
{
    const std::uint64_t width = format.size.width;
    const std::uint64_t height = format.size.height;
    switch (format.pixels) {
    case PixelFormat::kYuv420:
        return {{{width, height}, {width / 2, height / 2}, {width / 2, height / 2}}};
    case PixelFormat::kNv12:
        return {{{width, height}, {width, height / 2}, {}}};
    case PixelFormat::kYuyv:
        return {{{width * 2, height}, {}, {}}};
    case PixelFormat::kRgb24:
    case PixelFormat::kBgr24:
        return {{{width * 3, height}, {}, {}}};
    case PixelFormat::kJpeg:
        break;
    }
    return {};
}

// Only for strides that checkPlanes() has seen, and for our own, which are shorter.
int toInt(std::size_t value)
{
    return static_cast<int>(value);
}

// libyuv turns clockwise as we do, and flips top to bottom first where the height is negative. A flip left to right
// is that flip and a half turn.
struct LibyuvTurn {
    libyuv::RotationMode mode = libyuv::kRotate0;
    int height_sign = 1;
};

LibyuvTurn libyuvTurn(const Transform &transform)
{
    const Transform t = transform.normalized();
    const unsigned degrees = (static_cast<unsigned>(t.rotation) + (t.hflip ? 180U : 0U)) % 360U;
    return {static_cast<libyuv::RotationMode>(degrees), t.hflip ? -1 : 1};
}

// From any of our colour codings to full-range BT.601, all as differences from black and from grey:
//   Y' = y_y Y + y_u U + y_v V     U' = u_u U + u_v V     V' = v_u U + v_v V
// Fixed point with 14 bits behind the point: each is below 2 and fits 16 bits, and so does all that is made with them.
struct Coefficients {
    static constexpr int kBits = 14;
    std::uint8_t black = 0; // Y of black
    std::uint16_t y_y = 0;
    std::int16_t y_u = 0, y_v = 0;
    std::int16_t u_u = 0, u_v = 0, v_u = 0, v_v = 0;
};

std::int16_t fixed(double value)
{
    return static_cast<std::int16_t>(std::lround(value * (1 << Coefficients::kBits)));
}

Coefficients coefficients(ColorRange range, ColorMatrix matrix)
{
    // Limited range: ITU-R BT.601-7, 2.5.3: black at 16, white at 235, chroma 16 to 240.
    const bool limited = range == ColorRange::kLimited;
    const double luma = limited ? 255.0 / 219.0 : 1.0;
    const double chroma = limited ? 255.0 / 224.0 : 1.0;
    Coefficients c;
    c.black = limited ? 16 : 0;
    c.y_y = static_cast<std::uint16_t>(fixed(luma));
    c.u_u = c.v_v = fixed(chroma);
    if (matrix == ColorMatrix::kBt601)
        return c;
    // BT.709 (Kr 0.2126, Kb 0.0722) to R'G'B' and on to BT.601 (Kr 0.299, Kb 0.114), multiplied out.
    constexpr double kr7 = 0.2126, kb7 = 0.0722, kg7 = 1.0 - kr7 - kb7;
    constexpr double kr6 = 0.299, kb6 = 0.114, kg6 = 1.0 - kr6 - kb6;
    constexpr double r_v = 2.0 * (1.0 - kr7), b_u = 2.0 * (1.0 - kb7);
    constexpr double g_u = -kb7 * b_u / kg7, g_v = -kr7 * r_v / kg7;
    constexpr double y_u = kb6 * b_u + kg6 * g_u, y_v = kr6 * r_v + kg6 * g_v;
    constexpr double u_scale = 1.0 / (2.0 * (1.0 - kb6)), v_scale = 1.0 / (2.0 * (1.0 - kr6));
    c.y_u = fixed(chroma * y_u);
    c.y_v = fixed(chroma * y_v);
    c.u_u = fixed(chroma * (b_u - y_u) * u_scale);
    c.u_v = fixed(chroma * -y_v * u_scale);
    c.v_u = fixed(chroma * -y_u * v_scale);
    c.v_v = fixed(chroma * (r_v - y_v) * v_scale);
    return c;
}

// The loops below are plain, and in 16 bits throughout, so that the compiler makes vectors of them: it knows the high
// half of a product of 16 bits, and 16 pixels fit where 4 would in 32 bits. Values have 6 bits behind the point. A
// product is rounded down, so a sum of two is at most 1/32 too small before it is rounded to the nearest pixel.
constexpr int kPixelBits = 6;
constexpr std::int16_t kHalf = 1 << (kPixelBits - 1);
constexpr std::int16_t kGrey = (128 << kPixelBits) + kHalf;

std::uint8_t pixel(std::int16_t value) // rounds down: kHalf is in it already
{
    return static_cast<std::uint8_t>(
        std::clamp<std::int16_t>(static_cast<std::int16_t>(value >> kPixelBits), 0, UINT8_MAX));
}

// `sample` with 8 bits behind the point times 14 bits behind the point, of which the 16 lowest go.
std::int16_t scaled(std::uint8_t sample, std::uint16_t factor)
{
    return static_cast<std::int16_t>((std::uint32_t{static_cast<std::uint16_t>(sample << 8)} * factor) >> 16);
}

std::int16_t scaledDifference(std::uint8_t sample, std::int16_t factor)
{
    return static_cast<std::int16_t>((std::int32_t{static_cast<std::int16_t>((sample - 128) * 256)} * factor) >> 16);
}

void lumaRow(std::uint16_t factor, std::int16_t add, const std::uint8_t *__restrict from, std::uint8_t *__restrict to,
             std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        to[i] = pixel(static_cast<std::int16_t>(scaled(from[i], factor) + add));
}

void lumaRow(std::uint16_t factor, const std::int16_t *__restrict add, const std::uint8_t *__restrict from,
             std::uint8_t *__restrict to, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        to[i] = pixel(static_cast<std::int16_t>(scaled(from[i], factor) + add[i]));
}

void chromaRow(std::int16_t factor, const std::uint8_t *__restrict from, std::uint8_t *__restrict to, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        to[i] = pixel(static_cast<std::int16_t>(scaledDifference(from[i], factor) + kGrey));
}

void mixedChromaRow(std::int16_t u_factor, std::int16_t v_factor, const std::uint8_t *__restrict u,
                    const std::uint8_t *__restrict v, std::uint8_t *__restrict to, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        to[i] = pixel(
            static_cast<std::int16_t>(scaledDifference(u[i], u_factor) + scaledDifference(v[i], v_factor) + kGrey));
}

// `add`, and what chroma adds to its two pixels of a row.
void lumaShiftRow(std::int16_t u_factor, std::int16_t v_factor, std::int16_t add, const std::uint8_t *__restrict u,
                  const std::uint8_t *__restrict v, std::int16_t *__restrict shift, std::size_t pairs)
{
    for (std::size_t i = 0; i < pairs; ++i) {
        const auto both =
            static_cast<std::int16_t>(scaledDifference(u[i], u_factor) + scaledDifference(v[i], v_factor) + add);
        shift[2 * i] = both;
        shift[2 * i + 1] = both;
    }
}

} // namespace

Expected<void> checkPlanes(const Frame &frame)
{
    const FrameFormat &format = frame.format();
    const Size size = format.size;
    if (size.width == 0 || size.height == 0 || size.width % 2 != 0 || size.height % 2 != 0 || size.width > kMaxSide ||
        size.height > kMaxSide)
        return fail(ErrorKind::kUnsupported, "cannot encode a frame of " + size.toString() + " pixels");
    const std::array<Extent, 3> extents = extentsOf(format);
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (extents.at(i).rows == 0)
            continue;
        const Plane &plane = frame.plane(i);
        const std::uint64_t needed = (extents.at(i).rows - 1) * plane.stride + extents.at(i).row_bytes;
        if (plane.data == nullptr || plane.stride < extents.at(i).row_bytes || plane.stride > INT_MAX / 2 ||
            needed > plane.size)
            return fail(ErrorKind::kCorrupt, "plane " + std::to_string(i) + " of a frame of " + size.toString() +
                                                 " has " + std::to_string(plane.size) + " bytes in rows of " +
                                                 std::to_string(plane.stride));
    }
    return {};
}

void PixelConverter::Buffer::shape(Size size)
{
    // Rows start where vector loads like them.
    const auto align = [](std::size_t row) { return (row + 31U) & ~std::size_t{31U}; };
    stride = {align(size.width), align(size.width / 2), align(size.width / 2)};
    const std::size_t luma = stride[0] * size.height;
    const std::size_t chroma = stride[1] * (size.height / 2);
    if (capacity < luma + 2 * chroma) {
        bytes.reset(); // first, so that the old and the new do not exist together
        bytes = std::make_unique_for_overwrite<std::uint8_t[]>(luma + 2 * chroma);
        capacity = luma + 2 * chroma;
    }
    data = {bytes.get(), bytes.get() + luma, bytes.get() + luma + chroma};
}

void scaleDown(const std::vector<std::uint8_t> &from, Size from_size, std::vector<std::uint8_t> &to, Size to_size)
{
    Size crop = from_size;
    const std::uint64_t widest = std::uint64_t{from_size.height} * to_size.width / to_size.height;
    if (widest < from_size.width)
        crop.width = static_cast<std::uint32_t>(widest) / 2 * 2;
    else
        crop.height =
            static_cast<std::uint32_t>(std::uint64_t{from_size.width} * to_size.height / to_size.width) / 2 * 2;
    const std::size_t left = (from_size.width - crop.width) / 4 * 2;
    const std::size_t above = (from_size.height - crop.height) / 4 * 2;
    const std::size_t stride = from_size.width;
    const std::size_t luma = stride * from_size.height;
    const std::size_t chroma_start = above / 2 * (stride / 2) + left / 2;
    const std::size_t to_luma = std::size_t{to_size.width} * to_size.height;
    to.resize(to_luma / 2 * 3);
    libyuv::I420Scale(from.data() + above * stride + left, toInt(stride), from.data() + luma + chroma_start,
                      toInt(stride / 2), from.data() + luma / 4 * 5 + chroma_start, toInt(stride / 2),
                      toInt(crop.width), toInt(crop.height), to.data(), toInt(to_size.width), to.data() + to_luma,
                      toInt(to_size.width / 2), to.data() + to_luma / 4 * 5, toInt(to_size.width / 2),
                      toInt(to_size.width), toInt(to_size.height), libyuv::kFilterBox);
}

Expected<PlanarView> PixelConverter::toJpegPlanes(const Frame &frame, const Transform &transform)
{
    const FrameFormat &format = frame.format();
    if (format.pixels == PixelFormat::kJpeg)
        return fail(ErrorKind::kUnsupported, "a JPEG has no planes");
    if (auto checked = checkPlanes(frame); !checked)
        return tl::unexpected(checked.error());
    const bool rgb = format.pixels == PixelFormat::kRgb24 || format.pixels == PixelFormat::kBgr24;
    const bool convert = !rgb && (format.range != ColorRange::kFull || format.matrix != ColorMatrix::kBt601);
    PlanarView view;
    view.size = format.size;
    if (format.pixels == PixelFormat::kNv12 && !convert && !transform.isIdentity()) {
        turnNv12(frame, transform, view);
        return view;
    }
    unpack(frame, view);
    if (convert)
        convertColors(format, view);
    if (!transform.isIdentity())
        turn(transform, view);
    return view;
}

PlanarView PixelConverter::resized(const PlanarView &view, Size size)
{
    third_.shape(size);
    const auto &to = third_.data;
    libyuv::I420Scale(view.data[0], toInt(view.stride[0]), view.data[1], toInt(view.stride[1]), view.data[2],
                      toInt(view.stride[2]), toInt(view.size.width), toInt(view.size.height), to[0],
                      toInt(third_.stride[0]), to[1], toInt(third_.stride[1]), to[2], toInt(third_.stride[2]),
                      toInt(size.width), toInt(size.height), libyuv::kFilterBox);
    return {{to[0], to[1], to[2]}, third_.stride, size};
}

// To three planes, in the frame or in first_.
void PixelConverter::unpack(const Frame &frame, PlanarView &view)
{
    const Size size = view.size;
    const PixelFormat pixels = frame.format().pixels;
    const Plane &plane = frame.plane(0);
    if (pixels == PixelFormat::kYuv420) {
        for (std::size_t i = 0; i < 3; ++i) {
            view.data.at(i) = frame.plane(i).data;
            view.stride.at(i) = frame.plane(i).stride;
        }
        return;
    }
    first_.shape(size);
    const auto &to = first_.data;
    const int y_stride = toInt(first_.stride[0]);
    const int uv_stride = toInt(first_.stride[1]);
    const int width = toInt(size.width);
    const int height = toInt(size.height);
    view.data = {to[0], to[1], to[2]};
    view.stride = first_.stride;
    if (pixels == PixelFormat::kNv12) {
        const Plane &chroma = frame.plane(1);
        libyuv::SplitUVPlane(chroma.data, toInt(chroma.stride), to[1], uv_stride, to[2], uv_stride, width / 2,
                             height / 2);
        view.data[0] = plane.data;
        view.stride[0] = plane.stride;
    } else if (pixels == PixelFormat::kYuyv) {
        libyuv::YUY2ToI420(plane.data, toInt(plane.stride), to[0], y_stride, to[1], uv_stride, to[2], uv_stride, width,
                           height);
    } else if (pixels == PixelFormat::kRgb24) { // what libyuv calls RAW; its RGB24 is B G R in memory
        libyuv::RAWToJ420(plane.data, toInt(plane.stride), to[0], y_stride, to[1], uv_stride, to[2], uv_stride, width,
                          height);
    } else {
        libyuv::RGB24ToJ420(plane.data, toInt(plane.stride), to[0], y_stride, to[1], uv_stride, to[2], uv_stride, width,
                            height);
    }
}

// Into second_. Each chroma sample counts for its four pixels.
void PixelConverter::convertColors(const FrameFormat &format, PlanarView &view)
{
    const Coefficients c = coefficients(format.range, format.matrix);
    const std::size_t width = view.size.width;
    const std::size_t columns = width / 2;
    const auto add = static_cast<std::int16_t>(kHalf - scaled(c.black, c.y_y));
    second_.shape(view.size);
    if (luma_shift_capacity_ < width) {
        luma_shift_ = std::make_unique_for_overwrite<std::int16_t[]>(width);
        luma_shift_capacity_ = width;
    }
    const auto from = [&view](std::size_t i, std::size_t row) { return view.data.at(i) + row * view.stride.at(i); };
    const auto to = [this](std::size_t i, std::size_t row) { return second_.data.at(i) + row * second_.stride.at(i); };
    for (std::size_t row = 0; row < view.size.height / 2; ++row) {
        const std::uint8_t *u = from(1, row);
        const std::uint8_t *v = from(2, row);
        if (format.matrix == ColorMatrix::kBt601) {
            for (const std::size_t y : {2 * row, 2 * row + 1})
                lumaRow(c.y_y, add, from(0, y), to(0, y), width);
            chromaRow(c.u_u, u, to(1, row), columns);
            chromaRow(c.v_v, v, to(2, row), columns);
        } else {
            lumaShiftRow(c.y_u, c.y_v, add, u, v, luma_shift_.get(), columns);
            for (const std::size_t y : {2 * row, 2 * row + 1})
                lumaRow(c.y_y, luma_shift_.get(), from(0, y), to(0, y), width);
            mixedChromaRow(c.u_u, c.u_v, u, v, to(1, row), columns);
            mixedChromaRow(c.v_u, c.v_v, u, v, to(2, row), columns);
        }
    }
    view.data = {second_.data[0], second_.data[1], second_.data[2]};
    view.stride = second_.stride;
}

// Into whichever buffer the planes are not in.
void PixelConverter::turn(const Transform &transform, PlanarView &view)
{
    Buffer &to = view.data[1] == first_.data[1] ? second_ : first_;
    const Size turned = transform.apply(view.size);
    const LibyuvTurn how = libyuvTurn(transform);
    to.shape(turned);
    for (std::size_t i = 0; i < 3; ++i) {
        const std::uint32_t halving = i == 0 ? 1 : 2;
        libyuv::RotatePlane(view.data.at(i), toInt(view.stride.at(i)), to.data.at(i), toInt(to.stride.at(i)),
                            toInt(view.size.width / halving), how.height_sign * toInt(view.size.height / halving),
                            how.mode);
    }
    view = {{to.data[0], to.data[1], to.data[2]}, to.stride, turned};
}

// Turned while the chroma is split: one pass less.
void PixelConverter::turnNv12(const Frame &frame, const Transform &transform, PlanarView &view)
{
    const Size turned = transform.apply(view.size);
    const LibyuvTurn how = libyuvTurn(transform);
    const int width = toInt(view.size.width);
    const int height = how.height_sign * toInt(view.size.height);
    first_.shape(turned);
    libyuv::RotatePlane(frame.plane(0).data, toInt(frame.plane(0).stride), first_.data[0], toInt(first_.stride[0]),
                        width, height, how.mode);
    libyuv::SplitRotateUV(frame.plane(1).data, toInt(frame.plane(1).stride), first_.data[1], toInt(first_.stride[1]),
                          first_.data[2], toInt(first_.stride[2]), width / 2, height / 2, how.mode);
    view = {{first_.data[0], first_.data[1], first_.data[2]}, first_.stride, turned};
}

} // namespace picam
