#include "core/camera/feed_protocol.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace picam {
namespace {

constexpr std::size_t kFirstPiece = std::size_t{64} << 10U; // bytes of a payload

} // namespace

std::string feedLine(const FeedWants &wants)
{
    return fmt::format("{{\"feed\":1,\"still\":{},\"width\":{},\"height\":{},\"fps\":{:.6g}}}\n", wants.still,
                       wants.size.width, wants.size.height, wants.fps);
}

Expected<std::optional<std::string>> feedReason(std::string_view state)
{
    const auto json = nlohmann::json::parse(state, nullptr, false);
    if (!json.is_object() || !json.contains("state") || !json["state"].is_string())
        return fail(ErrorKind::kCorrupt, "a state that is no JSON object with a text as its \"state\"");
    if (json["state"].get_ref<const std::string &>() != "unavailable")
        return std::optional<std::string>();
    std::string reason;
    if (const auto said = json.find("reason"); said != json.end() && said->is_string())
        reason = said->get<std::string>(); // UTF-8, as the parser has checked
    std::replace_if(
        reason.begin(), reason.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    if (reason.size() > kMaxFeedReason) {
        std::size_t end = kMaxFeedReason;
        while ((static_cast<unsigned char>(reason[end]) & 0xc0U) == 0x80U) // within a character
            --end;
        reason.resize(end);
    }
    while (!reason.empty() && (reason.back() == '.' || reason.back() == ' '))
        reason.pop_back();
    return reason.empty() ? "the feed has no picture" : std::move(reason);
}

std::span<std::uint8_t> FeedReader::room()
{
    if (!header_)
        return std::span(head_).subspan(have_);
    if (have_ == payload_.size())
        payload_.resize(std::min<std::size_t>(header_->payload_bytes, std::max(kFirstPiece, 2 * have_)));
    return std::span(payload_).subspan(have_);
}

Expected<std::optional<FeedMessage>> FeedReader::filled(std::size_t bytes)
{
    have_ += bytes;
    if (!header_) {
        if (have_ < head_.size())
            return std::nullopt;
        auto header = parseFrameHeader(head_);
        if (!header)
            return tl::unexpected<Error>(std::move(header.error()));
        if (header->codec == Codec::kH264)
            return fail(ErrorKind::kCorrupt, "frame header: codec H.264, where JPEGs alone are taken");
        header_ = *header;
        have_ = 0;
        return std::nullopt;
    }
    if (have_ < header_->payload_bytes)
        return std::nullopt;
    have_ = 0;
    FeedMessage message{*std::exchange(header_, std::nullopt), std::exchange(payload_, {})};
    return message;
}

} // namespace picam
