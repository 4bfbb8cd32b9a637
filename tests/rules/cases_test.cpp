#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/rules/case_runner.h"

namespace hub::rules::testing {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> case_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(RULES_CASES)) {
    if (entry.path().extension() == ".rules") files.push_back(entry.path().stem().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class RuleCases : public ::testing::TestWithParam<std::string> {};

TEST_P(RuleCases, Hold) {
  const std::string file = std::string(RULES_CASES) + "/" + GetParam() + ".rules";
  const std::string text = read_file(file);
  ASSERT_FALSE(text.empty()) << file;
  run_cases(text, file);
}

INSTANTIATE_TEST_SUITE_P(Files, RuleCases, ::testing::ValuesIn(case_files()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace hub::rules::testing
