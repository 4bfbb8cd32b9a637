#include "instances/provider/unit_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <stdexcept>

#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

TEST(UnitArguments, ComeBackAsTheyWere) {
  const UnitSpec spec{.folder = "/data/hubs/h/keeper",
                      .fingerprint = "00ff",
                      .network_namespace = "/run/netns/iothub-p-h",
                      .user = 1'900'000'001,
                      .working_directory = "/data/hubs/h/home",
                      .cgroups = {"/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/blkio/x"},
                      .stop_signal = SIGINT,
                      .first_pause = std::chrono::milliseconds(10),
                      .longest_pause = std::chrono::milliseconds(20),
                      .steady_after = std::chrono::milliseconds(30),
                      .has_listener = true,
                      .command = {"/bin/program", "--", "--folder", ""}};
  EXPECT_EQ(parse_unit_arguments(to_arguments(spec)), spec);
}

TEST(UnitArguments, WhatIsWrongIsNamed) {
  const auto message = [](std::vector<std::string> arguments) -> std::string {
    try {
      static_cast<void>(parse_unit_arguments(arguments));
      return "accepted";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  EXPECT_THAT(message({}), ::testing::HasSubstr("no command"));
  EXPECT_THAT(message({"--", "/bin/x"}), ::testing::HasSubstr("--folder"));
  EXPECT_THAT(message({"--colour", "red", "--", "x"}), ::testing::HasSubstr("--colour"));
  EXPECT_THAT(message({"--user", "root", "--", "x"}), ::testing::HasSubstr("root"));
  EXPECT_THAT(message({"--folder"}), ::testing::HasSubstr("--folder"));
}

TEST(UnitStateText, ComesBackAsItWas) {
  const UnitState running{"00ff", 12, 345, 0, std::nullopt, std::nullopt};
  const UnitState exited{"00ff", 0, 0, 3, 7, std::nullopt};
  const UnitState killed{"00ff", 0, 0, 4, std::nullopt, 9};
  for (const auto& state : {running, exited, killed})
    EXPECT_EQ(parse_unit_state(to_text(state)), state);
}

TEST(UnitStateText, JunkIsNoState) {
  for (const auto* text : {"process one 2\n", "hello\n", "exit\n", "process 1\n"})
    EXPECT_FALSE(parse_unit_state(text)) << text;
}

TEST(ReplaceFile, HasTheModeWhateverTheUmask) {
  const DataFolder folder;
  const auto before = ::umask(0077);
  replace_file(folder.path() / "file", "one", 0644);
  replace_file(folder.path() / "file", "two", 0644);
  ::umask(before);
  struct stat stat{};
  ASSERT_EQ(::stat((folder.path() / "file").c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777, 0644U);
  EXPECT_EQ(read_file(folder.path() / "file"), "two");
  EXPECT_THROW(replace_file(folder.path() / "none/file", "", 0644), std::system_error);
}

}  // namespace
}  // namespace hub::instances::testing
