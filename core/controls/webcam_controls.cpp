#include "core/controls/webcam_controls.h"

namespace picam {

bool WebcamControls::want(const ControlValues &wanted, const std::set<std::string, std::less<>> &restored)
{
    const ControlPlan plan = planControls(infos_, wanted, restored, told_);
    for (const ControlChange &change : plan.modes)
        tell(change);
    for (const ControlChange &change : plan.values)
        tell(change);
    moving_.clear();
    for (const auto &[name, why] : lockedControls(infos_, wanted))
        moving_.insert(name);
    // What is not told any more is no problem either.
    std::erase_if(problems_, [this](const auto &problem) { return !told_.contains(problem.first); });
    return !plan.modes.empty() || !plan.values.empty();
}

void WebcamControls::tell(const ControlChange &change)
{
    if (auto done = device_.set(change.name, change.value); !done)
        problems_.insert_or_assign(change.name, std::move(done.error().message));
    else
        problems_.erase(change.name);
    unread_.insert(change.name);
    // An automatism that was switched off has left its last value.
    for (const ControlInfo &info : infos_)
        if (modeOf(info.name) == change.name)
            unread_.insert(info.name);
}

const ControlValues &WebcamControls::read()
{
    unread_.insert(moving_.begin(), moving_.end());
    while (!unread_.empty()) {
        const std::string name = std::move(unread_.extract(unread_.begin()).value());
        auto value = device_.get(name);
        if (!value) {
            actual_.erase(name);
            moving_.erase(name);
            break;
        }
        actual_.insert_or_assign(name, *std::move(value));
    }
    return actual_;
}

} // namespace picam
