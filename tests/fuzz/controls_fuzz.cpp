// What is wanted of the controls, from outside. The first byte says what the others are: a change as PATCH has it, for
// the pattern's camera or for one that is not known yet, a place to focus on, or the state file. Whatever was accepted
// can be read again as it is, by every program.
#include "tests/streamd/controls/served_controls.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace {

using picam::ControlsHttp;
using picam::testing::ServedControls;

void require(bool condition, const char *what)
{
    if (condition)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

void readStateFile(std::string_view text)
{
    const auto document = picam::parseControlsDocument(text);
    if (!document)
        return;
    const auto again = picam::parseControlsDocument(picam::serializeControlsDocument(*document));
    require(again && *again == *document, "a document does not come back as it was");
}

void change(ServedControls &served, std::string_view method, std::string_view target, std::string_view body)
{
    static ControlsHttp::Clock::time_point now{std::chrono::hours(1)};
    now += std::chrono::seconds(1);
    ControlsHttp::Request request;
    request.method = method;
    request.target = target;
    request.user = "picam";
    request.role = "operator";
    request.content_type = "application/json";
    request.if_match = "*";
    request.body = body;
    const std::string before = served.wanted->etag();
    const auto answer = served.http->answer(request, now);
    require(nlohmann::json::accept(answer.body), "an answer is no JSON");
    require(answer.status == 200 || answer.status == 400 || answer.status == 413 || answer.status == 422,
            "an answer that nothing is the reason for");
    require(answer.status == 200 || served.wanted->etag() == before, "a change that was refused was made");
    const auto document = served.files->load();
    require(document.generation == served.wanted->view().generation, "what was published cannot be read");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t bytes)
{
    if (bytes == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char *>(data + 1), bytes - 1);
    if (data[0] % 4 == 3) {
        readStateFile(text);
        return 0;
    }
    // One for the whole run: what one input leaves is there for the next.
    static ServedControls known;
    static ServedControls unknown;
    if (!known.camera.opened)
        known.open();
    if (data[0] % 4 == 2)
        change(known, "POST", "/controls/focus", text);
    else
        change(data[0] % 4 == 0 ? known : unknown, "PATCH", "/controls", text);
    return 0;
}
