#include "core/camera/source_request.h"

namespace picam {

SourceRequest streamRequest(const Settings &settings)
{
    SourceRequest request;
    request.size = settings.stream.size;
    request.exact_size = settings.stream.size_given;
    request.fps = settings.stream.fps;
    request.transform = settings.camera.transform();
    if (settings.snapshot.size != settings.stream.size)
        request.still_output = StillOutputRequest{settings.snapshot.size, settings.snapshot.size_given};
    return request;
}

SourceRequest stillRequest(const Settings &settings)
{
    SourceRequest request;
    request.size = settings.snapshot.size;
    request.exact_size = settings.snapshot.size_given;
    request.fps = settings.stream.fps;
    request.still = true;
    request.transform = settings.camera.transform();
    return request;
}

} // namespace picam
