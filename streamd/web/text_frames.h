// TextFrames takes whole short text messages off the front of what a WebSocket client sends, so that acknowledgements
// need not go through the WebSocket library. Everything else, and the order of all of it, is the library's: it is given
// the rest. Pure logic, plain C++17 (see websocket_server.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picam {

class TextFrames {
public:
    // REQUIRES: `data` continues what the last call had, from the first byte after the handshake on.
    // Calls `onText(std::string_view)` for each message that it takes, in order, and returns how many bytes at the
    // front of `data` those were: the caller hands on what lies behind them, if anything. Unmasks the taken ones in
    // place.
    template <class OnText>
    std::size_t take(std::uint8_t *data, std::size_t bytes, OnText onText)
    {
        std::size_t taken = 0;
        while (synchronized_ && owed_ == 0) {
            const std::size_t length = shortText(data + taken, bytes - taken);
            if (length == 0 || !unmask(data + taken, length))
                break;
            onText(std::string_view(reinterpret_cast<const char *>(data) + taken + kHeadBytes, length - kHeadBytes));
            taken += length;
        }
        follow(data + taken, bytes - taken);
        return taken;
    }

    // Nothing is taken any more once it does not know where messages begin.
    [[nodiscard]] bool synchronized() const { return synchronized_; }

private:
    static constexpr std::size_t kHeadBytes = 6; // two, and the mask

    // The length of the text message that stands whole at the front of `data`, with its head; 0: none.
    [[nodiscard]] static std::size_t shortText(const std::uint8_t *data, std::size_t bytes);
    // False, and nothing is changed: not ASCII, so somebody has to look whether it is UTF-8.
    [[nodiscard]] static bool unmask(std::uint8_t *frame, std::size_t length);
    // Keeps track of what the library gets.
    void follow(const std::uint8_t *data, std::size_t bytes);

    std::size_t owed_ = 0; // bytes of a message whose beginning the library has
    bool synchronized_ = true;
};

} // namespace picam
