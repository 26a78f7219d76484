// ControlsTrial notices that this program ended by itself, or was ended, within seconds of controls that it had not
// tried before: a file in the runtime directory says so to its next process. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace picam {

class ControlsTrial {
public:
    // A camera that has run so long with them is taken as one that bears them.
    static constexpr std::chrono::seconds kDuration{5};

    // `path`: of the file, of this program alone. Empty: nothing is noticed.
    explicit ControlsTrial(std::string path);

    // Whether the process before this one ended during a trial of this generation. True once.
    [[nodiscard]] bool takeFailed(std::uint32_t generation);
    // True once more: the camera could not be opened.
    void returnFailed(std::uint32_t generation) { failed_ = generation; }
    // The camera is given these controls now. Does nothing for a generation that has passed.
    void begin(std::uint32_t generation);
    // It bore them for kDuration.
    void pass();
    // It was closed in good order, before that or after.
    void end();
    [[nodiscard]] bool isOn() const { return on_; }

private:
    std::string path_;
    std::uint32_t failed_ = 0; // the generation; 0: none
    std::uint32_t passed_ = 0;
    std::uint32_t tried_ = 0;
    bool on_ = false;
};

} // namespace picam
