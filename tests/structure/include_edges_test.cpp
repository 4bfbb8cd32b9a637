// The modules' dependencies, as docs/architecture.md has them, held against every #include.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hub {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string_view>;

struct Module {
  std::string_view folder;
  Names may_include;  // beside itself
};

// A file belongs to the longest folder that it is in. Nothing includes what is not named.
const std::vector<Module>& modules() {
  static const std::vector<Module> table{
      {"base", {}},
      {"broker/mqtt", {"base"}},
      {"broker", {"broker/mqtt", "base"}},
      {"rules", {"base"}},
      {"storage", {"base"}},
      {"devices", {"storage", "base"}},
      {"instances", {"storage", "base"}},
      {"api", {"devices", "instances", "storage", "rules", "broker", "broker/mqtt", "base"}},
      {"hub", {"api", "devices", "instances", "storage", "rules", "broker", "broker/mqtt", "base"}},
      {"bench", {"hub", "api", "storage", "rules", "broker", "broker/mqtt", "base"}},
      {"tests",
       {"bench", "hub", "api", "devices", "instances", "storage", "rules", "broker", "broker/mqtt",
        "base"}},
  };
  return table;
}

struct Library {
  std::string_view header;  // the beginning of what stands between < and >
  Names modules;            // that may include it
};

const std::vector<Library>& libraries() {
  static const std::vector<Library> table{
      {"libpq", {"storage", "bench", "tests"}},  // bench: raw COPY, to compare with
      {"pqxx/", {"storage", "instances", "tests"}},
      {"boost/beast", {"broker", "api", "tests"}},
      {"CLI/", {"hub", "bench"}},
      {"toml", {"hub", "rules"}},
      {"simdjson", {"rules", "storage", "bench", "tests"}},
      {"spdlog", {"base"}},
      {"rocksdb/", {"storage", "tests"}},  // tests: keys that no hub writes
  };
  return table;
}

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Module* module_of(std::string_view path) {
  const Module* found = nullptr;
  for (const auto& module : modules()) {
    const auto& folder = module.folder;
    const bool inside = path.starts_with(folder) && path.substr(folder.size()).starts_with('/');
    if (inside && (found == nullptr || folder.size() > found->folder.size())) found = &module;
  }
  return found;
}

// What is wrong with one #include, or nothing. `file` is relative to the project.
std::string objection(std::string_view file, std::string_view include, bool quoted) {
  const auto* from = module_of(file);
  if (from == nullptr) return "the file is in no module of the table";
  if (!quoted) {
    for (const auto& library : libraries()) {
      if (include.starts_with(library.header) && !contains(library.modules, from->folder)) {
        return std::string(from->folder) + " must not include <" + std::string(include) + ">";
      }
    }
    return {};
  }
  const auto* to = module_of(include);
  if (to == nullptr) return "\"" + std::string(include) + "\" does not begin at the project's root";
  if (to == from || contains(from->may_include, to->folder)) return {};
  return std::string(from->folder) + " must not include " + std::string(to->folder);
}

bool is_source(const fs::path& path) {
  constexpr std::array kEndings{".h", ".cpp", ".hpp", ".cc", ".in"};
  return std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

std::vector<fs::path> sources() {
  std::vector<fs::path> out;
  std::set<std::string_view> tops;
  for (const auto& module : modules())
    tops.insert(module.folder.substr(0, module.folder.find('/')));
  for (const auto top : tops) {
    const auto folder = fs::path(HUB_SOURCE_DIR) / top;
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && is_source(entry.path())) out.push_back(entry.path());
    }
  }
  return out;
}

TEST(IncludeEdges, PointOneWay) {
  const std::regex line_form(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::size_t includes = 0;
  for (const auto& path : sources()) {
    const auto file = fs::relative(path, HUB_SOURCE_DIR).string();
    std::ifstream stream(path);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, line_form)) continue;
      ++includes;
      const auto wrong = objection(file, match[2].str(), match[1] == "\"");
      EXPECT_EQ(wrong, "") << file << ":" << number;
    }
  }
  EXPECT_GT(includes, 100u);
}

TEST(IncludeEdges, TheCheckSeesAForbiddenEdge) {
  EXPECT_EQ(objection("broker/shard.cpp", "broker/mqtt/framer.h", true), "");
  EXPECT_EQ(objection("broker/shard.cpp", "broker/shard.h", true), "");
  EXPECT_EQ(objection("broker/shard.cpp", "vector", false), "");
  EXPECT_NE(objection("broker/mqtt/framer.h", "broker/shard.h", true), "");
  EXPECT_NE(objection("broker/shard.cpp", "rules/rule_set.h", true), "");
  EXPECT_NE(objection("rules/evaluator.cpp", "storage/batch_writer.h", true), "");
  EXPECT_NE(objection("base/log.cpp", "hub/config.h", true), "");
  EXPECT_NE(objection("hub/serve.cpp", "tests/support/program.h", true), "");
  EXPECT_NE(objection("broker/shard.cpp", "shard.h", true), "");
  EXPECT_NE(objection("broker/shard.cpp", "libpq-fe.h", false), "");
  EXPECT_NE(objection("somewhere/else.cpp", "vector", false), "");
}

TEST(IncludeEdges, NoTwoModulesMayIncludeEachOther) {
  for (const auto& module : modules()) {
    EXPECT_FALSE(contains(module.may_include, module.folder)) << module.folder;
    for (const auto name : module.may_include) {
      for (const auto& other : modules()) {
        if (other.folder == name) {
          EXPECT_FALSE(contains(other.may_include, module.folder))
              << module.folder << " and " << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hub
