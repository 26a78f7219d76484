// StreamFragments makes fragments of MP4 of the H.264 that one viewer is sent, for those whose player takes nothing
// else: /stream.mp4, and pages without WebCodecs. Loop thread only.
#pragma once

#include "streamd/video/mp4_fragments.h"
#include "streamd/viewers/connection.h"

#include <optional>

namespace picam {

class StreamFragments {
public:
    enum class AtOtherSize : std::uint8_t { kEnd, kBeginAnew }; // with an init segment

    explicit StreamFragments(AtOtherSize at_other_size) : at_other_size_(at_other_size) {}

    // The frame as a fragment, with the init segment before it where it begins; its `lead` is this viewer's alone, the
    // payload that of all who get the frame as MP4. `fps`, frames a second to expect; 0: nobody knows.
    // Error kCorrupt: it is no access unit, or no key frame where one has to be; kUnsupported: it ends here, at another
    // size. REQUIRES: the frame is H.264, made by makeStreamFrame().
    [[nodiscard]] Expected<FramePtr> make(const FramePtr &frame, double fps);

    // The next frame, which has to be a key frame, begins anew.
    void restart() { fragments_.reset(); }

private:
    const AtOtherSize at_other_size_;
    std::optional<Mp4Fragments> fragments_;
};

} // namespace picam
