#include "core/controls/webcam_controls.h"

namespace picam {

void WebcamControls::want(const ControlValues &wanted, const std::set<std::string, std::less<>> &restored)
{
    const ControlPlan plan = planControls(infos_, wanted, restored, told_);
    for (const ControlChange &change : plan.modes)
        tell(change);
    for (const ControlChange &change : plan.values)
        tell(change);
    // What is not told any more is no problem either.
    std::erase_if(problems_, [this](const auto &problem) { return !told_.contains(problem.first); });
}

void WebcamControls::tell(const ControlChange &change)
{
    if (auto done = device_.set(change.name, change.value); !done)
        problems_.insert_or_assign(change.name, std::move(done.error().message));
    else
        problems_.erase(change.name);
}

} // namespace picam
