#include "streamd/pipeline/stream_mailbox.h"

#include <utility>

namespace picam {

void StreamMailbox::restart(unsigned generation, bool wanted)
{
    const MutexLock lock(mutex_);
    generation_ = generation;
    open_ = wanted;
    status_.reset();
    picture_.reset();
}

void StreamMailbox::put(unsigned generation, std::optional<CameraStatus> status, PicturePtr picture)
{
    {
        const MutexLock lock(mutex_);
        if (!open_ || generation != generation_)
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

void StreamMailbox::putVideo(unsigned generation, RungEncoders::Result result)
{
    if (!takes(generation))
        return;
    scheduler_.post([weak = weak_from_this(), generation,
                     shared = std::make_shared<const RungEncoders::Result>(std::move(result))] {
        const auto self = weak.lock();
        if (self && self->sink_ != nullptr && self->takes(generation))
            self->sink_->onVideo(*shared);
    });
}

void StreamMailbox::deliver()
{
    std::optional<CameraStatus> status;
    PicturePtr picture;
    unsigned generation = 0;
    {
        const MutexLock lock(mutex_);
        posted_ = false;
        status.swap(status_);
        picture.swap(picture_);
        generation = generation_;
    }
    if (status && sink_ != nullptr)
        sink_->onCameraStatus(*status);
    // The sink may just have decided that it wants no more.
    if (picture && sink_ != nullptr && takes(generation))
        sink_->onPicture(picture);
}

bool StreamMailbox::takes(unsigned generation)
{
    const MutexLock lock(mutex_);
    return open_ && generation == generation_;
}

} // namespace picam
