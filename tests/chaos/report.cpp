#include "tests/chaos/report.h"

#include <fmt/format.h>

#include <string>

namespace hub::test {

void print(const Summary& summary) {
  std::string faults;
  for (const auto& [name, count] : summary.faults) {
    faults += fmt::format("{}\"{}\": {}", faults.empty() ? "" : ", ", name, count);
  }
  const Account& account = summary.account;
  fmt::print(
      R"({{"seed": {}, "rounds": {}, "seconds": {}, "violations": {}, "messages": {}, )"
      R"("acknowledged": {}, "resends": {}, "rows": {}, "dead_letters": {}, "qos0_lost": {}, )"
      R"("qos1_repeats": {}, "repeats_absorbed": {}, "commits_cut": {}, "pings_answered": {}, )"
      R"("peak_memory_mib": {}, "faults": {{{}}}}})"
      "\n",
      summary.seed, summary.rounds, summary.seconds.count(), summary.violations, account.messages,
      account.acknowledged, account.resends, account.rows, account.dead_letters, account.qos0_lost,
      account.qos1_repeats, account.repeats_absorbed, summary.commits_cut, summary.pings,
      summary.peak_memory_bytes >> 20, faults);
}

}  // namespace hub::test
