#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "instances/provider/cgroups.h"
#include "instances/provider/firewall.h"
#include "instances/provider/forwarder/client_names.h"
#include "instances/provider/instance_folders.h"
#include "instances/provider/keyed_locks.h"
#include "instances/provider/local_provider.h"
#include "instances/provider/network.h"
#include "instances/provider/process_handle.h"
#include "instances/provider/program.h"
#include "instances/provider/unit_files.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST(RunProgram, GivesItsInputAndTakesItsOutput) {
  const auto result = run_program({{"cat"}, "one\ntwo\n"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "one\ntwo\n");
  EXPECT_EQ(result.error, "");
}

TEST(RunProgram, TellsHowItEnded) {
  EXPECT_EQ(run_program({{"false"}, {}}).exit_code, 1);
  EXPECT_EQ(run_program({{"sh", "-c", "kill -TERM $$"}, {}}).exit_code, 128 + SIGTERM);
  try {
    require_program({{"ls", "/nowhere"}, {}}, "looking");
    FAIL() << "succeeded";
  } catch (const ProviderError& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(::testing::StartsWith("looking: ls ended with 2"),
                                               ::testing::HasSubstr("/nowhere")));
  }
}

TEST(RunProgram, MissingProgramIsNamed) {
  try {
    static_cast<void>(run_program({{"no-such-program"}, {}}));
    FAIL() << "ran";
  } catch (const ProviderError& error) {
    EXPECT_EQ(error.next(), ProviderError::Next::give_up);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("no-such-program"));
  }
}

TEST(RunProgram, IsEndedAtItsLimit) {
  try {
    static_cast<void>(run_program({{"sleep", "1000"}, {}, 50ms}));
    FAIL() << "waited";
  } catch (const ProviderError& error) {
    EXPECT_EQ(error.next(), ProviderError::Next::retry);
  }
}

TEST(RunProgram, HandsNothingOfTheCallersEnvironmentOn) {
  ::setenv("HUB_SECRET", "secret", 1);
  EXPECT_THAT(run_program({{"env"}, {}}).output, ::testing::Not(::testing::HasSubstr("SECRET")));
}

TEST(ProcessHandleTest, ProcessOfAnotherStartTimeIsAnotherProcess) {
  const auto own = start_time(::getpid());
  ASSERT_TRUE(own);
  EXPECT_TRUE(ProcessHandle::open(::getpid(), *own));
  EXPECT_FALSE(ProcessHandle::open(::getpid(), *own + 1));
  EXPECT_FALSE(ProcessHandle::open(0));
}

TEST(ProcessHandleTest, EndedProcessThatNobodyReapedDoesNotRun) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  EXPECT_TRUE(eventually([&] { return !start_time(child); }));
  EXPECT_FALSE(ProcessHandle::open(child));
  ::waitpid(child, nullptr, 0);
}

TEST(InterfaceName, FitsTheKernelAndDiffersById) {
  EXPECT_LT(interface_name('b', "subnet-k3j9x2m7qa00").size(), 16U);
  EXPECT_NE(interface_name('b', "subnet-1"), interface_name('b', "subnet-2"));
  EXPECT_EQ(interface_name('b', "subnet-1"), interface_name('b', "subnet-1"));
}

TEST(PortFirewall, EachKindOfRuleIsALine) {
  const std::vector<TrafficRule> rules{
      allow(Direction::inbound, Protocol::tcp, 1883, 1884, "10.1.0.0/16"),
      allow(Direction::inbound, Protocol::icmp), allow(Direction::outbound, Protocol::udp, 53),
      allow(Direction::outbound, Protocol::all, 0, 0, "10.9.0.0/24")};
  const auto script = port_firewall("plant", rules);
  for (const auto* line : {"\n    ip saddr 10.1.0.0/16 tcp dport 1883-1884 accept\n",
                           "\n    meta l4proto icmp accept\n", "\n    udp dport 53-53 accept\n",
                           "\n    ip daddr 10.9.0.0/24 accept\n"})
    EXPECT_THAT(script, ::testing::HasSubstr(line));
  EXPECT_THAT(script, ::testing::StartsWith("add table inet plant\ndelete table inet plant\n"));
}

