#include "core/camera/camera_claim.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace picam {
namespace {

constexpr const char *kSuffix = ".camera";
// Held while claims are read and written. No instance's file: those have a suffix.
constexpr const char *kFolderLock = "/cameras";
constexpr std::size_t kMaxFile = 64 * 1024;

// What an instance's file says, a line each.
struct Entry {
    std::string wanted;              // its camera.id
    std::string camera;              // the id of the one it has
    std::vector<std::string> others; // ids of those that were there beside it
};

bool lockFile(int fd, int operation)
{
    int result = ::flock(fd, operation);
    while (result != 0 && errno == EINTR)
        result = ::flock(fd, operation);
    return result == 0;
}

FileDescriptor openFile(const std::string &path)
{
    return FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660));
}

Expected<FileDescriptor> lockFolder(const std::string &folder)
{
    const std::string path = folder + kFolderLock;
    FileDescriptor file = openFile(path);
    if (!file || !lockFile(file.get(), LOCK_EX))
        return failErrno(ErrorKind::kIo, fmt::format("cannot lock {}", path), errno);
    return file;
}

Entry read(int fd)
{
    std::string text(kMaxFile, '\0');
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    Entry entry;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::string_view key = line.substr(0, line.find(' '));
        const std::string value(line.substr(std::min(key.size() + 1, line.size())));
        if (key == "wanted")
            entry.wanted = value;
        else if (key == "camera")
            entry.camera = value;
        else if (key == "other")
            entry.others.push_back(value);
    }
    return entry;
}

Expected<void> write(int fd, const Entry &entry)
{
    std::string text = fmt::format("wanted {}\ncamera {}\n", entry.wanted, entry.camera);
    for (const std::string &other : entry.others)
        text += fmt::format("other {}\n", other);
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        return failErrno(ErrorKind::kIo, "cannot write which camera is this instance's", errno);
    return {};
}

std::vector<std::string> othersThan(const std::string &id, const std::vector<CameraName> &cameras)
{
    std::vector<std::string> others;
    for (const CameraName &camera : cameras)
        if (camera.id != id)
            others.push_back(camera.id);
    return others;
}

// By place in the list, or by a part of id or model: all that match.
std::vector<std::size_t> find(const std::vector<CameraName> &cameras, const std::string &wanted)
{
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
    std::vector<std::size_t> found;
    if (error == std::errc() && end == wanted.data() + wanted.size()) {
        if (index < cameras.size())
            found.push_back(index);
        return found;
    }
    for (index = 0; index < cameras.size(); ++index)
        if (cameras[index].id.find(wanted) != std::string::npos ||
            cameras[index].model.find(wanted) != std::string::npos)
            found.push_back(index);
    return found;
}

// The cameras that other instances have or want: by id, whose.
using Taken = std::map<std::string, std::string>;

Taken takenByOthers(const std::string &folder, const std::string &instance, const std::vector<CameraName> &cameras,
                    bool by_name)
{
    Taken taken;
    std::error_code failed;
    for (const auto &file : std::filesystem::directory_iterator(folder, failed)) {
        const std::string name = file.path().stem().string();
        if (file.path().extension() != kSuffix || name == instance)
            continue;
        const FileDescriptor fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!fd || lockFile(fd.get(), LOCK_EX | LOCK_NB))
            continue; // none of its programs runs
        const Entry entry = read(fd.get());
        // A camera that is wanted by name goes to who names it.
        if (entry.wanted.empty() && by_name)
            continue;
        if (!entry.camera.empty())
            taken.emplace(entry.camera, name);
        if (entry.wanted.empty() || by_name)
            continue;
        // Of several that match it has one, or will have the first.
        const auto matches = find(cameras, entry.wanted);
        if (std::none_of(matches.begin(), matches.end(),
                         [&](std::size_t match) { return cameras[match].id == entry.camera; }) &&
            !matches.empty())
            taken.emplace(cameras[matches.front()].id, name);
    }
    return taken;
}

