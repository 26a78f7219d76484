// VideoSwitch asks for the stream's H.264, frame by frame: what VideoRungs knows of the pipeline. Loop thread only.
#pragma once

#include "streamd/video/rung_encoders.h"

namespace picam {

class VideoSwitch {
public:
    virtual ~VideoSwitch() = default;
    // Whether anybody takes H.264. While the camera is wanted, too, its frames are offered to the video encoders.
    virtual void wantVideo(bool wanted) = 0;
    // As RungEncoders. A request outlives a camera that fails; its answer is StreamSink::onVideo().
    virtual void requestVideo(unsigned rung, const RungEncoders::Request &request) = 0;
    virtual void releaseVideo(unsigned rung) = 0;
};

} // namespace picam
