#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "instances/provider/local_provider.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/process_handle.h"
#include "instances/provider/unit_files.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using State = ProcessStatus::State;
using namespace std::chrono_literals;

class HubInstance : public Machine {
 protected:
  void SetUp() override {
    Machine::SetUp();
    if (HasFatalFailure()) return;
    make_vpc("a");
    make_port("hub-1", "a", "10.1.1.10", allow_all());
  }

  void ensure(const std::string& configuration) {
    provider_->ensure_hub({"hub-1", configuration, 64});
  }

  [[nodiscard]] std::filesystem::path folder() const { return options_.data_dir / "hubs/hub-1"; }

  [[nodiscard]] int pid() const { return provider_->status("hub-1").pid; }

  // The keeper: the parent of the process.
  [[nodiscard]] int keeper_pid() const {
    const auto stat = read_file("/proc/" + std::to_string(pid()) + "/stat").value_or("");
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string state;
    int parent = 0;
    fields >> state >> parent;
    return parent;
  }

  [[nodiscard]] bool has_logged(const std::string& text) const {
    return provider_->status("hub-1").last_lines.find(text) != std::string::npos;
  }
};

TEST_F(HubInstance, RunsInItsNamespaceAsAUserOfItsOwnWithoutPrivileges) {
  make_port("hub-2", "a", "10.1.1.11", allow_all());
  make_hub("hub-1", "one");
  make_hub("hub-2", "two");
  EXPECT_THAT(processes_in_namespace(port_namespace("hub-1")), ::testing::ElementsAre(pid()));
  struct stat one{}, two{};
  ::stat(("/proc/" + std::to_string(pid())).c_str(), &one);
  ::stat(("/proc/" + std::to_string(provider_->status("hub-2").pid)).c_str(), &two);
  EXPECT_NE(one.st_uid, 0U);
  EXPECT_NE(one.st_uid, two.st_uid);
  const auto status = read_file("/proc/" + std::to_string(pid()) + "/status").value_or("");
  EXPECT_THAT(status, ::testing::HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, ::testing::HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(HubInstance, ConfigurationIsReadableByItsProcessOnly) {
  make_hub("hub-1", "one");
  struct stat file{};
  struct stat process{};
  ASSERT_EQ(::stat((folder() / "hub.toml").c_str(), &file), 0);
  ASSERT_EQ(::stat(("/proc/" + std::to_string(pid())).c_str(), &process), 0);
  EXPECT_EQ(file.st_mode & 07777, 0640U);
  EXPECT_EQ(file.st_uid, 0U);
  EXPECT_EQ(file.st_gid, process.st_gid);
}

TEST_F(HubInstance, MemoryIsLimitedOrTheProviderSaysThatItIsNot) {
  ensure("");
  const auto groups = read_file("/proc/" + std::to_string(pid()) + "/cgroup").value_or("");
  const bool limited = groups.find("/" + options_.installation + "/hub-1\n") != std::string::npos;
  const auto notes = provider_->notes();
  const bool noted = std::any_of(notes.begin(), notes.end(), [](const auto& note) {
    return note.find("memory limits") != std::string::npos;
  });
  EXPECT_NE(limited, noted);
}

TEST_F(HubInstance, DialPassesBeforeAllTrafficRules) {
  make_port("hub-1", "a", "10.1.1.10", {});
  make_hub("hub-1", "one");
  EXPECT_THAT(read_line(provider_->dial("hub-1", 1883, 1s)), ::testing::StartsWith("one "));
  EXPECT_THROW(provider_->dial("hub-1", 1884, 1s), ProviderError);
  EXPECT_THROW(provider_->dial("hub-none", 1883, 1s), ProviderError);
}

TEST_F(HubInstance, AnotherConfigurationRestartsItAndTheSameDoesNot) {
  make_hub("hub-1", "one");
  const int first = pid();
  make_hub("hub-1", "one");
  EXPECT_EQ(pid(), first);
  make_hub("hub-1", "two");
  EXPECT_NE(pid(), first);
  EXPECT_FALSE(is_running(first));
  EXPECT_THAT(read_line(provider_->dial("hub-1", 1883, 1s)), ::testing::StartsWith("two "));
}

TEST_F(HubInstance, IsStartedAgainWhenItEnds) {
  make_hub("hub-1", "one");
  const int first = pid();
  ProcessHandle::open(first)->signal(SIGKILL);
  ASSERT_TRUE(eventually(
      [&] { return provider_->status("hub-1").state == State::running && pid() != first; }));
  const auto status = provider_->status("hub-1");
  EXPECT_EQ(status.failures_in_a_row, 1U);
  EXPECT_EQ(status.exit_signal, SIGKILL);
  EXPECT_FALSE(status.exit_code);
}

TEST_F(HubInstance, CrashLoopIsCountedAndItsLastWordsAreKept) {
  ensure("say cannot find my keys\nexit 7\n");
  ASSERT_TRUE(eventually([&] { return provider_->status("hub-1").failures_in_a_row >= 2; }));
  const auto status = provider_->status("hub-1");
  EXPECT_EQ(status.exit_code, 7);
  EXPECT_THAT(status.last_lines, ::testing::HasSubstr("cannot find my keys\n"));
  EXPECT_LE(status.last_lines.size(), 4096U);
  ASSERT_TRUE(eventually([&] { return provider_->status("hub-1").state == State::waiting; }));
  // A configuration that works ends it at once.
  make_hub("hub-1", "one");
  EXPECT_EQ(provider_->status("hub-1").failures_in_a_row, 0U);
}

TEST_F(HubInstance, OutlivesTheControlPlaneAndIsFoundAgain) {
  make_hub("hub-1", "one");
  const int first = pid();
  restart_provider();
  EXPECT_EQ(provider_->status("hub-1").state, State::running);
  EXPECT_EQ(pid(), first);
  make_hub("hub-1", "one");
  EXPECT_EQ(pid(), first);
}

TEST_F(HubInstance, EndsWithItsKeeperAndIsStartedByTheNextCall) {
  make_hub("hub-1", "one");
  const int first = pid();
  ProcessHandle::open(keeper_pid())->signal(SIGKILL);
  ASSERT_TRUE(eventually([&] { return !is_running(first); }));
  EXPECT_EQ(provider_->status("hub-1").state, State::exited);
  make_hub("hub-1", "one");
  EXPECT_EQ(provider_->status("hub-1").state, State::running);
}

// What a reused pid looks like: the state names a process that is alive, and is not the hub's.
TEST_F(HubInstance, AProcessThatHasItsOldPidIsLeftAlone) {
  make_hub("hub-1", "one");
  const int first = pid();
  ProcessHandle::open(keeper_pid())->signal(SIGKILL);
  ASSERT_TRUE(eventually([&] { return !is_running(first); }));
  const auto bystander = ::fork();
  if (bystander == 0) {
    for (;;) ::pause();
  }
  auto state = *parse_unit_state(*read_file(folder() / "keeper/state"));
  state.process = bystander;
  replace_file(folder() / "keeper/state", to_text(state), 0600);
  EXPECT_EQ(provider_->status("hub-1").state, State::exited);
  make_hub("hub-1", "one");
  provider_->stop("hub-1", 5s);
  EXPECT_TRUE(is_running(bystander));
  ProcessHandle::open(bystander)->signal(SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST_F(HubInstance, StopLeavesItAbsentAndKeepsItsFolder) {
  make_hub("hub-1", "one");
  const int first = pid();
  provider_->stop("hub-1", 5s);
  EXPECT_EQ(provider_->status("hub-1").state, State::absent);
  EXPECT_FALSE(is_running(first));
  EXPECT_TRUE(std::filesystem::exists(folder() / "home"));
  provider_->stop("hub-1", 5s);  // again
  make_hub("hub-1", "one");
  EXPECT_EQ(provider_->status("hub-1").state, State::running);
}

TEST_F(HubInstance, StopKillsWhatDoesNotEndInTime) {
  ensure("ignore-sigterm\nsay ignoring\n");
  ASSERT_TRUE(eventually([&] { return has_logged("ignoring"); }));
  const int first = pid();
  provider_->stop("hub-1", 0s);
  EXPECT_FALSE(is_running(first));
}

TEST_F(HubInstance, ItsDescendantsEndWithIt) {
  ensure("child\n");
  ASSERT_TRUE(eventually([&] { return has_logged("child "); }));
  const auto lines = provider_->status("hub-1").last_lines;
  const int child = std::stoi(lines.substr(lines.find("child ") + 6));
  ASSERT_TRUE(is_running(child));
  provider_->stop("hub-1", 5s);
  EXPECT_FALSE(is_running(child));
}

TEST_F(HubInstance, ProgramThatIsNotThereIsNamed) {
  options_.program = "/nowhere/iothub";
  restart_provider();
  try {
    ensure("");
    FAIL() << "started";
  } catch (const ProviderError& error) {
    EXPECT_EQ(error.next(), ProviderError::Next::give_up);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("/nowhere/iothub"));
  }
}

TEST_F(HubInstance, NeedsItsPort) {
  EXPECT_THROW(provider_->ensure_hub({"hub-2", "", 0}), ProviderError);
}

TEST_F(HubInstance, SecondControlPlaneOnTheSameFolderIsRefused) {
  try {
    static_cast<void>(make_local_provider(options_));
    FAIL() << "accepted";
  } catch (const ProviderError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("another control plane"));
  }
}

TEST_F(HubInstance, IdsThatAreNoNamesAreRefused) {
  for (const auto* id : {"", "../etc", "UPPER", "a/b", "far-too-long-for-an-id-of-ours"})
    EXPECT_THROW(provider_->remove(ResourceKind::hub, id), ProviderError) << id;
}

}  // namespace
}  // namespace hub::instances::testing
