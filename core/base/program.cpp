#include "core/base/program.h"

#include "core/base/log.h"
#include "core/camera/camera_list.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <unistd.h>

namespace picam {

int runProgram(int argc, const char *const *argv, const std::string &name, const std::string &help,
               const std::function<Expected<void>(const Settings &)> &serve)
{
    std::signal(SIGPIPE, SIG_IGN);
    try {
        log::init(name);
        const auto line = readSettings(argc, argv, environ, name + ": " + help);
        if (!line) {
            log::error("{}", line.error().message);
            return EXIT_FAILURE;
        }
        if (!line->print.empty()) {
            std::fputs(line->print.c_str(), stdout);
            return EXIT_SUCCESS;
        }
        log::setLevel(line->settings.log_level);
        if (line->list_cameras) {
            const auto cameras = cameraList(line->settings);
            std::fputs(cameras ? cameras->c_str() : (cameras.error().message + "\n").c_str(),
                       cameras ? stdout : stderr);
            return cameras ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (const auto done = serve(line->settings); !done) {
            log::error("{}", done.error().message);
            return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        log::error("{}", error.what());
        return EXIT_FAILURE;
    }
}

void giveUp(const std::string &why)
{
    log::error("{}; this process gives up, for the service manager to start another", why);
    std::_Exit(EXIT_FAILURE);
}

} // namespace picam
