#include "streamd/pipeline/driver_watch.h"

#include <utility>

namespace picam {

DriverWatch::Call::Call(std::shared_ptr<DriverWatch> watch, std::string what) : watch_(std::move(watch))
{
    watch_->begin(std::move(what));
}

DriverWatch::Call::~Call()
{
    watch_->end();
}

void DriverWatch::begin(std::string what)
{
    calling_ = true;
    scheduler_.post([weak = weak_from_this(), what = std::move(what)] {
        const auto self = weak.lock();
        if (!self)
            return;
        if (!self->timer_)
            self->timer_ = self->scheduler_.makeTimer();
        self->timer_->start(self->patience_, [raw = self.get(), what] {
            if (raw->calling_)
                raw->stuck_(what);
        });
    });
}

void DriverWatch::end()
{
    calling_ = false;
    scheduler_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && self->timer_)
            self->timer_->cancel();
    });
}

} // namespace picam
