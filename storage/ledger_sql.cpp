#include "storage/ledger_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <tuple>

#include "storage/array_parameter.h"
#include "storage/sql_text.h"

namespace hub::storage {
namespace {

LedgerEntries::Rule* find_rule(LedgerEntries& entries, std::string_view rule) {
  const auto found = std::find_if(entries.rules.begin(), entries.rules.end(),
                                  [rule](const auto& entry) { return entry.rule == rule; });
  return found == entries.rules.end() ? nullptr : &*found;
}

template <class Entry>
void sort_by_key(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.rule, a.device) < std::tie(b.rule, b.device);
  });
}

// The columns of LedgerCounts, each made into text by `form`.
template <class Form>
std::string columns(Form form) {
  std::string out;
  LedgerCounts{}.for_each([&](std::string_view name, std::int64_t) { out += form(name); });
  return out;
}

template <class Entry>
void move_to_dead_letters(Entry& entry) {
  --entry.booked.committed;
  ++entry.booked.dead_lettered;
}

void settle_devices(Batch& batch) {
  std::vector<LedgerEntries::Device>& devices = batch.ledger.devices;
  for (auto& entry : devices) entry.booked = entry.counts;
  if (devices.empty() || batch.refused_messages.empty()) return;
  sort_by_key(devices);
  for (auto& refused : batch.refused_messages) {
    const auto key = std::tuple<std::string_view, std::string_view>(
        refused.target->rule, batch.messages.view(refused.message).client_id);
    const auto found =
        std::lower_bound(devices.begin(), devices.end(), key, [](const auto& entry, const auto& k) {
          return std::tuple<std::string_view, std::string_view>(entry.rule, entry.device) < k;
        });
    refused.device_settled = found != devices.end() && found->rule == std::get<0>(key) &&
                             found->device == std::get<1>(key);
    if (refused.device_settled) move_to_dead_letters(*found);
  }
}

// Parameters that are arrays: one for each column, with an element for each row.
void begin_arrays(std::span<const Oid> columns, std::size_t rows, std::span<ByteBuffer> arrays) {
  for (std::size_t i = 0; i < columns.size(); ++i) begin_array(arrays[i], columns[i], rows);
}

ParameterStatement with_arrays(std::string sql, std::span<const Oid> columns,
                               std::span<const ByteBuffer> arrays) {
  ParameterStatement out{std::move(sql), {}, {}, /*recurs=*/true};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    out.types.push_back(columns[i] == kText ? kTextArray : kInt8Array);
    out.values.push_back(arrays[i].view());
  }
  return out;
}

std::string make_device_sql() {
  std::size_t parameter = 2;
  const auto names = columns([](auto name) { return fmt::format(", {}", name); });
  const auto parameters = columns([&](auto) { return fmt::format(", ${}", ++parameter); });
  auto changes =
      columns([](auto name) { return fmt::format(", {0} = d.{0} + excluded.{0}", name); });
  return fmt::format(
      "INSERT INTO iothub.device_ledger AS d (rule, device{}) SELECT * FROM unnest($1, $2{}) "
      "ON CONFLICT (rule, device) DO UPDATE SET {}",
      names, parameters, changes.substr(2));
}

// The rule, the device, and the counts.
std::vector<Oid> make_device_columns() {
  std::vector<Oid> out = {kText, kText};
  LedgerCounts{}.for_each([&](std::string_view, std::int64_t) { out.push_back(kInt8); });
  return out;
}

const std::vector<Oid>& device_columns() {
  static const std::vector<Oid> columns = make_device_columns();
  return columns;
}

void add_devices(LedgerEntries& entries, std::span<ByteBuffer> arrays,
                 std::vector<ParameterStatement>& out) {
  static const std::string sql = make_device_sql();
  if (entries.devices.empty()) return;
  sort_by_key(entries.devices);
  begin_arrays(device_columns(), entries.devices.size(), arrays);
  for (const auto& entry : entries.devices) {
    add_element(arrays[0], entry.rule);
    add_element(arrays[1], entry.device);
    std::size_t column = 2;
    entry.booked.for_each(
        [&](std::string_view, std::int64_t value) { add_element(arrays[column++], value); });
  }
  out.push_back(with_arrays(sql, device_columns(), arrays));
}

constexpr const char* kSequenceSql =
    "INSERT INTO iothub.device_sequence AS s (rule, device, seen, given_up) "
    "SELECT rule, device, seen::int8multirange, given_up "
    "FROM unnest($1, $2, $3, $4) AS k (rule, device, seen, given_up) "
    "ON CONFLICT (rule, device) DO UPDATE SET (seen, given_up) = (SELECT m.seen, m.given_up FROM "
    "iothub.merge_seen(s.seen, excluded.seen, least(s.given_up::numeric + excluded.given_up, "
    "9223372036854775807)::bigint) AS m)";
