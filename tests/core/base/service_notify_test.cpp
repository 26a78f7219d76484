#include "core/base/service_notify.h"

#include "tests/fakes/temp_dir.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace picam {
namespace {

using namespace std::chrono_literals;

class ServiceNotifyTest : public ::testing::Test {
protected:
    ~ServiceNotifyTest() override
    {
        for (const char *name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
            ::unsetenv(name);
    }
};

TEST_F(ServiceNotifyTest, SaysItToTheSocketThatIsNamed)
{
    const testing::TempDir dir;
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = dir.file("notify");
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)), 0);
    notifyService("READY=1"); // nobody is named: says nothing
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    notifyService("WATCHDOG=1");
    std::array<char, 100> heard{};
    const ssize_t bytes = ::recv(fd, heard.data(), heard.size(), 0);
    EXPECT_EQ(std::string(heard.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0), "WATCHDOG=1");
    EXPECT_LT(::recv(fd, heard.data(), heard.size(), 0), 0);
    ::close(fd);
    notifyService("READY=1"); // somebody who is gone: no harm
}

TEST_F(ServiceNotifyTest, TheWatchdogHearsUsTwiceInItsTime)
{
    EXPECT_FALSE(serviceWatchdogInterval());
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    EXPECT_EQ(serviceWatchdogInterval(), 30s);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(serviceWatchdogInterval(), 30s);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(serviceWatchdogInterval()) << "another process is meant";
    ::unsetenv("WATCHDOG_PID");
    for (const char *nonsense : {"", "x", "-5", "0", "10s", "99999999999999999999"}) {
        ::setenv("WATCHDOG_USEC", nonsense, 1);
        EXPECT_FALSE(serviceWatchdogInterval()) << nonsense;
    }
    ::setenv("WATCHDOG_USEC", "1", 1);
    EXPECT_EQ(serviceWatchdogInterval(), 1ms);
}

} // namespace
} // namespace picam
