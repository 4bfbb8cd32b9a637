#include "instances/provider/unit_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "base/file_descriptor.h"

namespace hub::instances {
namespace {

template <class T>
T number(std::string_view name, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument(fmt::format("{} needs a number, and got \"{}\"", name, text));
  return value;
}

std::chrono::milliseconds duration(std::string_view name, std::string_view text) {
  return std::chrono::milliseconds(number<std::uint32_t>(name, text));
}

void set(UnitSpec& spec, const std::string& name, const std::string& value) {
  if (name == "--folder") {
    spec.folder = value;
  } else if (name == "--fingerprint") {
    spec.fingerprint = value;
  } else if (name == "--network-namespace") {
    spec.network_namespace = value;
  } else if (name == "--user") {
    spec.user = number<uid_t>(name, value);
  } else if (name == "--working-directory") {
    spec.working_directory = value;
  } else if (name == "--cgroup") {
    spec.cgroups.emplace_back(value);
  } else if (name == "--stop-signal") {
    spec.stop_signal = number<int>(name, value);
  } else if (name == "--first-pause-ms") {
    spec.first_pause = duration(name, value);
  } else if (name == "--longest-pause-ms") {
    spec.longest_pause = duration(name, value);
  } else if (name == "--steady-after-ms") {
    spec.steady_after = duration(name, value);
  } else {
    throw std::invalid_argument("unknown option " + name);
  }
}

}  // namespace

std::vector<std::string> to_arguments(const UnitSpec& spec) {
  std::vector<std::string> arguments{"--folder",
                                     spec.folder.string(),
                                     "--fingerprint",
                                     spec.fingerprint,
                                     "--user",
                                     std::to_string(spec.user),
                                     "--working-directory",
                                     spec.working_directory.string(),
                                     "--stop-signal",
                                     std::to_string(spec.stop_signal),
                                     "--first-pause-ms",
                                     std::to_string(spec.first_pause.count()),
                                     "--longest-pause-ms",
                                     std::to_string(spec.longest_pause.count()),
                                     "--steady-after-ms",
                                     std::to_string(spec.steady_after.count())};
  if (!spec.network_namespace.empty()) {
    arguments.emplace_back("--network-namespace");
    arguments.push_back(spec.network_namespace.string());
  }
  for (const auto& cgroup : spec.cgroups) {
    arguments.emplace_back("--cgroup");
    arguments.push_back(cgroup.string());
  }
  if (spec.has_listener) arguments.emplace_back("--listener");
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), spec.command.begin(), spec.command.end());
  return arguments;
}

UnitSpec parse_unit_arguments(std::span<const std::string> arguments) {
  UnitSpec spec;
  std::size_t i = 0;
  for (; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] == "--listener") {
      spec.has_listener = true;
      continue;
    }
    if (i + 1 == arguments.size()) throw std::invalid_argument("no value for " + arguments[i]);
    set(spec, arguments[i], arguments[i + 1]);
    ++i;
  }
  if (i < arguments.size())
    spec.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
  if (spec.command.empty()) throw std::invalid_argument("no command after --");
  if (spec.folder.empty()) throw std::invalid_argument("no --folder");
  return spec;
}

std::string to_text(const UnitState& state) {
  auto text = fmt::format("fingerprint {}\nprocess {} {}\nfailures {}\n", state.fingerprint,
                          state.process, state.process_start_time, state.failures_in_a_row);
  if (state.exit_code) text += fmt::format("exit {}\n", *state.exit_code);
  if (state.exit_signal) text += fmt::format("signal {}\n", *state.exit_signal);
  return text;
}

std::optional<UnitState> parse_unit_state(std::string_view text) {
  UnitState state;
  std::istringstream words{std::string(text)};
  std::string word;
  int value = 0;
  while (words >> word) {
    if (word == "fingerprint") {
      words >> state.fingerprint;
    } else if (word == "process") {
      words >> state.process >> state.process_start_time;
    } else if (word == "failures") {
      words >> state.failures_in_a_row;
    } else if (word == "exit" && words >> value) {
      state.exit_code = value;
    } else if (word == "signal" && words >> value) {
      state.exit_signal = value;
    } else {
      return std::nullopt;
    }
    if (!words) return std::nullopt;
  }
  return state;
}

void replace_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  auto temporary = path;
  temporary += ".new";
  const auto check = [&](bool good) {
    if (!good) throw std::system_error(errno, std::generic_category(), "writing " + path.string());
  };
  ::unlink(temporary.c_str());
  const FileDescriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  check(static_cast<bool>(file));
  check(::fchmod(file.get(), mode) == 0);  // whatever the umask
  while (!text.empty()) {
    const auto written = ::write(file.get(), text.data(), text.size());
    check(written > 0);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  check(::rename(temporary.c_str(), path.c_str()) == 0);
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();  // unlike its iterators, no exception when a process ends while it is read
  return text.str();
}

}  // namespace hub::instances
