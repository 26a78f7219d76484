// The capture thread: while the camera is wanted it takes the lock, opens the camera, encodes what is due, publishes
// every picture to the frame store and hands the newest to the loop. With more than one stream.workers it has helpers
// while the camera is open: each takes the newest frame, encodes it, and hands it on in its turn.
// It tries again, with backoff, what fails: a camera that hangs is started again at once, then opened anew, and at last
// the program gives up, for the service manager to start it afresh.
// Counts nothing on its own (Status) and knows no viewers (Hub).
#pragma once

#include "core/base/thread_annotations.h"
#include "core/camera/camera_session.h"
#include "core/image/jpeg_encoder.h"
#include "core/image/picture.h"
#include "core/store/frame_store.h"
#include "streamd/loop/scheduler.h"
#include "streamd/pipeline/backoff.h"
#include "streamd/pipeline/camera_status.h"
#include "streamd/pipeline/capture_mailbox.h"
#include "streamd/pipeline/driver_watch.h"
#include "streamd/pipeline/still_output.h"
#include "streamd/status/status.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace picam {

// Turns the camera on and off. Loop thread only.
class CameraSwitch {
public:
    static constexpr double kNobody = -1.0;

    virtual ~CameraSwitch() = default;
    virtual void want(bool wanted) = 0;
    // The highest rate that somebody takes; 0: all there is; kNobody: only the store is kept fresh.
    virtual void setDemand(double fps) = 0;
};

class Capture : public CameraSwitch {
public:
    using SourceFactory = std::function<Expected<std::unique_ptr<Source>>()>;
    // With nobody looking, stills still come from the store: so many pictures a second keep it fresh.
    static constexpr double kStoreFps = 5.0;
    // A frame that cannot be encoded is dropped; so many in a row are a broken camera.
    static constexpr int kMaxBadFrames = 10;
    // Somebody else may keep the camera so long before viewers are told that it is busy.
    static constexpr std::chrono::milliseconds kBusyGrace{1500};
    // Whoever gives the camera up says so, unless it was killed: so often the lock is tried all the same.
    static constexpr std::chrono::milliseconds kLockPoll{500};

    // A camera that gave no frame in so many openings in a row is hopeless in this process.
    static constexpr int kMaxHangs = 4;
    // The longest that a driver may take to open or close.
    static constexpr std::chrono::milliseconds kDriverPatience{30000};

    // Called with a sentence when only a fresh process helps; need not return. Any thread.
    using GiveUp = std::function<void(const std::string &why)>;

    // Scheduler, store and status must outlive it. The thread starts now, and sleeps.
    Capture(Settings settings, SourceFactory make_source, Scheduler &scheduler, FrameStore &store, Status &status,
            GiveUp give_up, std::chrono::milliseconds driver_patience = kDriverPatience);
    Capture(const Capture &) = delete;
    Capture &operator=(const Capture &) = delete;
    ~Capture() override; // stops

    void setSink(CaptureSink *sink); // loop thread, before the first want()
    void want(bool wanted) override;
    void setDemand(double fps) override;
    // Gives the camera up and joins the thread: as long as the camera takes to close. Loop thread.
    void stop();

private:
    // What the loop wants at a moment.
    struct Wish {
        bool wanted;
        unsigned number; // changes with each want()
        double rate;     // frames a second to encode
    };

    void run();
    void useCamera();
    [[nodiscard]] Expected<void> openAndStream(CameraLock lock);
    struct Streaming;
    struct Taken;
    [[nodiscard]] Expected<std::unique_ptr<CameraSession>> openCamera(CameraLock lock);
    [[nodiscard]] Expected<void> stream(CameraSession &session, std::vector<JpegEncoder> &encoders,
                                        StillOutput *stills);
    void work(Streaming &streaming, JpegEncoder &encoder);
    [[nodiscard]] std::optional<Taken> take(Streaming &streaming);
    void handOn(Streaming &streaming, const Taken &taken, Expected<Picture> picture);
    void publish(Picture &picture, const Taken &taken, bool still_offered);
    void waitForLock(std::uint32_t seen); // the store's kEvent from before the lock was found taken
    void failed(const Error &error);
    void report(CameraState state, std::string reason);
    [[nodiscard]] bool wanted() const PICAM_EXCLUDES(mutex_);
    [[nodiscard]] Wish currentWish() const PICAM_EXCLUDES(mutex_);

    // Constant after construction.
    const Settings settings_;
    const SourceFactory make_source_;
    FrameStore &store_;
    Status &status_;
    const GiveUp give_up_;
    const std::shared_ptr<CaptureMailbox> mailbox_;
    const std::shared_ptr<DriverWatch> driver_;

    mutable Mutex mutex_;
    std::condition_variable changed_;
    bool wanted_ PICAM_GUARDED_BY(mutex_) = false;
    bool stopping_ PICAM_GUARDED_BY(mutex_) = false;
    unsigned wish_ PICAM_GUARDED_BY(mutex_) = 0; // the number of the last want()
    double demand_ PICAM_GUARDED_BY(mutex_) = 0.0;
    CameraSession *session_ PICAM_GUARDED_BY(mutex_) = nullptr; // while frames are waited for

    unsigned wishes_ = 0; // loop thread only

    // Capture thread only.
    unsigned trying_for_ = 0; // the wish that the present try answers
    Backoff backoff_;
    std::optional<MonotonicTime> busy_since_;
    bool streamed_ = false; // the last opening gave a picture
    int hangs_ = 0;         // openings in a row that ended with a camera that gave no frame

    // Of whoever hands a picture on (Streaming).
    std::uint64_t last_sequence_ = 0;
    bool publish_failed_ = false;

    std::thread thread_; // last: it uses all of the above
};

} // namespace picam
