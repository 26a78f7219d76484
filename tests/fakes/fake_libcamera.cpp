#include "tests/fakes/fake_libcamera.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <functional>
#include <libcamera/formats.h>
#include <libcamera/libcamera.h>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace {

constexpr libcamera::Size kSize{64, 48};
constexpr unsigned int kStride = 128; // YUYV

// What the test and all managers share.
struct Host {
    std::mutex mutex;
    std::vector<std::string> plugged;
    libcamera::CameraManager::Private *manager = nullptr; // the one that runs
    int refused = 0;
    int cancelled = 0;
    int busy = 0;
    int silent_starts = 0;
    int silent_configuring = 0;
    int refused_controls = 0;
    std::vector<std::string> said;
};

Host &host()
{
    static Host instance;
    return instance;
}

std::atomic<long> completed_requests{0};
std::atomic<int> running_managers{0};
std::atomic<int> living_cameras{0};

bool takeOne(int &count)
{
    const std::lock_guard lock(host().mutex);
    return count > 0 && count-- > 0;
}

class FakeConfiguration : public libcamera::CameraConfiguration {
public:
    FakeConfiguration(libcamera::Stream *stream, std::function<bool()> answers)
        : stream_(stream), answers_(std::move(answers))
    {
        const std::map<libcamera::PixelFormat, std::vector<libcamera::SizeRange>> formats{
            {libcamera::formats::YUYV, {libcamera::SizeRange(kSize)}}};
        addConfiguration(libcamera::StreamConfiguration(libcamera::StreamFormats(formats)));
    }
    Status validate() override
    {
        if (!answers_())
            return Invalid;
        libcamera::StreamConfiguration &stream = at(0);
        stream.setStream(stream_);
        stream.size = kSize;
        stream.stride = kStride;
        stream.frameSize = kStride * kSize.height;
        return Valid;
    }

private:
    libcamera::Stream *stream_;
    std::function<bool()> answers_;
};

} // namespace

namespace libcamera {

class FrameBuffer::Private : public Extensible::Private {
public:
    explicit Private(std::vector<Plane> planes) : planes_(std::move(planes)) {}
    std::vector<Plane> planes_;
    FrameMetadata metadata_{};
};

FrameBuffer::FrameBuffer(const std::vector<Plane> &planes, unsigned int /*cookie*/)
    : Extensible(std::make_unique<Private>(planes))
{
}

const std::vector<FrameBuffer::Plane> &FrameBuffer::planes() const
{
    return _d()->planes_;
}

const FrameMetadata &FrameBuffer::metadata() const
{
    return _d()->metadata_;
}

class Request::Private : public Extensible::Private {
    LIBCAMERA_DECLARE_PUBLIC(Request)

public:
    // As the pipeline fills it, in its thread.
    void fill(bool cancelled)
    {
        auto *request = LIBCAMERA_O_PTR();
        timespec now{};
        ::clock_gettime(CLOCK_BOOTTIME, &now);
        for (const auto &[stream, buffer] : request->bufferMap_) {
            buffer->_d()->metadata_.status = cancelled ? FrameMetadata::FrameCancelled : FrameMetadata::FrameSuccess;
            buffer->_d()->metadata_.timestamp =
                static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
        }
        request->metadata_->set(controls::SensorTimestamp,
                                static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec);
    }
    void complete(bool cancelled)
    {
        fill(cancelled);
        LIBCAMERA_O_PTR()->status_ = cancelled ? RequestCancelled : RequestComplete;
    }
};

Request::Request(Camera * /*camera*/, std::uint64_t cookie)
    : Extensible(std::make_unique<Private>()), controls_(new ControlList(controls::controls)),
      metadata_(new ControlList(controls::controls)), cookie_(cookie), status_(RequestPending)
{
}

Request::~Request()
{
    delete controls_;
    delete metadata_;
}

void Request::reuse(ReuseFlag flags)
{
    if ((flags & ReuseBuffers) == 0)
        bufferMap_.clear();
    status_ = RequestPending;
    controls_->clear();
    metadata_->clear();
}

int Request::addBuffer(const Stream *stream, FrameBuffer *buffer, std::unique_ptr<Fence> /*fence*/)
{
    bufferMap_[stream] = buffer;
    return 0;
}

class Camera::Private : public Extensible::Private {
    LIBCAMERA_DECLARE_PUBLIC(Camera)

public:
    explicit Private(CameraManager::Private *manager) : manager_(manager) {}
    // Whether the device takes them. In the order of their names, which is none that anybody may count on.
    [[nodiscard]] bool takeControls(const ControlList &said);
    void completeOldest();
    void cancelAll();
    void touchWhatIsLeft();
    void disconnect();

