#include "core/controls/controls_files.h"

#include "core/base/log.h"
#include "core/base/small_file.h"
#include "core/store/camera_requests.h"

#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <sys/stat.h>
#include <utility>

namespace picam {
namespace {

// Empty: there is none.
Expected<std::optional<ControlsDocument>> readDocument(const std::string &path)
{
    auto text = readSmallFile(path, ControlsDocument::kMaxBytes);
    if (!text)
        return tl::unexpected<Error>(std::move(text.error()));
    if (!*text)
        return std::optional<ControlsDocument>();
    auto document = parseControlsDocument(**text);
    if (!document)
        return fail(document.error().kind, fmt::format("{} is damaged", path));
    return std::optional<ControlsDocument>(*std::move(document));
}

std::optional<ControlsDocument> readOrWarn(const std::string &path)
{
    auto document = readDocument(path);
    if (document)
        return *std::move(document);
    log::warning("the controls go by their defaults: {}", document.error().message);
    return std::nullopt;
}

// Beside its place, and beside what was set aside before.
void setAside(const std::string &path)
{
    constexpr int kMost = 9;
    std::string aside = path + ".damaged";
    struct stat status {};
    for (int n = 2; n <= kMost && ::lstat(aside.c_str(), &status) == 0; ++n)
        aside = fmt::format("{}.damaged.{}", path, n);
    static_cast<void>(std::rename(path.c_str(), aside.c_str()));
}

} // namespace

ControlsFiles::ControlsFiles(const Settings &settings)
    : current_path_(settings.path(".controls")), state_dir_(settings.state_dir),
      kept_path_(settings.state_dir + "/" + settings.instance + ".json")
{
}

ControlsDocument ControlsFiles::load() const
{
    auto current = readOrWarn(current_path_);
    auto kept = readOrWarn(kept_path_);
    if (current && (!kept || !isBeforeControls(current->generation, kept->generation)))
        return *std::move(current);
    return std::move(kept).value_or(ControlsDocument{});
}

bool ControlsFiles::hasUnkept() const
{
    const auto current = readDocument(current_path_);
    const auto kept = readDocument(kept_path_);
    if (!current || !*current)
        return false;
    return !kept || !*kept || (**current != **kept && !isBeforeControls((*current)->generation, (*kept)->generation));
}

Expected<void> ControlsFiles::publish(const ControlsDocument &document) const
{
    return replaceSmallFile(current_path_, serializeControlsDocument(document), Durability::kUntilReboot);
}

Expected<void> ControlsFiles::keep(const ControlsDocument &document) const
{
    constexpr mode_t kOwnerOnly = 0700;
    static_cast<void>(::mkdir(state_dir_.c_str(), kOwnerOnly)); // the service manager has made it
    if (!readDocument(kept_path_))
        setAside(kept_path_);
    return replaceSmallFile(kept_path_, serializeControlsDocument(document), Durability::kLasting);
}

} // namespace picam
