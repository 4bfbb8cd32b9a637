#include "base/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/file_descriptor.h"
#include "tests/support/temporary_directory.h"

namespace hub {
namespace {

class ServiceManager : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("NOTIFY_SOCKET"); }
};

TEST_F(ServiceManager, GetsOneDatagramOnItsSocket) {
  const test::TemporaryDirectory directory;
  const auto path = (directory.path() / "notify").string();
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_service_manager("READY=1");
  std::array<char, 64> text{};
  const auto size = ::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(size)), "READY=1");
}

TEST_F(ServiceManager, IsNotMissedWhenThereIsNone) {
  ::unsetenv("NOTIFY_SOCKET");
  ::testing::internal::CaptureStderr();
  notify_service_manager("READY=1");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_F(ServiceManager, ThatDoesNotListenIsALineInTheLog) {
  ::setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
  ::testing::internal::CaptureStderr();
  notify_service_manager("READY=1");
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace hub
