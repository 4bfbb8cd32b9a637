#include "bench/load/process_usage.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace hub::bench {
namespace {

struct Stat {
  int parent = 0;
  std::uint64_t ticks = 0;
};

// /proc/PID/stat: fields are counted after the name, which may hold blanks and parentheses.
bool read_stat(int pid, Stat& stat) {
  std::ifstream file{fmt::format("/proc/{}/stat", pid)};
  std::string line;
  if (!std::getline(file, line)) return false;
  std::istringstream fields{line.substr(line.rfind(')') + 1)};
  std::string skipped;
  fields >> skipped >> stat.parent;
  for (int field = 5; field <= 13; ++field) fields >> skipped;
  for (int field = 14; field <= 17; ++field) {  // utime stime cutime cstime
    std::uint64_t ticks = 0;
    fields >> ticks;
    stat.ticks += ticks;
  }
  return !fields.fail();
}

std::map<int, Stat> all_processes() {
  std::map<int, Stat> processes;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return processes;
  while (const dirent* entry = readdir(directory)) {
    const int pid = std::atoi(entry->d_name);
    Stat stat;
    if (pid > 0 && read_stat(pid, stat)) processes[pid] = stat;
  }
  closedir(directory);
  return processes;
}

void add_memory(int pid, ProcessUsage& usage) {
  std::ifstream file{fmt::format("/proc/{}/smaps_rollup", pid)};
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words{line};
    std::string name;
    std::uint64_t kilobytes = 0;
    words >> name >> kilobytes;
    if (name == "Rss:") usage.rss_bytes += kilobytes * 1024;
    if (name == "Pss:") usage.pss_bytes += kilobytes * 1024;
  }
}

}  // namespace

OwnUsage own_usage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

ProcessUsage usage_of(std::span<const int> pids) {
  ProcessUsage usage;
  if (pids.empty()) return usage;
  const auto processes = all_processes();
  std::vector<int> family{pids.begin(), pids.end()};
  const auto belongs = [&family](int pid) {
    return std::find(family.begin(), family.end(), pid) != family.end();
  };
  for (std::size_t at = 0; at < family.size(); ++at) {
    for (const auto& [pid, stat] : processes) {
      if (stat.parent == family[at] && !belongs(pid)) family.push_back(pid);
    }
  }
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const int pid : family) {
    const auto found = processes.find(pid);
    if (found == processes.end()) continue;
    usage.cpu_seconds += static_cast<double>(found->second.ticks) / ticks_per_second;
    ++usage.processes;
    add_memory(pid, usage);
  }
  return usage;
}

}  // namespace hub::bench
