// A stream of H.264 as fragmented MP4 (ISO/IEC 14496-12 and -15): an init segment, then a fragment for each frame, moof
// and mdat, sent at once. All viewers of an encoder share a frame's mdat (Mp4Frame); a viewer's own are the 100 bytes
// of its moof (Mp4Fragments). Nothing here sends; no two threads use one Mp4Fragments at a time.
//
// libavformat and MSE begin with the first frames. As the `src` of a <video>, without end, Chromium 156 shows nothing
// before some twenty of them and stays behind by as much, and Firefox 153 nothing before the end: a page takes MSE.
#pragma once

#include "core/base/error.h"
#include "core/image/encoded_frame.h"
#include "streamd/video/annex_b.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace picam {

// A second of the track's time. Microseconds are what cameras stamp and what browsers reckon in: times come through as
// they are, and no rounding makes a gap or an overlap.
constexpr std::uint32_t kMp4Timescale = 1000000;

// A frame as all fragments of it carry it.
struct Mp4Frame {
    bool key = false;
    Size size;
    MonotonicTime captured{};
    std::optional<ParameterSets> parameter_sets; // those that come with it: a key frame has them
    std::vector<std::uint8_t> mdat;              // the whole box
};

// Error kCorrupt: no access unit with a slice, or a key frame without parameter sets.
// REQUIRES: the frame is H.264, of at most kMaxPayloadBytes.
[[nodiscard]] Expected<Mp4Frame> makeMp4Frame(const EncodedFrame &frame);

// What a stream begins with: ftyp and moov, one track without edits. Its colours are those that the SPS of a
// VideoEncoder says, for players that look here alone. `fps`, frames a second to expect, is a hint that binds nobody.
// REQUIRES: sets of an Mp4Frame, of constrained baseline (avcC says more about other profiles); fps at least 0.001.
[[nodiscard]] std::vector<std::uint8_t> mp4InitSegment(Size size, const ParameterSets &sets, double fps);

// The fragments of one viewer, with its times. How long a frame is to be shown only the next one tells, which has not
// come yet: a sample lasts as long as it took from the frame before to this one, and the next begins where it ends. So
// times are those of the captures, a frame late, from 0 on, without gap or overlap. Browsers do not like the captures'
// own times:
//   - after a gap of more than twice a sample's duration MSE drops all frames up to the next key frame (coded frame
//     processing, step 6), which is far away here: with one late frame the picture stands;
//   - of samples that last long enough for any gap, and overlap, Firefox shows each 0.7 s late.
// A pause, where frames are missing, is left out of the times: a player has stood still meanwhile, and would stay
// behind by as much.
class Mp4Fragments {
public:
    // The viewer's first frame, a key frame; the viewer gets mp4InitSegment() of it first, then moof() and its mdat.
    explicit Mp4Fragments(const Mp4Frame &first) : size_(first.size), sets_(*first.parameter_sets) {}

    // Whether the init segment that the viewer has holds for the frame too. Where it does not, the stream ends here: a
    // player begins anew with another request, a page with another element.
    [[nodiscard]] bool continues(const Mp4Frame &frame) const;

    // What stands before the frame's mdat.
    [[nodiscard]] std::vector<std::uint8_t> moof(const Mp4Frame &frame);

private:
    const Size size_;
    const ParameterSets sets_;
    std::uint32_t sequence_number_ = 0;
    std::optional<MonotonicTime> last_captured_;
    std::chrono::microseconds last_interval_{0};    // between captures
    std::chrono::microseconds next_decode_time_{0}; // where the last sample ends
};

} // namespace picam
