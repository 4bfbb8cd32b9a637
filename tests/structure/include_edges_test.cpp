// The modules' dependencies, as docs/architecture.md has them, held against every #include.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
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

// A file belongs to the longest folder that it is in. Nothing includes what is not named: a folder,
// or one file; "*" names all there is, and "folder/*" all below a folder.
const std::vector<Module>& modules() {
  static const std::vector<Module> table{
      {"base", {}},
      {"broker/mqtt", {"base"}},
      {"broker/transport", {"base"}},
      {"broker/session", {"broker/mqtt", "base"}},
      {"broker/routing", {"base"}},
      {"broker", {"broker/mqtt", "broker/transport", "broker/session", "broker/routing", "base"}},
      {"rules/diagnostics", {"base"}},
      {"rules/payload", {"base"}},
      {"rules/sql", {"rules/diagnostics", "rules/payload", "base"}},
      {"rules", {"rules/diagnostics", "rules/payload", "rules/sql", "base"}},
      {"storage", {"base"}},
      {"pipeline", {"broker/publish_sink.h", "rules", "rules/diagnostics", "storage", "base"}},
      {"instances/core", {"base"}},
      {"instances/accounts", {"instances/core", "base"}},
      {"instances/money", {"instances/accounts", "instances/core", "base"}},
      {"instances/networks", {"instances/provider", "instances/core", "base"}},
      {"instances/databases",
       {"instances/money", "instances/networks", "instances/accounts", "instances/core", "base"}},
      {"instances/hubs",
       {"instances/databases", "instances/money", "instances/networks", "instances/accounts",
        "instances/core", "base"}},
      {"instances/operations",
       {"instances/hubs", "instances/databases", "instances/money", "instances/networks",
        "instances/provider", "instances/accounts", "instances/core", "base"}},
      {"instances/provider", {"instances/core", "storage", "base"}},
      {"instances/provider/keeper", {"instances/provider", "instances/core", "base"}},
      {"instances/provider/forwarder", {"instances/provider", "instances/core", "base"}},
      {"instances", {"instances/operations", "instances/core", "base"}},
      {"http", {"base"}},
      {"api/manage", {"http", "instances", "instances/*", "base"}},
      {"hub",
       {"http", "pipeline", "storage", "rules", "rules/diagnostics", "broker",
        "broker/transport/listener.h", "base"}},
      {"manage", {"api/manage", "http", "instances", "instances/*", "storage", "base"}},
      {"program", {"hub", "manage", "base"}},
      {"bench", {"*"}},
      {"tests", {"*"}},
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
      {"pqxx/",
       {"storage", "instances/core", "instances/accounts", "instances/money", "instances/networks",
        "instances/databases", "instances/hubs", "instances/operations", "instances", "tests"}},
      {"boost/beast", {"http", "broker/transport", "tests"}},
      {"CLI/", {"hub", "manage", "bench"}},
      {"toml", {"hub", "manage", "rules"}},
      {"simdjson", {"rules", "rules/payload", "storage", "bench", "tests"}},
      {"spdlog", {"base"}},
      {"rocksdb/", {"storage", "tests"}},  // tests: keys that no hub writes
  };
  return table;
}

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool allows(const Module& from, std::string_view folder, std::string_view file) {
  return std::any_of(from.may_include.begin(), from.may_include.end(), [&](std::string_view name) {
    if (!name.ends_with('*')) return name == folder || name == file;
    return folder.starts_with(name.substr(0, name.size() - 1));
  });
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
  if (to == from || allows(*from, to->folder, include)) return {};
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

struct Include {
  std::string file;  // relative to the project
  int line = 0;
  std::string what;
  bool quoted = false;
};

std::vector<Include> includes() {
  const std::regex line_form(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::vector<Include> out;
  for (const auto& path : sources()) {
    const auto file = fs::relative(path, HUB_SOURCE_DIR).string();
    std::ifstream stream(path);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      std::smatch match;
      if (line.find("include") == std::string::npos || !std::regex_search(line, match, line_form))
        continue;
      out.push_back({file, number, match[2].str(), match[1] == "\""});
    }
  }
  return out;
}

TEST(IncludeEdges, PointOneWay) {
  const auto all = includes();
  for (const auto& include : all) {
    EXPECT_EQ(objection(include.file, include.what, include.quoted), "")
        << include.file << ":" << include.line;
  }
  EXPECT_GT(all.size(), 100u);
}

// Which folders each folder includes, as the files have it.
using Edges = std::map<std::string, std::set<std::string>>;

// A way through `edges` from a folder back to itself, as "a → b → a"; empty when there is none.
std::string cycle_in(const Edges& edges) {
  std::set<std::string> done;
  std::vector<std::string> way;
  const std::function<std::string(const std::string&)> visit = [&](const std::string& folder) {
    if (const auto seen = std::find(way.begin(), way.end(), folder); seen != way.end()) {
      std::string text;
      for (auto step = seen; step != way.end(); ++step) text += *step + " → ";
      return text + folder;
    }
    if (!done.insert(folder).second) return std::string{};
    way.push_back(folder);
    if (const auto to = edges.find(folder); to != edges.end()) {
      for (const auto& next : to->second) {
        if (auto found = visit(next); !found.empty()) return found;
      }
    }
    way.pop_back();
    return std::string{};
  };
  for (const auto& [folder, to] : edges) {
    if (auto found = visit(folder); !found.empty()) return found;
  }
  return {};
}

// Folders of any depth, whether the table names them or not.
TEST(IncludeEdges, MakeNoCycleOfFolders) {
  Edges edges;
  for (const auto& include : includes()) {
    if (!include.quoted || include.what.find('/') == std::string::npos) continue;
    const auto from = fs::path(include.file).parent_path().string();
    const auto to = fs::path(include.what).parent_path().string();
    if (from != to) edges[from].insert(to);
  }
  EXPECT_EQ(cycle_in(edges), "");
}

TEST(IncludeEdges, TheTableItselfAllowsNoCycle) {
  Edges edges;
  for (const auto& module : modules()) {
    for (const std::string_view name : module.may_include) {
      if (name.ends_with('*')) continue;
      const bool is_file = name.ends_with(".h");
      edges[std::string(module.folder)].insert(is_file ? fs::path(name).parent_path().string()
                                                       : std::string(name));
    }
  }
  EXPECT_EQ(cycle_in(edges), "");
}

TEST(IncludeEdges, ACycleIsSeen) {
  EXPECT_EQ(cycle_in({{"a", {"b"}}, {"b", {"c"}}, {"c", {}}}), "");
  EXPECT_EQ(cycle_in({{"a", {"b"}}, {"b", {"a/c"}}, {"a/c", {"b"}}}), "b → a/c → b");
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
  EXPECT_NE(objection("broker/session/session.h", "broker/transport/connection.h", true), "");
  EXPECT_EQ(objection("api/manage/manage_api.cpp", "instances/money/wallet.h", true), "");
  EXPECT_NE(objection("hub/serve.cpp", "instances/core/call.h", true), "");
  EXPECT_EQ(objection("pipeline/ack_barrier.h", "broker/publish_sink.h", true), "");
  EXPECT_NE(objection("pipeline/ack_barrier.h", "broker/shard.h", true), "");
  EXPECT_NE(objection("broker/shard.cpp", "shard.h", true), "");
  EXPECT_NE(objection("broker/shard.cpp", "libpq-fe.h", false), "");
  EXPECT_NE(objection("somewhere/else.cpp", "vector", false), "");
}

}  // namespace
}  // namespace hub