    CameraManager::Private *const manager_;
    std::string id_;
    ControlInfoMap controls_{{{&controls::Brightness, ControlInfo(-1.0F, 1.0F, 0.0F)},
                              {&controls::AeEnable, ControlInfo(false, true, true)},
                              {&controls::ExposureTime, ControlInfo(100, 100000, 20000)}},
                             controls::controls};
    bool automatic_ = true; // its exposure
    ControlList properties_{controls::controls};
    Stream stream_;
    std::set<Stream *> streams_{&stream_};

    std::mutex mutex_;
    bool connected_ = true;
    bool acquired_ = false;
    bool running_ = false;
    std::deque<Request *> queued_;
    std::set<Request *> refused_; // queued, and to come back cancelled
};

class CameraManager::Private : public Extensible::Private {
    LIBCAMERA_DECLARE_PUBLIC(CameraManager)

public:
    void run();
    // Runs it in the manager's thread; returns when it has.
    void call(const std::function<void()> &what);
    void post(std::function<void()> what);
    void add(const std::string &id);
    void remove(const std::string &id);

    std::thread thread_;
    std::atomic<std::thread::id> thread_id_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> posted_;
    bool ends_ = false;
    std::vector<std::shared_ptr<Camera>> listed_;
    std::vector<std::shared_ptr<Camera>> all_; // the manager's thread only: the unplugged ones, too
};

Camera::Camera(std::unique_ptr<Private> d, const std::string &id, const std::set<Stream *> & /*streams*/)
    : Extensible(std::move(d))
{
    _d()->id_ = id;
    ++living_cameras;
}

Camera::~Camera()
{
    --living_cameras;
}

std::shared_ptr<Camera> Camera::create(std::unique_ptr<Private> d, const std::string &id,
                                       const std::set<Stream *> &streams)
{
    // In the manager's thread, whoever drops the last reference; a message that finds no thread waits for one.
    struct Deleter {
        void operator()(Camera *camera) const
        {
            CameraManager::Private *manager = camera->_d()->manager_;
            if (std::this_thread::get_id() == manager->thread_id_)
                delete camera;
            else
                manager->post([camera] { delete camera; });
        }
    };
    return {new Camera(std::move(d), id, streams), Deleter()};
}

const std::string &Camera::id() const
{
    return _d()->id_;
}

int Camera::acquire()
{
    if (takeOne(host().busy))
        return -EBUSY;
    const std::lock_guard lock(_d()->mutex_);
    if (!_d()->connected_)
        return -ENODEV;
    return std::exchange(_d()->acquired_, true) ? -EBUSY : 0;
}

int Camera::release()
{
    const std::lock_guard lock(_d()->mutex_);
    _d()->acquired_ = false;
    return 0;
}

const ControlInfoMap &Camera::controls() const
{
    return _d()->controls_;
}

const ControlList &Camera::properties() const
{
    return _d()->properties_;
}

std::unique_ptr<CameraConfiguration> Camera::generateConfiguration(const StreamRoles & /*roles*/)
{
    return std::make_unique<FakeConfiguration>(&_d()->stream_, [this] {
        const std::lock_guard lock(_d()->mutex_);
        return _d()->connected_;
    });
}

int Camera::configure(CameraConfiguration * /*config*/)
{
    if (takeOne(host().silent_configuring))
        return -EIO;
    const std::lock_guard lock(_d()->mutex_);
    return _d()->connected_ ? 0 : -ENODEV;
}

std::unique_ptr<Request> Camera::createRequest(std::uint64_t cookie)
{
    return std::make_unique<Request>(this, cookie);
}

int Camera::queueRequest(Request *request)
{
    if (takeOne(host().refused))
        return -EIO;
    const std::lock_guard lock(_d()->mutex_);
    if (!_d()->running_)
        return -EACCES;
    if (!_d()->takeControls(request->controls()))
        _d()->refused_.insert(request);
    _d()->queued_.push_back(request);
    return 0;
}

int Camera::start(const ControlList * /*controls*/)
{
    if (takeOne(host().silent_starts))
        return -EIO;
    const std::lock_guard lock(_d()->mutex_);
    if (!_d()->connected_)
        return -ENODEV;
    _d()->running_ = true;
    return 0;
}

// Requests come back in this call, from the manager's thread; those of a camera that was unplugged do not.
int Camera::stop()
{
    {
        const std::lock_guard lock(_d()->mutex_);
        if (!_d()->running_)
            return -EACCES;
    }
    _d()->manager_->call([this] { _d()->cancelAll(); });
    return 0;
}

bool Camera::Private::takeControls(const ControlList &said)
{
    if (said.empty())
        return true;
    std::map<std::string, ControlValue> values;
    for (const auto &[number, value] : said)
        values.emplace(controls::controls.at(number)->name(), value);
    for (const auto &[name, value] : values) {
        const std::lock_guard lock(host().mutex);
        host().said.push_back(name + "=" + value.toString());
    }
    if (takeOne(host().refused_controls))
        return false;
    if (const auto found = values.find("AeEnable"); found != values.end())
        automatic_ = found->second.get<bool>();
    return !values.contains("ExposureTime") || !automatic_;
}

void Camera::Private::completeOldest()
{
    Request *request = nullptr;
    bool cancelled = false;
    {
        const std::lock_guard lock(mutex_);
        if (!running_ || queued_.empty())
            return;
        request = queued_.front();
        queued_.pop_front();
        cancelled = refused_.erase(request) > 0;
    }
    request->_d()->complete(cancelled || takeOne(host().cancelled));
    ++completed_requests;
    LIBCAMERA_O_PTR()->requestCompleted.emit(request);
}

void Camera::Private::cancelAll()
{
    std::deque<Request *> queued;
    {
        const std::lock_guard lock(mutex_);
        running_ = false;
        queued.swap(queued_);
    }
    for (Request *request : queued) {
        request->_d()->complete(true);
        LIBCAMERA_O_PTR()->requestCompleted.emit(request);
    }
}

void Camera::Private::touchWhatIsLeft()
{
    const std::lock_guard lock(mutex_);
    if (!connected_)
        for (Request *request : queued_)
            request->_d()->fill(false);
}

void Camera::Private::disconnect()
{
    {
        const std::lock_guard lock(mutex_);
        connected_ = false;
        running_ = false; // as the book's state "Configured": stop() finds nothing to stop
    }
    LIBCAMERA_O_PTR()->disconnected.emit();
}

void CameraManager::Private::run()
{
    thread_id_ = std::this_thread::get_id();
    std::unique_lock lock(mutex_);
    while (!ends_) {
        changed_.wait_for(lock, std::chrono::microseconds(300));
        while (!posted_.empty()) {
            const auto what = std::move(posted_.front());
            posted_.pop_front();
            lock.unlock();
            what();
            lock.lock();
        }
        lock.unlock();
        for (const auto &camera : all_) {
            camera->_d()->completeOldest();
            camera->_d()->touchWhatIsLeft();
        }
        lock.lock();
    }
    lock.unlock();
    all_.clear();
    const auto listed = [this] {
        const std::lock_guard cleared(mutex_);
        return std::exchange(listed_, {});
    }();
}

void CameraManager::Private::post(std::function<void()> what)
{
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(what));
    }
    changed_.notify_all();
}

