// What the hub and its viewers touch, in the test's hands: time, the camera's switch, connections.
#pragma once

#include "core/loop/scheduler.h"
#include "streamd/pipeline/camera_switch.h"
#include "streamd/pipeline/stream_mailbox.h"
#include "streamd/pipeline/video_switch.h"
#include "streamd/viewers/connection.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace picam::testing {

// A clock that stands until the test moves it. What is posted waits for run(), as it waits for a loop's next turn.
class FakeScheduler : public Scheduler {
public:
    [[nodiscard]] std::chrono::steady_clock::time_point now() const override { return now_; }
    [[nodiscard]] std::unique_ptr<Timer> makeTimer() override { return std::make_unique<FakeTimer>(*this); }
    void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }

    // Does what was posted, and what that posts.
    void run()
    {
        while (!posted_.empty()) {
            const auto work = std::move(posted_.front());
            posted_.pop_front();
            work();
        }
    }
    // Moves the clock, stopping at each timer that is due on the way.
    void pass(std::chrono::steady_clock::duration time)
    {
        const auto end = now_ + time;
        while (true) {
            run();
            const auto next = std::min_element(timers_.begin(), timers_.end(),
                                               [](const auto *a, const auto *b) { return a->due < b->due; });
            if (next == timers_.end() || (*next)->due > end)
                break;
            FakeTimer &timer = **next;
            now_ = timer.due;
            timers_.erase(next);
            std::exchange(timer.then, nullptr)();
        }
        now_ = end;
    }
    [[nodiscard]] std::size_t timersRunning() const { return timers_.size(); }

private:
    struct FakeTimer : Timer {
        explicit FakeTimer(FakeScheduler &s) : scheduler(s) {}
        FakeTimer(const FakeTimer &) = delete;
        FakeTimer &operator=(const FakeTimer &) = delete;
        ~FakeTimer() override { FakeTimer::cancel(); }
        void start(std::chrono::steady_clock::duration delay, std::function<void()> call) override
        {
            cancel();
            due = scheduler.now_ + delay;
            then = std::move(call);
            scheduler.timers_.push_back(this);
        }
        void cancel() override
        {
            auto &timers = scheduler.timers_;
            timers.erase(std::remove(timers.begin(), timers.end(), this), timers.end());
            then = nullptr;
        }
        FakeScheduler &scheduler;
        std::chrono::steady_clock::time_point due;
        std::function<void()> then;
    };

    std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
    std::vector<FakeTimer *> timers_;
    std::deque<std::function<void()>> posted_;
};

class FakeSwitch : public CameraSwitch {
public:
    void want(bool is_wanted) override
    {
        wanted = is_wanted;
        ++changes;
    }
    void setDemand(double fps) override { demand = fps; }

    bool wanted = false;
    int changes = 0;
    double demand = kNobody;
};

// What the rungs ask of the pipeline.
class FakeVideo : public VideoSwitch {
public:
    struct Asked {
        unsigned rung;
        bool key;
        std::uint32_t bitrate;
    };
    void wantVideo(bool is_wanted) override { wanted = is_wanted; }
    void requestVideo(unsigned rung, const RungEncoders::Request &request) override
    {
        asked.push_back({rung, request.key, request.bitrate});
    }
    void releaseVideo(unsigned rung) override { released.push_back(rung); }

    bool wanted = false;
    std::vector<Asked> asked;
    std::vector<unsigned> released;
};

// Remembers what was sent; a frame's write ends when the test says so.
class FakeConnection : public ViewerConnection {
public:
    void sendFrame(const FramePtr &frame, WireFormat format) override
    {
        frames.push_back(frame->sequence);
        formats.push_back(format);
        sent.push_back(frame);
    }
    void sendText(const std::string &message) override { texts.push_back(nlohmann::json::parse(message)); }
    void ping() override { ++pings; }
    void close(CloseCode code, std::string_view reason) override { closes.emplace_back(code, std::string(reason)); }

    [[nodiscard]] std::vector<std::string> states() const
    {
        std::vector<std::string> out;
        for (const auto &text : texts)
            if (text["type"] == "state")
                out.push_back(text["state"]);
        return out;
    }

    std::vector<std::uint64_t> frames;
    std::vector<WireFormat> formats;
    std::vector<FramePtr> sent;
    std::vector<nlohmann::json> texts;
    std::vector<std::pair<CloseCode, std::string>> closes;
    int pings = 0;
};

inline PicturePtr makePicture(std::uint64_t sequence, MonotonicTime captured, std::size_t bytes = 1000)
{
    auto picture = std::make_shared<Picture>();
    picture->bytes.assign(bytes, static_cast<std::uint8_t>(sequence));
    picture->size = {64, 48};
    picture->sequence = sequence;
    picture->captured = captured;
    picture->captured_wall =
        WallTime(std::chrono::microseconds(1700000000123456 + static_cast<std::int64_t>(sequence)));
    return picture;
}

} // namespace picam::testing
