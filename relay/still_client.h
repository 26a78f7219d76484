// StillClient asks picam-snapshot for a still, over FastCGI as nginx does. The loop's thread. One request an object;
// its destructor gives it up.
#pragma once

#include "core/base/error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace picam {

struct StillPicture {
    std::vector<std::uint8_t> jpeg;
    std::chrono::microseconds captured_wall{0}; // since the epoch, to the millisecond; 0: not said
};

// The response of a FastCGI responder, from its records. Pure logic.
class FcgiResponse {
public:
    static constexpr std::size_t kMaxBytes = std::size_t{33} << 20U; // a still, as large as the store's

    // True: it is whole. Error kCorrupt: no records of FastCGI, or more than kMaxBytes.
    [[nodiscard]] Expected<bool> add(const std::uint8_t *data, std::size_t bytes);
    // Of a whole one. Error kNoCamera with the worker's own sentence, where it has no picture.
    [[nodiscard]] Expected<StillPicture> picture() const;

private:
    std::vector<std::uint8_t> pending_; // a record that has not come whole
    std::vector<std::uint8_t> out_;
};

// The records of a request for a still.
[[nodiscard]] std::string fcgiStillRequest();

class StillClient {
public:
    using Done = std::function<void(Expected<StillPicture>)>;
    // Longer than a request to picam-snapshot may take (snapshot.deadline, at most a minute).
    static constexpr std::chrono::seconds kTimeout{65};

    // Calls `done` once, from the loop.
    StillClient(boost::asio::io_context &context, const std::string &path, Done done);
    StillClient(const StillClient &) = delete;
    StillClient &operator=(const StillClient &) = delete;
    ~StillClient();

private:
    class State;
    std::shared_ptr<State> state_;
};

} // namespace picam