void CameraManager::Private::call(const std::function<void()> &what)
{
    std::mutex mutex;
    std::condition_variable returned_changed;
    bool returned = false;
    post([&] {
        what();
        const std::lock_guard lock(mutex);
        returned = true;
        returned_changed.notify_all();
    });
    std::unique_lock lock(mutex);
    returned_changed.wait(lock, [&] { return returned; });
}

void CameraManager::Private::add(const std::string &id)
{
    auto camera = Camera::create(std::make_unique<Camera::Private>(this), id, {});
    all_.push_back(camera);
    {
        const std::lock_guard lock(mutex_);
        listed_.push_back(camera);
    }
    LIBCAMERA_O_PTR()->cameraAdded.emit(camera);
}

void CameraManager::Private::remove(const std::string &id)
{
    std::shared_ptr<Camera> camera;
    {
        const std::lock_guard lock(mutex_);
        const auto found =
            std::find_if(listed_.begin(), listed_.end(), [&id](const auto &listed) { return listed->id() == id; });
        if (found == listed_.end())
            return;
        camera = *found;
        listed_.erase(found);
    }
    camera->_d()->disconnect();
    LIBCAMERA_O_PTR()->cameraRemoved.emit(camera);
}

CameraManager::CameraManager() : Extensible(std::make_unique<Private>())
{
    if (++running_managers > 1)
        std::abort(); // as libcamera: "Multiple CameraManager objects are not allowed"
}

