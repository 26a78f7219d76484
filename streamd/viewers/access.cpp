#include "streamd/viewers/access.h"

namespace picam {

void Access::change(std::string_view generation, Clock::time_point now)
{
    generation_ = generation;
    others_refused_until_ = now + kOldWorkers;
    tickets_.clear();
    end_viewers_();
}

bool Access::admits(std::string_view generation, Clock::time_point now) const
{
    return generation == generation_ || now >= others_refused_until_;
}

} // namespace picam