constexpr Oid kSequenceColumns[] = {kText, kText, kText, kInt8};

void add_sequences(LedgerEntries& entries, std::span<ByteBuffer> arrays,
                   std::vector<ParameterStatement>& out) {
  if (entries.sequences.empty()) return;
  sort_by_key(entries.sequences);
  begin_arrays(kSequenceColumns, entries.sequences.size(), arrays);
  for (const auto& entry : entries.sequences) {
    add_element(arrays[0], entry.rule);
    add_element(arrays[1], entry.device);
    add_element(arrays[2], entry.seen);
    add_element(arrays[3], entry.given_up);
  }
  out.push_back(with_arrays(kSequenceSql, kSequenceColumns, arrays));
}

// Days are those of UTC+8, by which bills go; a message counts on the day that it is booked on.
constexpr const char* kUsageSql =
    "INSERT INTO iothub.usage AS u (meter, day, shard, half_kilobytes, messages) "
    "SELECT meter, (now() AT TIME ZONE 'UTC' + interval '8 hours')::date, shard, size, messages "
    "FROM unnest($1, $2, $3, $4) AS k (meter, shard, size, messages) "
    "ON CONFLICT (meter, day, shard, half_kilobytes) "
    "DO UPDATE SET messages = u.messages + excluded.messages";
constexpr Oid kUsageColumns[] = {kText, kInt8, kInt8, kInt8};

void add_usage(const LedgerEntries& entries, std::span<ByteBuffer> arrays,
               std::vector<ParameterStatement>& out) {
  if (entries.usage.empty()) return;
  begin_arrays(kUsageColumns, entries.usage.size(), arrays);
  for (const auto& entry : entries.usage) {
    add_element(arrays[0], entries.meter);
    add_element(arrays[1], entries.shard);
    add_element(arrays[2], entry.half_kilobytes);
    add_element(arrays[3], entry.messages);
  }
  out.push_back(with_arrays(kUsageSql, kUsageColumns, arrays));
}

constexpr const char* kActiveDeviceSql =
    "INSERT INTO iothub.usage_device (meter, day, device) "
    "SELECT meter, date '1970-01-01' + day::integer, device "
    "FROM unnest($1, $2, $3) AS k (meter, day, device) ON CONFLICT DO NOTHING";
constexpr Oid kActiveDeviceColumns[] = {kText, kInt8, kText};

void add_active_devices(LedgerEntries& entries, std::span<ByteBuffer> arrays,
                        std::vector<ParameterStatement>& out) {
  if (entries.active_devices.empty()) return;
  std::sort(entries.active_devices.begin(), entries.active_devices.end(),
            [](const auto& a, const auto& b) {
              return std::tie(a.day, a.device) < std::tie(b.day, b.device);
            });
  begin_arrays(kActiveDeviceColumns, entries.active_devices.size(), arrays);
  for (const auto& entry : entries.active_devices) {
    add_element(arrays[0], entries.meter);
    add_element(arrays[1], entry.day);
    add_element(arrays[2], entry.device);
  }
  out.push_back(with_arrays(kActiveDeviceSql, kActiveDeviceColumns, arrays));
}

ParameterStatement of_journal(std::string_view writer, const char* sql, ByteBuffer* values,
                              std::vector<Oid> types) {
  ParameterStatement out{fmt::format(fmt::runtime(sql), writer), std::move(types), {}, true};
  for (std::size_t i = 0; i < out.types.size(); ++i) out.values.push_back(values[i].view());
  return out;
}

// Entries, marks and what is forgotten.
constexpr std::size_t kJournalParameters = 3 + 2 + 2;

void add_journal(std::string_view writer, const LedgerEntries& entries, const JournalEntry* skipped,
                 std::span<ByteBuffer> parameters, std::vector<ParameterStatement>& out) {
  ByteBuffer* values = parameters.data();
  const std::size_t rows = entries.journal.size() - (skipped == nullptr ? 0 : 1);
  if (rows > 0) {
    begin_array(values[0], kInt8, rows);
    begin_array(values[1], kInt8, rows);
    begin_array(values[2], kText, rows);
    for (const JournalEntry& entry : entries.journal) {
      if (&entry == skipped) continue;
      add_element(values[0], entry.number);
      add_element(values[1], std::int64_t{entry.booked});
      add_element(values[2], entry.lines);
    }
    out.push_back(
        of_journal(writer,
                   "INSERT INTO iothub.device_journal (hub, shard, number, booked, lines) "
                   "SELECT {}, number, booked <> 0, lines "
                   "FROM unnest($1, $2, $3) AS k (number, booked, lines)",
                   values, {kInt8Array, kInt8Array, kTextArray}));
  }
  values += 3;
  const auto numbers = [&](std::int64_t first, std::int64_t second) {
    values[0].clear();
    values[0].put(first);
    values[1].clear();
    values[1].put(second);
  };
  if (const JournalMark& mark = entries.journal_mark; mark.added_through > 0) {
    numbers(mark.added_through, mark.booked_through);
    out.push_back(of_journal(writer,
                             "INSERT INTO iothub.device_journal_mark (hub, shard, added_through, "
                             "booked_through) VALUES ({}, $1, $2) ON CONFLICT (hub, shard) DO "
                             "UPDATE SET added_through = excluded.added_through, booked_through = "
                             "excluded.booked_through",
                             values, {kInt8, kInt8}));
  }
  values += 2;
  if (const JournalRange& gone = entries.journal_forgotten; !gone.empty()) {
    numbers(gone.after, gone.through);
    out.push_back(
        of_journal(writer, "SELECT iothub.forget_journal({}, $1, $2)", values, {kInt8, kInt8}));
  }
}

}  // namespace

