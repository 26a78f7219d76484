#include "core/base/log.h"

#include "core/base/file_descriptor.h"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace picam {
namespace {

// Standard error goes into a pipe until the object does.
class StderrPipe {
public:
    StderrPipe() : saved_(::dup(STDERR_FILENO))
    {
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) != 0)
            throw std::runtime_error("no pipe");
        reader_.reset(ends[0]);
        const FileDescriptor writer(ends[1]);
        ::dup2(writer.get(), STDERR_FILENO);
    }
    StderrPipe(const StderrPipe &) = delete;
    StderrPipe &operator=(const StderrPipe &) = delete;
    ~StderrPipe()
    {
        ::dup2(saved_.get(), STDERR_FILENO);
        ::unsetenv("JOURNAL_STREAM");
    }

    [[nodiscard]] struct stat status() const
    {
        struct stat status {};
        ::fstat(STDERR_FILENO, &status);
        return status;
    }
    [[nodiscard]] std::string read() const
    {
        std::array<char, 500> text{};
        const ssize_t got = ::read(reader_.get(), text.data(), text.size());
        return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    }

private:
    FileDescriptor saved_;
    FileDescriptor reader_;
};

// What `JOURNAL_STREAM` makes of a line. Each test runs in a process of its own, as the program whose log it is.
std::string lineWith(const StderrPipe &pipe, const std::string &stream)
{
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    log::init("picam-test");
    log::write(log::Level::kInfo, "hello");
    return pipe.read();
}

TEST(Log, TheJournalGetsThePriority)
{
    const StderrPipe pipe;
    const auto status = pipe.status();
    EXPECT_EQ(lineWith(pipe, fmt::format("{}:{}", status.st_dev, status.st_ino)), "<6>hello\n");
}

TEST(Log, AnInheritedJournalStreamIsNotOurs)
{
    const StderrPipe pipe;
    const auto status = pipe.status();
    for (const std::string &stream : {fmt::format("{}:{}", status.st_dev, status.st_ino + 1),
                                      fmt::format("{}:{}", status.st_dev + 1, status.st_ino), std::string("8:1"),
                                      std::string("nonsense"), std::string()}) {
        const std::string line = lineWith(pipe, stream);
        EXPECT_EQ(line.find("<6>"), std::string::npos) << line;
        EXPECT_NE(line.find("picam-test["), std::string::npos) << line;
        EXPECT_NE(line.find("info: hello\n"), std::string::npos) << line;
    }
}

} // namespace
} // namespace picam
