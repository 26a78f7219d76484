#include "streamd/video/openh264_loader.h"

#include "core/base/module.h"
#include "streamd/video/openh264_module.h"

namespace picam {

Expected<std::unique_ptr<VideoEncoder>> createOpenh264Encoder(const VideoEncoderOptions &options)
{
    static const Expected<Module> module = Module::load(openh264_module::kFileName, openh264_module::kVersion);
    if (!module)
        return tl::unexpected<Error>(module.error());
    const auto create = module->function<openh264_module::CreateEncoder>(openh264_module::kCreateEncoder);
    if (!create)
        return tl::unexpected<Error>(create.error());
    Expected<std::unique_ptr<VideoEncoder>> encoder;
    (*create)(options, encoder);
    return encoder;
}

} // namespace picam
