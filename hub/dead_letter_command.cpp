#include "hub/dead_letter_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <stdexcept>

#include "base/log.h"
#include "base/text_table.h"
#include "base/topic.h"
#include "hub/hub_database.h"
#include "hub/rule_loading.h"
#include "pipeline/failure_names.h"
#include "pipeline/replay.h"
#include "storage/catalogue.h"
#include "storage/dead_letter_store.h"
#include "storage/sqlstate.h"

namespace hub {
namespace {

namespace json = boost::json;
using storage::DeadLetter;
using storage::DeadLetterStore;

constexpr std::size_t kPiece = 500;  // dead letters of one transaction

storage::DeadLetterFilter filter_of(const DeadLetterArguments& arguments) {
  return {arguments.ids,   arguments.rule,  arguments.reason, arguments.client,
          arguments.since, arguments.until, arguments.limit};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) -> std::uint32_t {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
    };
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[group & 63] : '=';
  }
  return out;
}

json::object to_json(const DeadLetter& letter) {
  json::object out{{"id", letter.id},
                   {"message_id", letter.message_id.to_string()},
                   {"received_at", letter.received_at_text},
                   {"rule", letter.rule},
                   {"action", letter.action},
                   {"reason", letter.reason},
                   {"detail", letter.detail},
                   {"sqlstate", letter.sqlstate},
                   {"topic", letter.topic},
                   {"client_id", letter.client_id},
                   {"username", letter.username},
                   {"qos", static_cast<int>(letter.qos)},
                   {"retain", letter.retain},
                   {"attempts", letter.attempts}};
  if (is_valid_utf8_string(letter.payload)) {
    out["payload"] = letter.payload;
  } else {
    out["payload_base64"] = base64(letter.payload);
  }
  return out;
}

int list(DeadLetterStore& store, const DeadLetterArguments& arguments, std::ostream& out) {
  TextTable table;
  table.add({"id", "received_at", "rule", "action", "client", "attempts", "reason", "detail"});
  for (const DeadLetter& letter : store.list(filter_of(arguments))) {
    if (arguments.json) {
      out << json::serialize(to_json(letter)) << '\n';
    } else {
      table.add({std::to_string(letter.id), letter.received_at_text, letter.rule, letter.action,
                 letter.client_id, std::to_string(letter.attempts), letter.reason, letter.detail});
    }
  }
  if (!arguments.json) table.print(out, 8);
  return kSuccess;
}

int show(DeadLetterStore& store, const DeadLetterArguments& arguments, std::ostream& out) {
  const std::vector<DeadLetter> letters = store.list(filter_of(arguments));
  for (const DeadLetter& letter : letters) {
    const json::object fields = to_json(letter);
    if (arguments.json) {
      out << json::serialize(fields) << '\n';
      continue;
    }
    for (const auto& [name, value] : fields) {
      const std::string text =
          value.is_string() ? std::string(value.as_string()) : json::serialize(value);
      out << fmt::format("{:<14} {}\n", std::string_view(name),
                         log::escape_control_characters(text));
    }
    out << '\n';
  }
  std::vector<std::int64_t> missing = arguments.ids;
  std::erase_if(missing, [&](std::int64_t id) {
    return std::any_of(letters.begin(), letters.end(),
                       [id](const DeadLetter& letter) { return letter.id == id; });
  });
  if (missing.empty()) return kSuccess;
  throw std::runtime_error(fmt::format("there is no dead letter {}", fmt::join(missing, ", ")));
}

int drop(DeadLetterStore& store, const DeadLetterArguments& arguments, std::ostream& out) {
  const std::uint64_t dropped = store.drop(filter_of(arguments));
  if (arguments.json) {
    out << json::serialize(json::object{{"dropped", dropped}}) << '\n';
  } else {
    out << fmt::format("{} dropped\n", dropped);
  }
  return kSuccess;
}

struct ReplayTotals {
  std::size_t stored = 0;
  std::size_t filtered = 0;
  std::size_t nothing_to_store = 0;
  std::size_t failed = 0;
  std::size_t not_published = 0;
  std::map<std::string, std::size_t> left;  // by why they could not even be tried
};

