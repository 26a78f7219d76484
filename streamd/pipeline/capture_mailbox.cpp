#include "streamd/pipeline/capture_mailbox.h"

#include <utility>

namespace picam {

void CaptureMailbox::restart(unsigned wish, bool wanted)
{
    const MutexLock lock(mutex_);
    wish_ = wish;
    open_ = wanted;
    status_.reset();
    picture_.reset();
}

void CaptureMailbox::put(unsigned wish, std::optional<CameraStatus> status, PicturePtr picture)
{
    {
        const MutexLock lock(mutex_);
        if (!open_ || wish != wish_)
            return;
        if (status) {
            status_ = std::move(status);
            picture_.reset();
        }
        if (picture)
            picture_ = std::move(picture);
        if (std::exchange(posted_, true))
            return;
    }
    scheduler_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->deliver();
    });
}

void CaptureMailbox::deliver()
{
    std::optional<CameraStatus> status;
    PicturePtr picture;
    unsigned wish = 0;
    {
        const MutexLock lock(mutex_);
        posted_ = false;
        status.swap(status_);
        picture.swap(picture_);
        wish = wish_;
    }
    if (status && sink_ != nullptr)
        sink_->onCameraStatus(*status);
    // The sink may just have decided that it wants no more.
    if (picture && sink_ != nullptr && takes(wish))
        sink_->onPicture(picture);
}

bool CaptureMailbox::takes(unsigned wish)
{
    const MutexLock lock(mutex_);
    return open_ && wish == wish_;
}

} // namespace picam
