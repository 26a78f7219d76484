// RequestRecords receives a FastCGI request whole and checks it before libfcgi parses it: libfcgi trusts each length
// that a peer claims (it aborts when there is not that much memory), and its deadline starts anew with each byte.
#pragma once

#include "core/base/error.h"
#include "core/image/frame.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace picam {

// The records up to the end of the parameters, which is all that a request without a body has. Pure; one thread.
class RequestRecords {
public:
    // nginx: four header buffers of 8 KB unless told otherwise, and its parameters. 64 KB of each must pass.
    static constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;

    enum class State : std::uint8_t { kIncomplete, kComplete, kRefused };

    // Room for the next bytes, never empty while incomplete; received() says how many came.
    [[nodiscard]] unsigned char *room() { return bytes_.data() + size_; }
    [[nodiscard]] std::size_t roomBytes() const { return bytes_.size() - size_; }
    State received(std::size_t bytes);

    [[nodiscard]] const unsigned char *data() const { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    [[nodiscard]] bool pairsAreTrue() const;

    static constexpr std::size_t kFirstBytes = 8192;
    std::vector<unsigned char> bytes_ = std::vector<unsigned char>(kFirstBytes);
    std::size_t size_ = 0;
    std::size_t record_ = 0; // where the next record begins
    std::vector<unsigned char> params_;
};

// Reads a request from the connected socket. Errors: kTimeout when it is not whole at the deadline, kIo when the peer
// leaves, kCorrupt for what is no request or too large. Any thread.
[[nodiscard]] Expected<RequestRecords> receiveRequest(int fd, MonotonicTime deadline);

} // namespace picam
