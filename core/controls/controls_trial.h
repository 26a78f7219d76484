// ControlsTrial notices that this program ended by itself, or was ended, or that its camera hung, within seconds of
// controls that it had not borne before: a file in the runtime directory says so to its next process, and which
// controls it has borne. Controls are known by a key, trialKey(). One thread at a time.
#pragma once

#include "core/controls/controls_document.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace picam {

// Of the values that are wanted, whatever their generation; 0: none are.
[[nodiscard]] std::uint64_t trialKey(const ControlsRequest &controls);

class ControlsTrial {
public:
    // A camera that has run so long with them is taken as one that bears them.
    static constexpr std::chrono::seconds kDuration{5};

    // `path`: of the file, of this program alone. Empty: nothing is noticed.
    explicit ControlsTrial(std::string path);

    // Whether the last trial of these controls failed. True once.
    [[nodiscard]] bool takeFailed(std::uint64_t key);
    // True once more: the camera could not be opened.
    void returnFailed(std::uint64_t key) { failed_ = key; }
    // The camera is given these controls now. Does nothing for those that passed last, and for none.
    void begin(std::uint64_t key);
    // It bore them for kDuration.
    void pass();
    // It was closed in good order, before that or after.
    void end();
    // It hung, before that or after.
    void fail();
    [[nodiscard]] bool isOn() const { return on_; }

private:
    void write() const;

    std::string path_;
    std::uint64_t failed_ = 0; // 0: none
    std::uint64_t passed_ = 0;
    std::uint64_t tried_ = 0;
    bool on_ = false;
};

} // namespace picam