TEST(InstanceUsers, DifferByInstanceAndStayTheSame) {
  const DataFolder folder;
  InstanceFolders folders(folder.path() / "data");
  std::set<uid_t> users;
  for (const auto* id : {"one", "two", "three"}) {
    const auto instance = folders.of(ResourceKind::hub, id);
    const auto user = folders.ensure(instance);
    EXPECT_EQ(folders.ensure(instance), user);
    EXPECT_NE(user, folders.forwarder_user());
    users.insert(user);
  }
  EXPECT_EQ(users.size(), 3U);
  EXPECT_EQ(folders.list().size(), 3U);
}

TEST(InstanceUsers, FolderThatTheyCannotPassIsNamed) {
  const DataFolder folder;
  const auto closed = folder.path() / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::owner_all);
  try {
    InstanceFolders folders(closed / "data");
    FAIL() << "accepted";
  } catch (const ProviderError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(closed.string()));
  }
}

// The files of a version 2 hierarchy, played by a folder.
TEST(CgroupsVersion2, LimitsAreWrittenAndHandedDown) {
  const DataFolder folder;
  const auto group = folder.path() / "plant/hub-1";
  fs::create_directories(group);
  replace_file(folder.path() / "cgroup.controllers", "cpu io memory pids\n", 0644);
  for (const auto& file :
       {folder.path() / "cgroup.subtree_control", folder.path() / "plant/cgroup.subtree_control",
        group / "memory.max", group / "io.max"})
    replace_file(file, "", 0644);
  const Cgroups cgroups(folder.path(), "plant");
  EXPECT_TRUE(cgroups.can_limit_memory());
  EXPECT_THAT(cgroups.ensure("hub-1", {64, 600, folder.path()}), ::testing::ElementsAre(group));
  EXPECT_EQ(read_file(group / "memory.max"), "67108864");
  EXPECT_THAT(read_file(group / "io.max").value_or(""),
              ::testing::HasSubstr(" riops=600 wiops=600"));
}

TEST(CgroupsOnThisMachine, WithoutAnyNothingIsLimited) {
  const DataFolder folder;
  const Cgroups cgroups(folder.path(), "plant");
  EXPECT_FALSE(cgroups.can_limit_memory());
  EXPECT_TRUE(cgroups.ensure("hub-1", {64, 600, folder.path()}).empty());
  EXPECT_NO_THROW(cgroups.remove("hub-1"));
}

TEST(KeyedLocksTest, OneNameOneHolder) {
  KeyedLocks locks;
  int counter = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int j = 0; j < 1000; ++j) {
          const auto held = locks.lock("one");
          ++counter;
        }
      });
  }
  EXPECT_EQ(counter, 4000);
  const auto one = locks.lock("one");
  const auto other = locks.lock("other");  // does not wait
}

TEST(ClientNamesTest, LoopbackIsNotPassedOn) {
  ClientNames names;
  EXPECT_EQ(names.name_of(*parse_ipv4("127.0.0.1")), kUnroutableClient);
  EXPECT_EQ(names.name_of(*parse_ipv4("198.51.100.7")), *parse_ipv4("198.51.100.7"));
}

// In a child: a process does not get its privileges back.
TEST(Privileges, WhatIsMissingIsNamedWithTheAlternative) {
  const DataFolder folder;
  const auto report = folder.path() / "report";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "accepted";
    fs::permissions(folder.path(), fs::perms::all);
    if (::setresuid(65534, 65534, 65534) == 0) {
      try {
        static_cast<void>(make_local_provider({"plant", folder.path() / "data", "/bin/true", ""}));
      } catch (const ProviderError& error) {
        text = error.what();
      }
      replace_file(report, text, 0644);
    }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(
      read_file(report).value_or(""),
      ::testing::AllOf(::testing::HasSubstr("CAP_SYS_ADMIN"), ::testing::HasSubstr("CAP_NET_ADMIN"),
                       ::testing::HasSubstr("sudo"), ::testing::HasSubstr("--provider process")));
}

}  // namespace
}  // namespace hub::instances::testing
