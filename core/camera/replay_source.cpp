#include "core/camera/replay_source.h"

#include "core/base/file_descriptor.h"
#include "core/base/log.h"
#include "core/camera/frame_clock.h"
#include "core/camera/y4m.h"
#include "core/image/jpeg_encoder.h"
#include "core/image/pixels.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace picam {
namespace {

constexpr unsigned kOwnBuffers = 2;         // beside those that may be held, as a camera has them
constexpr std::int64_t kMaxJpeg = 32 << 20; // bytes

bool endsLikeJpeg(const std::filesystem::path &path)
{
    std::string extension = path.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return extension == ".jpg" || extension == ".jpeg";
}

Expected<std::vector<std::uint8_t>> readFile(const std::string &path)
{
    const FileDescriptor fd(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a pipe would wait for its writer
    if (!fd)
        return failErrno(errno == ENOENT ? ErrorKind::kNoCamera : ErrorKind::kIo, fmt::format("cannot open {}", path),
                         errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kMaxJpeg)
        return fail(ErrorKind::kIo, fmt::format("{} is no picture file", path));
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t got = ::pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failErrno(ErrorKind::kIo, fmt::format("cannot read {}", path), errno);
        if (got == 0)
            break; // it has become shorter
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

// The pictures of a recording, one after the other, for ever.
class Recording {
public:
    virtual ~Recording() = default;
    [[nodiscard]] virtual FrameFormat format() const = 0;
    [[nodiscard]] virtual double fps() const = 0; // 0: as asked
    [[nodiscard]] virtual Expected<void> next(std::vector<std::uint8_t> &bytes) = 0;
};

class Y4mRecording : public Recording {
public:
    Y4mRecording(std::string path, Y4mFile file) : path_(std::move(path)), file_(std::move(file)) {}
    [[nodiscard]] FrameFormat format() const override { return file_.header().format; }
    [[nodiscard]] double fps() const override { return file_.header().fps; }
    [[nodiscard]] Expected<void> next(std::vector<std::uint8_t> &bytes) override
    {
        // The open file would go on for ever after its name is gone.
        struct stat status {};
        if (::stat(path_.c_str(), &status) != 0)
            return failErrno(ErrorKind::kNoCamera, fmt::format("the recording {} is gone", path_), errno);
        return file_.readFrame(bytes);
    }

private:
    const std::string path_;
    Y4mFile file_;
};

class JpegRecording : public Recording {
public:
    static Expected<std::unique_ptr<Recording>> open(const std::string &path, bool folder)
    {
        auto recording = std::unique_ptr<JpegRecording>(new JpegRecording);
        recording->paths_ = {path};
        if (folder) {
            auto paths = jpegsIn(path);
            if (!paths)
                return tl::unexpected<Error>(std::move(paths.error()));
            recording->paths_ = std::move(*paths);
        }
        recording->format_.pixels = PixelFormat::kJpeg;
        for (const std::string &picture : recording->paths_) {
            const auto size = sizeOf(picture);
            if (!size)
                return tl::unexpected<Error>(size.error());
            if (recording->format_.size.width != 0 && *size != recording->format_.size)
                return fail(ErrorKind::kUnsupported,
                            fmt::format("{} has another size than the pictures before it", picture));
            recording->format_.size = *size;
        }
        return std::unique_ptr<Recording>(std::move(recording));
    }
    [[nodiscard]] FrameFormat format() const override { return format_; }
    [[nodiscard]] double fps() const override { return 0.0; }
    [[nodiscard]] Expected<void> next(std::vector<std::uint8_t> &bytes) override
    {
        auto read = readFile(paths_[index_]);
        if (!read)
            return tl::unexpected<Error>(std::move(read.error()));
        index_ = (index_ + 1) % paths_.size();
        bytes = std::move(*read);
        return {};
    }

private:
    JpegRecording() = default;

    static Expected<Size> sizeOf(const std::string &picture)
    {
        const auto bytes = readFile(picture);
        if (!bytes)
            return tl::unexpected<Error>(bytes.error());
        const auto size = jpegSize(bytes->data(), bytes->size());
        if (!size)
            return fail(ErrorKind::kCorrupt, fmt::format("{} is no JPEG: {}", picture, size.error().message));
        return *size;
    }
    // Sorted. A file that is none, whatever its name says (macOS leaves "._picture.jpg"), is no reason to play nothing.
    static Expected<std::vector<std::string>> jpegsIn(const std::string &folder)
    {
        std::vector<std::string> paths;
        std::error_code error;
        std::optional<Error> foreign;
        for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
            if (!endsLikeJpeg(entry.path()))
                continue;
            if (const auto size = sizeOf(entry.path().string()); size)
                paths.push_back(entry.path().string());
            else
                foreign = size.error();
        }
        if (error)
            return fail(ErrorKind::kIo, fmt::format("cannot read the folder {}: {}", folder, error.message()));
        if (paths.empty())
            return foreign ? tl::unexpected<Error>(std::move(*foreign))
                           : fail(ErrorKind::kNoCamera, fmt::format("there is no JPEG in {}", folder));
        if (foreign)
            log::warning("left out: {}", foreign->message);
        std::sort(paths.begin(), paths.end());
        return paths;
    }

    std::vector<std::string> paths_;
    FrameFormat format_;
    std::size_t index_ = 0;
};

Expected<std::unique_ptr<Recording>> openRecording(const std::string &path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return failErrno(errno == ENOENT ? ErrorKind::kNoCamera : ErrorKind::kIo,
                         fmt::format("cannot open the recording {}", path), errno);
    if (S_ISDIR(status.st_mode) || endsLikeJpeg(path))
        return JpegRecording::open(path, S_ISDIR(status.st_mode));
    if (!S_ISREG(status.st_mode)) // opening a pipe would wait for its writer
        return fail(ErrorKind::kIo, fmt::format("the recording {} is no file and no folder", path));
    auto file = Y4mFile::open(path);
    if (!file)
        return tl::unexpected<Error>(std::move(file.error()));
    return std::unique_ptr<Recording>(std::make_unique<Y4mRecording>(path, std::move(*file)));
}

// A recording gives its own size, and planes of it every smaller one, as a camera's image processor does.
Expected<Size> chooseSize(const std::string &path, const FrameFormat &native, Size wanted, bool exact)
{
    if (!exact || wanted == native.size)
        return native.size;
    if (native.pixels == PixelFormat::kJpeg || wanted.width > native.size.width || wanted.height > native.size.height)
        return fail(ErrorKind::kUnsupported, fmt::format("the recording {} has {}", path, native.size.toString()));
    return wanted;
}

class ReplaySource : public Source {
public:
    explicit ReplaySource(std::string path) : path_(std::move(path)) {}
    ~ReplaySource() override { clock_.stop(); }

    Expected<SourceInfo> start(const SourceRequest &request, FrameSink &sink) override
    {
        clock_.stop();
        auto opened = openRecording(path_);
        if (!opened)
            return tl::unexpected<Error>(std::move(opened.error()));
        recording_ = std::move(*opened);
        const FrameFormat native = recording_->format();
        const Size wanted = request.transform.apply(request.size); // turning by 90 swaps the sides back
        const auto size = chooseSize(path_, native, wanted, request.exact_size);
        if (!size)
            return fail(ErrorKind::kUnsupported,
                        fmt::format("the recording {} has {}, not {}", path_,
                                    request.transform.apply(native.size).toString(), request.size.toString()));
        max_lent_ = kOwnBuffers + request.frames_held;
        frames_ = native;
        frames_.size = *size;
        stills_.reset();
        still_wanted_ = false;
        controls_generation_ = request.controls.generation;
        if (request.still_output) {
            const auto still = chooseSize(path_, native, request.transform.apply(request.still_output->size),
                                          request.still_output->exact_size);
            if (still && *still != *size) {
                stills_ = native;
                stills_->size = *still;
            }
        }
        const double fps = recording_->fps() > 0 ? recording_->fps() : request.fps;
        clock_.start(fps, [this, &sink] { return tick(sink); });
        return SourceInfo{"replay " + path_, "replay " + path_, frames_, request.transform, fps, stills_, {}};
    }
    void setFrameRate(double fps) override
    {
        clock_.setRate(recording_ && recording_->fps() > 0 ? std::min(fps, recording_->fps()) : fps);
    }
    void setControls(const ControlsRequest &controls) override { controls_generation_ = controls.generation; }
    void requestStill() override { still_wanted_ = true; }
    void stop() override { clock_.stop(); }

private:
    using Bytes = std::vector<std::uint8_t>;

    bool tick(FrameSink &sink)
    {
        if (lent_->load() >= max_lent_)
            return true;
        auto bytes = std::make_shared<Bytes>();
        if (auto read = recording_->next(*bytes); !read) {
            sink.onSourceError(std::move(read.error()));
            return false;
        }
        const auto captured = std::chrono::steady_clock::now();
        if (stills_ && still_wanted_.exchange(false))
            sink.onStill(frameOf(bytes, *stills_, captured));
        sink.onFrame(frameOf(bytes, frames_, captured));
        return true;
    }

    [[nodiscard]] std::shared_ptr<Frame> frameOf(std::shared_ptr<Bytes> bytes, const FrameFormat &format,
                                                 MonotonicTime captured)
    {
        const Size native = recording_->format().size;
        if (format.size != native) {
            auto scaled = std::make_shared<Bytes>();
            scaleDown(*bytes, native, *scaled, format.size);
            bytes = std::move(scaled);
        }
        const std::size_t luma = std::size_t{format.size.width} * format.size.height;
        std::array<Plane, 3> planes{};
        if (format.pixels == PixelFormat::kJpeg)
            planes[0] = {bytes->data(), 0, bytes->size()};
        else
            planes = {{{bytes->data(), format.size.width, luma},
                       {bytes->data() + luma, format.size.width / 2, luma / 4},
                       {bytes->data() + luma / 4 * 5, format.size.width / 2, luma / 4}}};
        lent_->fetch_add(1);
        auto frame = std::make_shared<Frame>(format, planes, captured, [lent = lent_, bytes] { lent->fetch_sub(1); });
        frame->metadata().exposure_converged = true;
        frame->metadata().white_balance_converged = true;
        frame->metadata().controls_generation = controls_generation_;
        return frame;
    }

    const std::string path_;
    // Changed only while the clock stands.
    std::unique_ptr<Recording> recording_;
    FrameFormat frames_;
    std::optional<FrameFormat> stills_;
    std::atomic<bool> still_wanted_{false};
    std::atomic<std::uint32_t> controls_generation_{0};
    const std::shared_ptr<std::atomic<unsigned>> lent_ = std::make_shared<std::atomic<unsigned>>(0U);
    unsigned max_lent_ = 0; // changed only while the clock stands
    FrameClock clock_;      // last: its thread uses all the others
};

} // namespace

std::unique_ptr<Source> createReplaySource(std::string path)
{
    return std::make_unique<ReplaySource>(std::move(path));
}

} // namespace picam