// Of several that match, as webcams of one model, the one it had, else the first that no other instance has.
Expected<std::size_t> chooseByName(const std::vector<CameraName> &cameras, const std::string &wanted,
                                   const Entry &before, const Taken &taken)
{
    const auto found = find(cameras, wanted);
    if (found.empty())
        return fail(ErrorKind::kNoCamera, fmt::format("there is no camera \"{}\"", wanted));
    std::optional<std::size_t> free;
    for (const std::size_t match : found) {
        if (taken.count(cameras[match].id) > 0)
            continue;
        if (cameras[match].id == before.camera)
            return match;
        if (!free)
            free = match;
    }
    if (free)
        return *free;
    const auto owner = taken.find(cameras[found.front()].id);
    return fail(ErrorKind::kCameraBusy,
                fmt::format("the camera {} is that of the instance {}", owner->first, owner->second));
}

Expected<std::size_t> chooseAny(const std::vector<CameraName> &cameras, const Entry &before, const Taken &taken)
{
    if (cameras.empty())
        return fail(ErrorKind::kNoCamera, "there is no camera");
    const auto had = std::find_if(cameras.begin(), cameras.end(),
                                  [&before](const CameraName &camera) { return camera.id == before.camera; });
    const bool lost_to_another = taken.count(before.camera) > 0;
    if (had != cameras.end() && !lost_to_another)
        return static_cast<std::size_t>(had - cameras.begin());
    bool kept = false;
    for (std::size_t i = 0; i < cameras.size(); ++i) {
        const std::string &id = cameras[i].id;
        if (taken.count(id) > 0)
            continue;
        const bool was_beside = std::find(before.others.begin(), before.others.end(), id) != before.others.end();
        if (before.camera.empty() || lost_to_another || !was_beside)
            return i;
        kept = true;
    }
    if (!before.camera.empty() && !lost_to_another)
        return fail(ErrorKind::kNoCamera, fmt::format("the camera {} is not there{}", before.camera,
                                                      kept ? "; camera.id chooses another" : ""));
    return fail(ErrorKind::kNoCamera, fmt::format("there is no camera that is not another instance's ({})",
                                                  taken.empty() ? "none" : taken.begin()->second));
}

} // namespace

CameraClaim::CameraClaim(std::string folder, std::string instance, std::string wanted, FileDescriptor file)
    : folder_(std::move(folder)), instance_(std::move(instance)), wanted_(std::move(wanted)), file_(std::move(file))
{
}

Expected<CameraClaim> CameraClaim::open(const std::string &folder, const std::string &instance,
                                        const std::string &wanted)
{
    auto folder_lock = lockFolder(folder);
    if (!folder_lock)
        return tl::unexpected<Error>(std::move(folder_lock.error()));
    const std::string path = folder + "/" + instance + kSuffix;
    FileDescriptor file = openFile(path);
    if (!file || !lockFile(file.get(), LOCK_SH))
        return failErrno(ErrorKind::kIo, fmt::format("cannot open {}", path), errno);
    const Entry before = read(file.get());
    if (before.wanted != wanted || before.camera.empty())
        if (auto done = write(file.get(), Entry{wanted, {}, {}}); !done)
            return tl::unexpected<Error>(std::move(done.error()));
    return CameraClaim(folder, instance, wanted, std::move(file));
}

Expected<std::size_t> CameraClaim::choose(const std::vector<CameraName> &cameras) const
{
    auto folder_lock = lockFolder(folder_);
    if (!folder_lock)
        return tl::unexpected<Error>(std::move(folder_lock.error()));
    const Taken taken = takenByOthers(folder_, instance_, cameras, !wanted_.empty());
    const Entry before = read(file_.get());
    const auto chosen =
        wanted_.empty() ? chooseAny(cameras, before, taken) : chooseByName(cameras, wanted_, before, taken);
    if (!chosen)
        return chosen;
    const std::string &id = cameras[*chosen].id;
    if (auto done = write(file_.get(), Entry{wanted_, id, othersThan(id, cameras)}); !done)
        return tl::unexpected<Error>(std::move(done.error()));
    return chosen;
}

void CameraClaim::noteOthers(const std::vector<CameraName> &cameras) const
{
    const auto folder_lock = lockFolder(folder_);
    if (!folder_lock)
        return; // choose() will say why
    Entry entry = read(file_.get());
    entry.others = othersThan(entry.camera, cameras);
    static_cast<void>(write(file_.get(), entry));
}

} // namespace picam
