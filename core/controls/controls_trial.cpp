#include "core/controls/controls_trial.h"

#include "core/base/log.h"
#include "core/base/small_file.h"

#include <charconv>
#include <unistd.h>
#include <utility>

namespace picam {

ControlsTrial::ControlsTrial(std::string path) : path_(std::move(path))
{
    constexpr std::size_t kMaxDigits = 16;
    if (path_.empty())
        return;
    const auto text = readSmallFile(path_, kMaxDigits);
    if (text && *text)
        std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), failed_);
    ::unlink(path_.c_str());
}

bool ControlsTrial::takeFailed(std::uint32_t generation)
{
    return generation != 0 && std::exchange(failed_, 0) == generation;
}

void ControlsTrial::begin(std::uint32_t generation)
{
    if (path_.empty() || generation == 0 || generation == passed_)
        return;
    tried_ = generation;
    on_ = true;
    if (auto done = replaceSmallFile(path_, std::to_string(generation), Durability::kUntilReboot); !done)
        log::warning("controls that end this program will be tried again: {}", done.error().message);
}

void ControlsTrial::end()
{
    if (std::exchange(on_, false))
        ::unlink(path_.c_str());
}

void ControlsTrial::pass()
{
    passed_ = tried_;
    end();
}

} // namespace picam
