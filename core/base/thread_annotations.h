// std::mutex that clang's thread-safety analysis understands; elsewhere plain std::mutex.
#pragma once

#include <mutex>

#if defined(__clang__)
#define PICAM_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define PICAM_THREAD_ATTRIBUTE(x)
#endif
#define PICAM_GUARDED_BY(x) PICAM_THREAD_ATTRIBUTE(guarded_by(x))
#define PICAM_REQUIRES(x) PICAM_THREAD_ATTRIBUTE(requires_capability(x))
#define PICAM_EXCLUDES(x) PICAM_THREAD_ATTRIBUTE(locks_excluded(x))

namespace picam {

class PICAM_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
public:
    void lock() PICAM_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
    void unlock() PICAM_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
    [[nodiscard]] std::mutex &native() { return mutex_; }

private:
    std::mutex mutex_;
};

class PICAM_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
public:
    explicit MutexLock(Mutex &mutex) PICAM_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex.lock(); }
    ~MutexLock() PICAM_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
    MutexLock(const MutexLock &) = delete;
    MutexLock &operator=(const MutexLock &) = delete;

private:
    Mutex &mutex_;
};

// For waiting on a condition variable: native() is held whenever the caller runs, as the analysis believes.
class PICAM_THREAD_ATTRIBUTE(scoped_lockable) UniqueLock {
public:
    explicit UniqueLock(Mutex &mutex) PICAM_THREAD_ATTRIBUTE(acquire_capability(mutex)) : lock_(mutex.native()) {}
    ~UniqueLock() PICAM_THREAD_ATTRIBUTE(release_capability()) = default;
    UniqueLock(const UniqueLock &) = delete;
    UniqueLock &operator=(const UniqueLock &) = delete;
    void unlock() PICAM_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }
    void lock() PICAM_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }
    [[nodiscard]] std::unique_lock<std::mutex> &native() { return lock_; }

private:
    std::unique_lock<std::mutex> lock_;
};

} // namespace picam
