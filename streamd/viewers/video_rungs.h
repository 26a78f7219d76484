// VideoRungs decides which of the viewers that take H.264 is on which rung, when a rung's next frame is encoded,
// whether as a key frame, and at which bitrate. Loop thread only. Nothing is queued: a frame is asked for when it can
// go at once to all whose chain it continues. Who holds the others up loses the chain, and comes back with a key frame,
// which all who wait for one share; who does so again, or has a link too thin for the rung, moves down, and below the
// last rung is sent JPEGs. Who has had room for long moves up.
#pragma once

#include "core/loop/scheduler.h"
#include "streamd/pipeline/video_switch.h"
#include "streamd/status/status.h"
#include "streamd/viewers/connection.h"
#include "streamd/viewers/video_flow_control.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace picam {

// A viewer's side: what VideoRungs knows of it.
class VideoViewer {
public:
    using Time = std::chrono::steady_clock::time_point;

    virtual ~VideoViewer() = default;
    [[nodiscard]] virtual bool mayTake(Time now) const = 0; // a frame would go at once, into a free window
    // Its connection has taken the frame before. A frame that was asked for when it might take one is sent: an
    // acknowledgement that became overdue meanwhile is no reason to break its chain.
    [[nodiscard]] virtual bool canTake() const = 0;
    // Bits a second that its link carries; 0: nobody can tell, since it acknowledges nothing.
    [[nodiscard]] virtual std::uint32_t bitrate() const = 0;
    // How long so many bytes would take; zero: nobody can tell.
    [[nodiscard]] virtual std::chrono::steady_clock::duration transferTime(std::size_t bytes, Time now) const = 0;
    virtual void sendVideo(const FramePtr &frame) = 0;    // REQUIRES: canTake()
    [[nodiscard]] virtual bool takesPictures() const = 0; // JPEGs, where H.264 is not to be had
    virtual void setPictures(bool pictures) = 0;          // is sent JPEGs from now on, or no more
    // A key frame is wanted at least so often; zero: none but the first.
    [[nodiscard]] virtual std::chrono::seconds keyInterval() const = 0;
    virtual void endVideo() = 0; // there is none for one who takes nothing else
};

struct VideoLimits { // bits a second of the largest rung; 0: by its size
    std::uint32_t min_bitrate = 0;
    std::uint32_t max_bitrate = 0;
};

// Bits a second that are worth sending of a rung: below, it is blurred; above, nothing is gained. `size`: of the
// largest.
struct BitrateRange {
    std::uint32_t min = 0;
    std::uint32_t max = 0;
};
[[nodiscard]] BitrateRange bitrateRange(Size size, unsigned rung, const VideoLimits &limits);

// What a viewer's link may be taken to carry: from so little that every rung is too much for it.
[[nodiscard]] VideoFlowControl::Limits linkLimits(Size size, const VideoLimits &limits);

class VideoRungs {
public:
    using Time = VideoViewer::Time;

    // So long the others wait for one who cannot take the next frame.
    static constexpr std::chrono::milliseconds kPatience{100};
    // … and for one who has lost the chain lately. Not zero: a frame is written to one viewer after the other, and
    // acknowledged so. Less than a frame's interval costs the others nothing.
    static constexpr std::chrono::milliseconds kShortPatience{20};
    // A rung's key frames are at least so far apart.
    static constexpr std::chrono::seconds kKeyInterval{1};
    // Who loses the chain again within this time moves down; one who cannot asks for key frames ever more seldom. To
    // JPEGs only too thin a link leads: they are larger.
    static constexpr std::chrono::seconds kForgiven{10};
    static constexpr std::chrono::seconds kMaxRejoinHold{8};
    // A frame that would take a link longer is not sent: the rung below has a smaller one.
    static constexpr std::chrono::milliseconds kMaxTransfer{250};
    // Room that long, and then that much of it, moves a viewer up; twice as long each time that it comes down again
    // within kMaxRoom of that. Later it is another matter, as a link that paused.
    static constexpr std::chrono::seconds kRoom{5};
    static constexpr std::chrono::seconds kMaxRoom{80};
    static constexpr double kRoomFactor = 1.4;
    static constexpr std::chrono::milliseconds kReview{500};

    struct Options {
        Size size;                              // of the stream, until the camera says its own
        std::chrono::milliseconds linger{5000}; // a rung's encoder is kept so long after its last viewer
        VideoLimits limits;
    };

    // All must outlive it. `changed`: a viewer takes JPEGs from now on, or no more.
    VideoRungs(Scheduler &scheduler, VideoSwitch &video, Status &status, Options options,
               std::function<void()> changed);
    VideoRungs(const VideoRungs &) = delete;
    VideoRungs &operator=(const VideoRungs &) = delete;
    ~VideoRungs();

    void join(VideoViewer &viewer);
    void leave(const VideoViewer &viewer);
    [[nodiscard]] bool has(const VideoViewer &viewer) const;
    // It may take a frame again, perhaps.
    void onReady(const VideoViewer &viewer);
    // It cannot decode what it was sent.
    void onKeyWanted(const VideoViewer &viewer);
    void onVideo(const RungEncoders::Result &result);
    // The camera's pictures have this size from now on; an encoder that failed is tried again.
    void onCameraOpened(Size size);
    // No answer will come to what is asked for: the camera is not wanted any more.
    void stop();

private:
    struct Member {
        VideoViewer *viewer = nullptr;
        unsigned rung = 0;     // kVideoRungs: below the last, it is sent JPEGs
        bool in_chain = false; // has had all frames since a key frame
        Time blocked{};        // since it cannot take a frame that others could; none: it can
        Time lagged{};         // lost the chain last
        Time rejoins{};        // asks for no key frame before
        std::chrono::seconds rejoin_hold{0};
        Time roomy{};   // has had room for the rung above since then
        Time climbed{}; // was moved up then; none: never, or it has come down since
        std::chrono::seconds room_needed = kRoom;
    };
    struct Rung {
        bool asked = false;    // a frame is on its way
        bool failed = false;   // no encoder works
        bool encoding = false; // has had a frame since it was last released
        std::uint64_t sequence = 0;
        Time last_key{};
        const VideoViewer *waits_for = nullptr; // the last of its members that cannot take the next frame
        std::unique_ptr<Timer> timer;           // looks again
        std::unique_ptr<Timer> linger;          // frees the encoder
    };

    void pump(unsigned rung);
    void pumpAll();
    void place(Member &member, unsigned rung, Time now);
    void lag(Member &member, Time now);
    void moveDown(Member &member, Time now);
    void fail(unsigned rung, Time now);
    void review();
    void startReview();
    [[nodiscard]] Member *find(const VideoViewer &viewer);
    [[nodiscard]] bool mayTry(unsigned rung) const;
    [[nodiscard]] BitrateRange range(unsigned rung) const;
    [[nodiscard]] std::uint32_t bitrateOf(unsigned rung) const;
    [[nodiscard]] std::size_t membersOf(unsigned rung) const;

    Scheduler &scheduler_;
    VideoSwitch &video_;
    Status &status_;
    const Options options_;
    const std::function<void()> changed_;

    Size size_;
    std::vector<Member> members_;
    std::array<Rung, kVideoRungs> rungs_;
    std::unique_ptr<Timer> review_;
    bool reviewing_ = false;
};

} // namespace picam
