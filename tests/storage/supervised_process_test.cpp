#include "storage/supervised_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <system_error>
#include <thread>

namespace hub::storage {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

ProcessSpec command(std::vector<std::string> arguments) {
  ProcessSpec spec;
  spec.arguments = std::move(arguments);
  return spec;
}

std::string output_of(ProcessSpec spec) {
  const FileDescriptor file(::memfd_create("output", MFD_CLOEXEC));
  spec.output = file.get();
  auto child = ChildProcess::start(spec);
  EXPECT_TRUE(child.wait_until(ChildProcess::Clock::now() + 30s));
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(::pread(file.get(), text.data(), text.size(), 0)));
  return text;
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnErrorHere) {
  try {
    const auto child = ChildProcess::start(command({"/no/such/program"}));
    FAIL() << child.pid();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/program"));
  }
}

TEST(ChildProcess, SaysHowItEnded) {
  const auto ended = [](const char* script) {
    auto child = ChildProcess::start(command({"/bin/sh", "-c", script}));
    return child.wait_until(ChildProcess::Clock::now() + 30s).value().to_string();
  };
  EXPECT_EQ(ended("exit 3"), "exited with status 3");
  EXPECT_EQ(ended("kill -9 $$"), "was killed by SIGKILL");
}

TEST(ChildProcess, HasOnlyTheEnvironmentAndDescriptorsItWasGiven) {
  const FileDescriptor leaks(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(leaks);
  auto environment = command({"/usr/bin/env"});
  environment.environment = {"A=1"};
  EXPECT_EQ(output_of(environment), "A=1\n");
  // ls itself has the directory that it lists open, as the first one that is free.
  auto list = command({"/bin/ls", "/proc/self/fd"});
  EXPECT_EQ(output_of(list), "0\n1\n2\n3\n");
  list.kept = leaks.get();
  EXPECT_EQ(output_of(list), "0\n1\n2\n3\n4\n");
}

TEST(ChildProcess, IsNotInTheTerminalsProcessGroup) {
  const auto child = ChildProcess::start(command({"/bin/sleep", "600"}));
  EXPECT_EQ(::getpgid(child.pid()), child.pid());
}

TEST(ChildProcess, DiesWithItsOwner) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::start(command({"/bin/sleep", "600"}));
    pid = child.pid();
    EXPECT_FALSE(child.wait_until(ChildProcess::Clock::now()));
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ChildProcess, GetsItsDeathSignalWhenTheStartingThreadEnds) {
  std::optional<ChildProcess> child;
  std::thread([&] {
    auto spec = command({"/bin/sleep", "600"});
    spec.death_signal = SIGINT;
    child = ChildProcess::start(spec);
  }).join();
  const auto status = child->wait_until(ChildProcess::Clock::now() + 30s);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->to_string(), "was killed by SIGINT");
}

TEST(ProcessUser, IsFoundByNameAndById) {
  const auto root = ProcessUser::named("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(ProcessUser::with_id(0)->name, "root");
  EXPECT_FALSE(ProcessUser::named("no-such-user"));
}

}  // namespace
}  // namespace hub::storage