CameraManager::~CameraManager()
{
    stop();
    --running_managers;
    if (living_cameras > 0)
        std::abort(); // as libcamera's own end, where its deletion meets a manager that is gone
}

int CameraManager::start()
{
    Private *manager = _d();
    manager->ends_ = false;
    manager->thread_ = std::thread([manager] { manager->run(); });
    std::vector<std::string> plugged;
    {
        const std::lock_guard lock(host().mutex);
        plugged = host().plugged;
        host().manager = manager;
        for (const std::string &id : plugged)
            manager->post([manager, id] { manager->add(id); });
    }
    manager->call([] {});
    return 0;
}

void CameraManager::stop()
{
    Private *manager = _d();
    {
        const std::lock_guard lock(host().mutex);
        host().manager = nullptr;
    }
    {
        const std::lock_guard lock(manager->mutex_);
        manager->ends_ = true;
    }
    manager->changed_.notify_all();
    if (manager->thread_.joinable())
        manager->thread_.join();
}

std::vector<std::shared_ptr<Camera>> CameraManager::cameras() const
{
    auto *manager = const_cast<Private *>(_d());
    const std::lock_guard lock(manager->mutex_);
    return manager->listed_;
}

FrameBufferAllocator::FrameBufferAllocator(std::shared_ptr<Camera> camera) : camera_(std::move(camera)) {}

FrameBufferAllocator::~FrameBufferAllocator() = default;

int FrameBufferAllocator::allocate(Stream *stream)
{
    constexpr unsigned int kBuffers = 4;
    constexpr unsigned int kBytes = kStride * kSize.height;
    for (unsigned int i = 0; i < kBuffers; ++i) {
        int raw = ::memfd_create("frame", MFD_CLOEXEC);
        if (raw < 0 || ::ftruncate(raw, kBytes) != 0)
            return -ENOMEM;
        FrameBuffer::Plane plane;
        plane.fd = SharedFD(std::move(raw));
        plane.offset = 0;
        plane.length = kBytes;
        buffers_[stream].push_back(std::make_unique<FrameBuffer>(std::vector<FrameBuffer::Plane>{plane}));
    }
    return kBuffers;
}

const std::vector<std::unique_ptr<FrameBuffer>> &FrameBufferAllocator::buffers(Stream *stream) const
{
    return buffers_.at(stream);
}

} // namespace libcamera

namespace picam::testing::fake_libcamera {

void plugIn(const std::string &id)
{
    const std::lock_guard lock(host().mutex);
    host().plugged.push_back(id);
    if (auto *manager = host().manager)
        manager->post([manager, id] { manager->add(id); });
}

void unplug(const std::string &id)
{
    const std::lock_guard lock(host().mutex);
    auto &plugged = host().plugged;
    plugged.erase(std::remove(plugged.begin(), plugged.end(), id), plugged.end());
    if (auto *manager = host().manager)
        manager->post([manager, id] { manager->remove(id); });
}

void unplugAll()
{
    std::vector<std::string> plugged;
    {
        const std::lock_guard lock(host().mutex);
        plugged = host().plugged;
    }
    for (const std::string &id : plugged)
        unplug(id);
}

void refuseRequests(int count)
{
    const std::lock_guard lock(host().mutex);
    host().refused = count;
}

void cancelRequests(int count)
{
    const std::lock_guard lock(host().mutex);
    host().cancelled = count;
}

void refuseControls(int count)
{
    const std::lock_guard lock(host().mutex);
    host().refused_controls = count;
    host().said.clear();
}

std::vector<std::string> controlsSaid()
{
    const std::lock_guard lock(host().mutex);
    return host().said;
}

void refuseAcquiring(int count)
{
    const std::lock_guard lock(host().mutex);
    host().busy = count;
}

void failStarts(int count)
{
    const std::lock_guard lock(host().mutex);
    host().silent_starts = count;
}

void failConfiguring(int count)
{
    const std::lock_guard lock(host().mutex);
    host().silent_configuring = count;
}

void settle()
{
    libcamera::CameraManager::Private *manager = nullptr;
    {
        const std::lock_guard lock(host().mutex);
        manager = host().manager;
    }
    if (manager != nullptr)
        manager->call([] {});
}

long completed()
{
    return completed_requests;
}

int managers()
{
    return running_managers;
}

} // namespace picam::testing::fake_libcamera
