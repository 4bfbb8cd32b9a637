// Writes records as inputs of spool_record_fuzzer into the directory that it is given:
// tests/fuzz/corpus/spool_records, after the format has changed.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "storage/row_encoder.h"
#include "storage/spool_record.h"

namespace hub::storage {
namespace {

RowTargetPtr target_of(std::vector<std::string> key) {
  auto target = std::make_shared<RowTarget>();
  target->rule = "r";
  target->action = "dump t";
  target->schema = "public";
  target->table = "t";
  target->key = std::move(key);
  target->columns.resize(2);
  target->columns[0].name = "n";
  target->columns[0].type = ColumnType::int8;
  target->columns[0].type_name = "bigint";
  target->columns[1].name = "t";
  target->columns[1].type = ColumnType::text;
  target->columns[1].type_name = "text";
  return target;
}

void add_row(Batch& batch, TargetPlan& plan, const Value& text) {
  MessageView message;
  message.topic = "t";
  message.client_id = "d";
  message.payload = "{}";
  TargetRows& rows = batch.rows_of(plan);
  const Value values[] = {Value::integer(7), text};
  if (plan.encoder().append(values, rows.rows)) std::abort();
  rows.messages.push_back(batch.messages.keep(message));
  batch.rows_added(1, rows.rows.size());
}

bool write(const std::filesystem::path& path, const Batch& batch) {
  SpoolTargets targets;
  std::ofstream file{path, std::ios::binary};
  file << write_spool_record(batch, targets);
  return static_cast<bool>(file.flush());
}

bool write_all(const std::filesystem::path& directory) {
  TargetPlan plain{target_of({})};
  TargetPlan keyed{target_of({"n"})};
  Batch rows;
  rows.clear(1);
  add_row(rows, plain, Value::text("x"));
  add_row(rows, plain, Value::null());
  add_row(rows, keyed, Value::text(""));
  Batch others;
  others.clear(2);
  others.dead_letters.add({"r", "dump t", "value_unfit", "", ""}, MessageView{}, 0);
  others.failed_by_rule.emplace_back("r", MessageId{1, 2});
  others.session_changes.add(SessionChanges::Change{"c", "state"});
  others.session_changes.add(SessionChanges::Change{"gone", ""});
  Batch ledger;
  ledger.clear(3);
  ledger.ledger.rules.push_back({"r", {.received = 1, .committed = 1}, {1, 0}, {}, {}});
  ledger.ledger.devices.push_back({"r", "d", {.received = 1}});
  ledger.ledger.sequences.push_back({"r", "d", "{[1,3)}", 4});
  ledger.ledger.journal = {{7, false, "{}"}, {7, true, "{}"}};
  ledger.ledger.journal_mark = {5, 6};
  ledger.ledger.journal_forgotten = {1, 2};
  ledger.ledger.meter = "m";
  ledger.ledger.usage = {{1, 2}};
  ledger.ledger.active_devices = {{20'000, "d"}};
  return write(directory / "rows", rows) && write(directory / "dead_letter_and_states", others) &&
         write(directory / "ledger", ledger);
}

}  // namespace
}  // namespace hub::storage

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_spool_corpus DIRECTORY\n";
    return 2;
  }
  if (hub::storage::write_all(argv[1])) return 0;
  std::cerr << "cannot write into " << argv[1] << '\n';
  return 1;
}
