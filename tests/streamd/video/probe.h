// What ffmpeg's tools say about an H.264 stream: a reader that is not ours.
#pragma once

#include "tests/fakes/temp_dir.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace picam::testing {

// What the command writes to its standard output.
inline std::string outputOf(const std::string &command)
{
    const std::unique_ptr<std::FILE, int (*)(std::FILE *)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
        text.append(buffer.data(), got);
    return text;
}

// "key=value" lines about the stream.
inline std::string probed(const std::vector<std::uint8_t> &stream)
{
    const TempDir folder;
    const std::string path = folder.file("stream.h264");
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char *>(stream.data()), static_cast<std::streamsize>(stream.size()));
    return outputOf("ffprobe -v quiet -f h264 -count_frames -show_streams " + path);
}

inline bool hasLine(const std::string &text, const std::string &line)
{
    return text.find(line + "\n") != std::string::npos;
}

} // namespace picam::testing
