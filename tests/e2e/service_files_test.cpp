// The units of deploy/systemd, by systemd's own reading of them; it need not run for that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/hub_process.h"

namespace hub::test {
namespace {

using ::testing::HasSubstr;

class ServiceFiles : public ::testing::TestWithParam<const char*> {
 protected:
  // With the built program in the place of the installed one, which it looks for.
  void SetUp() override {
    unit_ = read_file(std::filesystem::path(HUB_SOURCE_DIR) / "deploy/systemd" / GetParam());
    change("ExecStart=iothub ", "ExecStart=" + built_program("iothub") + " ");
  }
  void change(const std::string& from, const std::string& to) {
    const auto at = unit_.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    unit_.replace(at, from.size(), to);
  }
  [[nodiscard]] Outcome verify() const {
    return run_program({"systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                        directory_.write(GetParam(), unit_)});
  }

  std::string unit_;
  TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(Units, ServiceFiles,
                         testing::Values("iothub.service", "iothub-manage.service"),
                         [](const auto& unit) {
                           return std::string(unit.param).starts_with("iothub-m") ? "Manage"
                                                                                  : "Hub";
                         });

TEST_P(ServiceFiles, AreRightBySystemd) {
  const auto outcome = verify();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_P(ServiceFiles, ASlipWouldBeFound) {
  change("KillMode=", "KilMode=");
  const auto outcome = verify();
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("KilMode"));
}

}  // namespace
}  // namespace hub::test
