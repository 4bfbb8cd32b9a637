#include "storage/postgres_installation.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "storage/supervised_process.h"

namespace hub::storage {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

// What a program prints, without the end of line; empty when it fails.
std::string output_of(const fs::path& program, const std::string& argument) {
  const FileDescriptor output(::memfd_create("output", MFD_CLOEXEC));
  if (!output) return {};
  try {
    auto child = ChildProcess::start({.arguments = {program.string(), argument},
                                      .environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"},
                                      .user = {},
                                      .output = output.get()});
    const auto status = child.wait_until(ChildProcess::Clock::now() + 10s);
    if (!status || !status->success()) return {};
  } catch (const std::system_error&) {
    return {};
  }
  std::array<char, 512> text{};
  const auto size = ::pread(output.get(), text.data(), text.size(), 0);
  std::string out(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  out.erase(out.find_last_not_of(" \n") + 1);
  return out;
}

// "postgres (PostgreSQL) 15.6 (Debian 15.6-0+deb12u1)" is 15; 0 when it is not a version.
int major_version_of(const fs::path& programs) {
  const auto text = output_of(programs / "postgres", "--version");
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const auto mark = text.find(kMark);
  if (mark == std::string::npos) return 0;
  int version = 0;
  const char* digits = text.data() + mark + kMark.size();
  std::from_chars(digits, text.data() + text.size(), version);
  return version;
}

std::vector<fs::path> path_directories() {
  std::vector<fs::path> out;
  const char* path = std::getenv("PATH");
  std::string_view left = path != nullptr ? path : "";
  while (!left.empty()) {
    const auto colon = left.find(':');
    const auto part = left.substr(0, colon);
    if (part.starts_with('/')) out.emplace_back(part);
    left.remove_prefix(colon == std::string_view::npos ? left.size() : colon + 1);
  }
  return out;
}

std::vector<fs::path> candidates() {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", error)) {
    out.push_back(version.path() / "bin");
  }
  for (const auto& directory : path_directories()) {
    out.push_back(directory);
    if (is_program(directory / "pg_config")) {
      if (auto bin = output_of(directory / "pg_config", "--bindir"); !bin.empty()) {
        out.emplace_back(std::move(bin));
      }
    }
  }
  return out;
}

}  // namespace

std::vector<PostgresInstallation> PostgresInstallation::find_all() {
  std::vector<PostgresInstallation> out;
  for (const auto& programs : candidates()) {
    if (!is_program(programs / "initdb") || !is_program(programs / "postgres")) continue;
    const auto same = [&](const auto& known) { return known.programs == programs; };
    if (std::any_of(out.begin(), out.end(), same)) continue;
    const int version = major_version_of(programs);
    if (version == 0) continue;
    const auto older = [&](const auto& known) { return known.major_version < version; };
    out.insert(std::find_if(out.begin(), out.end(), older), {programs, version});
  }
  return out;
}

PostgresInstallation choose_installation(const std::vector<PostgresInstallation>& installed,
                                         std::optional<int> cluster_version,
                                         const fs::path& cluster) {
  for (const auto& one : installed) {
    if (cluster_version ? one.major_version == *cluster_version
                        : one.major_version >= kOldestPostgres) {
      return one;
    }
  }
  if (cluster_version) {
    std::string others;
    for (const auto& one : installed) {
      others += fmt::format("{}{}", others.empty() ? "" : ", ", one.major_version);
    }
    throw EmbeddedDatabaseError(fmt::format(
        "the database in {} was made by PostgreSQL {}, and installed here is {}: apt-get install "
        "postgresql-{}, or bring the database to a newer version with pg_upgrade",
        cluster.string(), *cluster_version, others.empty() ? "none" : others, *cluster_version));
  }
  if (!installed.empty()) {
    throw EmbeddedDatabaseError(fmt::format(
        "PostgreSQL {} is installed ({}), and the hub needs {} or newer: apt-get install "
        "postgresql, or use a database that runs already with --database postgresql://…",
        installed.front().major_version, installed.front().programs.string(), kOldestPostgres));
  }
  throw EmbeddedDatabaseError(
      "no PostgreSQL server is installed (initdb and postgres are neither under "
      "/usr/lib/postgresql nor on the PATH): apt-get install postgresql, or use a database that "
      "runs already with --database postgresql://…");
}

}  // namespace hub::storage