void replay_one(DeadLetterStore& store, Replay& rules, const DeadLetter& letter,
                ReplayTotals& totals) {
  Replay::Result result = rules.run(letter);
  if (!result.missing.empty()) {
    ++totals.left[result.missing];
    return;
  }
  if (result.ending != nullptr) {
    const auto fault = store.settle(letter, result.rows, result.ending);
    if (!fault) {
      totals.not_published += result.not_published;
      ++(result.ending == &storage::LedgerCounts::committed  ? totals.stored
         : result.ending == &storage::LedgerCounts::filtered ? totals.filtered
                                                             : totals.nothing_to_store);
      return;
    }
    const bool of_table = storage::reaction_to(fault->sqlstate) == storage::Reaction::target_fault;
    store.keep(letter, of_table ? kTableUnusable : kRowRefused, fault->message, fault->sqlstate);
  } else {
    store.keep(letter, result.reason, result.detail, "");
  }
  ++totals.failed;
}

int replay(DeadLetterStore& store, const std::string& url, const DeadLetterArguments& arguments,
           const Config& config, std::ostream& out) {
  const auto compiled = load_and_compile(config.rules, storage::PgCatalogue(url));
  for (const auto& problem : compiled.problems) out << rules::to_string(problem) << '\n';
  if (!compiled.rules) throw std::runtime_error("the rules have errors; nothing was replayed");
  Replay rules(compiled.rules);
  ReplayTotals totals;
  const storage::DeadLetterFilter filter = filter_of(arguments);
  std::uint64_t left = filter.limit.value_or(std::numeric_limits<std::uint64_t>::max());
  for (std::int64_t after = 0; left > 0;) {
    const auto piece = store.take(filter, after, std::min<std::uint64_t>(kPiece, left));
    ReplayTotals with_piece = totals;
    for (const DeadLetter& letter : piece) replay_one(store, rules, letter, with_piece);
    store.commit();
    totals = with_piece;
    if (piece.empty()) break;
    after = piece.back().id;
    left -= piece.size();
  }
  std::size_t left_as_they_are = 0;
  for (const auto& [why, count] : totals.left) left_as_they_are += count;
  if (arguments.json) {
    out << json::serialize(json::object{{"stored", totals.stored},
                                        {"filtered", totals.filtered},
                                        {"nothing_to_store", totals.nothing_to_store},
                                        {"failed", totals.failed},
                                        {"left", left_as_they_are},
                                        {"not_published", totals.not_published}})
        << '\n';
  } else {
    out << fmt::format("{} stored, {} filtered, {} with nothing to store, {} failed again\n",
                       totals.stored, totals.filtered, totals.nothing_to_store, totals.failed);
    for (const auto& [why, count] : totals.left) {
      out << fmt::format("{} left as they were: {}; see that --rules are the hub's\n", count, why);
    }
    if (totals.not_published > 0) {
      out << fmt::format("{} republish actions were left out: a replay only stores\n",
                         totals.not_published);
    }
  }
  return totals.failed + left_as_they_are == 0 ? kSuccess : kFailure;
}

void expect_time(DeadLetterStore& store, std::string_view flag,
                 const std::optional<std::string>& text) {
  if (!text || store.is_time(*text)) return;
  throw UsageError(fmt::format("{} {}: expected a time as '2026-01-31 12:00' or '2 hours ago'",
                               flag, log::escape_control_characters(*text)));
}

}  // namespace

int run_dead_letter_command(Command command, const DeadLetterArguments& arguments,
                            const Config& config, std::ostream& out) {
  const HubDatabase database = HubDatabase::for_readers(config);
  DeadLetterStore store(database.url());
  expect_time(store, "--since", arguments.since);
  expect_time(store, "--until", arguments.until);
  switch (command) {
    case Command::deadletter_list:
      return list(store, arguments, out);
    case Command::deadletter_show:
      return show(store, arguments, out);
    case Command::deadletter_replay:
      return replay(store, database.url(), arguments, config, out);
    case Command::deadletter_drop:
      return drop(store, arguments, out);
    default:
      throw std::logic_error("not a command of iothub deadletter");
  }
}

}  // namespace hub
