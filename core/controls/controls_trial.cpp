#include "core/controls/controls_trial.h"

#include "core/base/log.h"
#include "core/base/small_file.h"
#include "core/controls/control_value.h"

#include <charconv>
#include <fmt/format.h>
#include <functional>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr std::string_view kTried = "tried ";
constexpr std::string_view kPassed = "passed ";

// Behind a word; 0: it is no such line.
std::uint64_t keyBehind(std::string_view word, std::string_view line)
{
    if (line.substr(0, word.size()) != word)
        return 0;
    line.remove_prefix(word.size());
    std::uint64_t key = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), key);
    return error == std::errc() && rest == line.data() + line.size() ? key : 0;
}

} // namespace

std::uint64_t trialKey(const ControlsRequest &controls)
{
    std::string text = controlListText(controls.defaults);
    for (const auto &[camera, set] : controls.cameras)
        if (!set.values.empty())
            text += fmt::format("\n{}\n{}", camera, controlListText(set.values));
    return text.empty() ? 0 : std::hash<std::string>{}(text) | 1U;
}

ControlsTrial::ControlsTrial(std::string path) : path_(std::move(path))
{
    constexpr std::size_t kMaxBytes = 64;
    if (path_.empty())
        return;
    if (const auto text = readSmallFile(path_, kMaxBytes); text && *text) {
        failed_ = keyBehind(kTried, **text);
        passed_ = keyBehind(kPassed, **text);
    }
    write();
}

// What passed, or nothing.
void ControlsTrial::write() const
{
    if (path_.empty())
        return;
    const std::string text = on_ ? fmt::format("{}{}", kTried, tried_) : fmt::format("{}{}", kPassed, passed_);
    if (!on_ && passed_ == 0)
        ::unlink(path_.c_str());
    else if (auto done = replaceSmallFile(path_, text, Durability::kUntilReboot); !done)
        log::warning("controls that end this program may be tried again: {}", done.error().message);
}

bool ControlsTrial::takeFailed(std::uint64_t key)
{
    return key != 0 && std::exchange(failed_, 0) == key;
}

void ControlsTrial::begin(std::uint64_t key)
{
    if (path_.empty() || key == 0 || key == passed_)
        return end();
    tried_ = key;
    on_ = true;
    write();
}

void ControlsTrial::end()
{
    if (std::exchange(on_, false))
        write();
}

void ControlsTrial::pass()
{
    passed_ = tried_;
    end();
}

void ControlsTrial::fail()
{
    if (on_)
        failed_ = tried_;
    end();
}

} // namespace picam
