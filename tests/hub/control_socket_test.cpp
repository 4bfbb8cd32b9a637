#include "hub/control_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace hub {
namespace {

// A hub's main thread that answers questions in that directory.
class Answering {
 public:
  explicit Answering(const std::filesystem::path& directory)
      : socket_(io_, directory, [](std::string_view question) {
          return "you asked: " + std::string(question) + std::string(100'000, '.');
        }) {
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Answering() {
    io_.stop();
    thread_.join();
  }

 private:
  boost::asio::io_context io_;
  ControlSocket socket_;
  std::thread thread_;
};

TEST(ControlSocket, AnswersEachQuestion) {
  const test::TemporaryDirectory directory;
  const Answering hub(directory.path());
  for (int i = 0; i < 3; ++i) {
    const auto answer = ask_hub(directory.path(), "ledger");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->substr(0, 18), "you asked: ledger.");
    EXPECT_EQ(answer->size(), 100'017u);
  }
}

TEST(ControlSocket, IsForItsUserOnly) {
  const test::TemporaryDirectory directory;
  const Answering hub(directory.path());
  struct stat facts{};
  ASSERT_EQ(::stat((directory.path() / "control").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST(ControlSocket, MayStandInADirectoryWithALongName) {
  const test::TemporaryDirectory directory;
  const auto deep = directory.path() / std::string(150, 'x');
  std::filesystem::create_directory(deep);
  const Answering hub(deep);
  EXPECT_TRUE(ask_hub(deep, "ledger"));
}

TEST(ControlSocket, NoHubIsNoAnswer) {
  const test::TemporaryDirectory directory;
  EXPECT_FALSE(ask_hub(directory.path(), "ledger"));
  EXPECT_FALSE(ask_hub(directory.path() / "not there", "ledger"));
  {
    const Answering killed(directory.path());
  }
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "control"));
  EXPECT_FALSE(ask_hub(directory.path(), "ledger"));
  const Answering next(directory.path());
  EXPECT_TRUE(ask_hub(directory.path(), "ledger"));
}

}  // namespace
}  // namespace hub
