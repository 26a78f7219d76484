#include "streamd/viewers/stream_fragments.h"

#include "core/image/frame_header.h"

#include <utility>

namespace picam {

namespace {

constexpr double kUsualFps = 30.0;

// Made once, for all who get the frame so.
const Expected<Mp4Frame> &mp4Frame(StreamFrame &frame)
{
    auto &prepared = frame.prepared.at(static_cast<std::size_t>(WireFormat::kMp4));
    if (!prepared)
        prepared = std::make_shared<const Expected<Mp4Frame>>(makeMp4Frame(*frame.owner));
    return *static_cast<const Expected<Mp4Frame> *>(prepared.get());
}

} // namespace

Expected<FramePtr> StreamFragments::make(const FramePtr &frame, double fps)
{
    const Expected<Mp4Frame> &mp4 = mp4Frame(*frame);
    if (!mp4)
        return tl::unexpected<Error>(mp4.error());
    if (fragments_ && !fragments_->continues(*mp4)) {
        if (at_other_size_ == AtOtherSize::kEnd)
            return fail(ErrorKind::kUnsupported, "the picture has another size now");
        restart();
    }
    auto fragment = std::make_shared<StreamFrame>(*frame);
    if (!fragments_) {
        if (!mp4->key)
            return fail(ErrorKind::kCorrupt, "a stream begins with a key frame");
        fragments_.emplace(*mp4);
        fragment->lead = mp4InitSegment(mp4->size, *mp4->parameter_sets, fps > 0.0 ? fps : kUsualFps);
    }
    const auto moof = fragments_->moof(*mp4);
    fragment->lead.insert(fragment->lead.end(), moof.begin(), moof.end());
    fragment->payload = mp4->mdat.data();
    fragment->bytes = mp4->mdat.size();
    if (auto header = parseFrameHeader(frame->header)) {
        header->payload_bytes = static_cast<std::uint32_t>(fragment->lead.size() + fragment->bytes);
        fragment->header = serializeFrameHeader(*header);
    }
    // The payload's owner; what others make of the frame is no fragment.
    fragment->prepared = {};
    auto &owner = frame->prepared.at(static_cast<std::size_t>(WireFormat::kMp4));
    fragment->prepared.at(static_cast<std::size_t>(WireFormat::kMp4)) = owner;
    return fragment;
}

} // namespace picam
