// iothub-bench: the load generator. See bench/load/README.md.

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <variant>

#include "bench/load/command_line.h"
#include "bench/load/report.h"
#include "bench/load/run.h"

namespace {

constexpr int kWrongAnswers = 1;
constexpr int kCannotRun = 2;

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file{path, std::ios::trunc};
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = hub::bench::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<hub::bench::ExitCode>(&parsed)) return exit->value;
  const auto& options = std::get<hub::bench::Options>(parsed);
  try {
    const hub::bench::Report report = hub::bench::run(options);
    const bool json_to_stdout = options.json == "-";
    std::fputs(hub::bench::human_report(options, report).c_str(), json_to_stdout ? stderr : stdout);
    if (json_to_stdout) {
      std::fputs(hub::bench::json_report(options, report).c_str(), stdout);
    } else if (options.json) {
      write_file(*options.json, hub::bench::json_report(options, report));
    }
    return report.total.all_right() ? 0 : kWrongAnswers;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iothub-bench: %s\n", error.what());
    return kCannotRun;
  }
}