Receipt::Receipt(std::string_view rule, const MessageId& id)
    : message(id), rule_hash(std::hash<std::string_view>{}(rule)) {}

void settle_ledger(Batch& batch) {
  for (LedgerEntries::Rule& entry : batch.ledger.rules) {
    entry.booked = entry.counts;
    entry.booked_rows = entry.rows;
  }
  for (const TargetRows& target : batch.targets()) {
    // What became of keyed rows is known only when they are written.
    if (target.plan->keyed()) continue;
    if (auto* entry = find_rule(batch.ledger, target.plan->target().rule)) {
      entry->booked_rows.rows += static_cast<std::int64_t>(target.outcome.committed);
    }
  }
  for (const auto& refused : batch.refused_messages) {
    if (auto* entry = find_rule(batch.ledger, refused.target->rule)) move_to_dead_letters(*entry);
  }
  settle_devices(batch);
}

std::string ledger_arrays_sql(const Batch& batch) {
  std::string rules;
  std::string numbers;
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    const char* const comma = rules.empty() ? "" : ",";
    rules += comma + quote_literal(entry.rule);
    numbers += comma;
    entry.booked.for_each(
        [&](std::string_view, std::int64_t value) { numbers += std::to_string(value) + ","; });
    numbers += fmt::format("{},{}", entry.booked_rows.rows, entry.booked_rows.duplicates);
  }
  return fmt::format("ARRAY[{}]::text[], '{{{}}}'", rules, numbers);
}

std::string ledger_sql(std::string_view writer, const Batch& batch) {
  if (batch.ledger.rules.empty()) return {};
  return fmt::format("iothub.add_to_ledger({}, {})", writer, ledger_arrays_sql(batch));
}

void ledger_arrays(const Batch& batch, ByteBuffer& rules, ByteBuffer& numbers) {
  constexpr std::size_t kRowColumns = 2;
  std::size_t columns = kRowColumns;
  LedgerCounts{}.for_each([&](std::string_view, std::int64_t) { ++columns; });
  begin_array(rules, kText, batch.ledger.rules.size());
  begin_array(numbers, kInt8, batch.ledger.rules.size() * columns);
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    add_element(rules, entry.rule);
    entry.booked.for_each([&](std::string_view, std::int64_t n) { add_element(numbers, n); });
    add_element(numbers, entry.booked_rows.rows);
    add_element(numbers, entry.booked_rows.duplicates);
  }
}

const JournalEntry* first_added(const LedgerEntries& entries) {
  const bool there = !entries.journal.empty() && !entries.journal.front().booked;
  return there ? &entries.journal.front() : nullptr;
}

void add_device_statements(std::string_view writer, LedgerEntries& entries,
                           const JournalEntry* skipped, std::vector<ByteBuffer>& arrays,
                           std::vector<ParameterStatement>& out) {
  arrays.resize(device_columns().size() + std::size(kSequenceColumns) + std::size(kUsageColumns) +
                std::size(kActiveDeviceColumns) + kJournalParameters);
  std::span<ByteBuffer> left(arrays);
  const auto take = [&left](std::size_t count) {
    const std::span<ByteBuffer> own = left.first(count);
    left = left.subspan(count);
    return own;
  };
  // Devices and sequences each in the order of the key, so that two writers lock rows in the same
  // order; rows of usage have the shard in theirs.
  add_devices(entries, take(device_columns().size()), out);
  add_sequences(entries, take(std::size(kSequenceColumns)), out);
  add_usage(entries, take(std::size(kUsageColumns)), out);
  add_active_devices(entries, take(std::size(kActiveDeviceColumns)), out);
  add_journal(writer, entries, skipped, take(kJournalParameters), out);
}

}  // namespace hub::storage
