#include "storage/spool_record.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

namespace hub::storage {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kTargetsKept = 1'000;

// Numbers in network byte order, texts behind their length. In this order: version; messages;
// targets with their rows; dead letters; sessions, as session_row.h has them; ledger.
class RecordWriter {
 public:
  template <class Integer>
  void number(Integer value) {
    char bytes[sizeof value];
    ByteBuffer::store(bytes, value);
    out_.append(bytes, sizeof bytes);
  }
  void count(std::size_t value) { number(static_cast<std::uint64_t>(value)); }
  void text(std::string_view value) {
    count(value.size());
    out_.append(value);
  }
  void counts(const LedgerCounts& counts) {
    counts.for_each([this](std::string_view, std::int64_t value) { number(value); });
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// After a failure everything read is zero or empty.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : left_(bytes) {}

  template <class Integer>
  Integer number() {
    if (left_.size() < sizeof(Integer)) fail();
    if (failed_) return {};
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      value = value << 8 | static_cast<unsigned char>(left_[i]);
    }
    left_.remove_prefix(sizeof(Integer));
    return static_cast<Integer>(value);
  }
  // Of things that take `each` bytes at least.
  std::size_t count(std::size_t each) {
    const auto value = number<std::uint64_t>();
    if (value > left_.size() / each) fail();
    return failed_ ? 0 : static_cast<std::size_t>(value);
  }
  std::string_view text() {
    const std::size_t bytes = count(1);
    const std::string_view out = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return out;
  }
  void field() {  // of a row in COPY's form
    const auto bytes = number<std::int32_t>();
    if (bytes < -1 || (bytes > 0 && static_cast<std::size_t>(bytes) > left_.size())) fail();
    if (!failed_ && bytes > 0) left_.remove_prefix(static_cast<std::size_t>(bytes));
  }
  // Of messages or rows: what several records have can be added up.
  std::int64_t amount() {
    constexpr std::int64_t kMost = std::int64_t{1} << 40;
    const auto value = number<std::int64_t>();
    if (value < -kMost || value > kMost) fail();
    return failed_ ? 0 : value;
  }
  LedgerCounts counts() {
    LedgerCounts out;
#define HUB_COUNT(name) out.name = amount();
    HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
    return out;
  }
  void fail() {
    failed_ = true;
    left_ = {};
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool done() const { return !failed_ && left_.empty(); }

 private:
  std::string_view left_;
  bool failed_ = false;
};

std::string write_target(const RowTarget& target) {
  RecordWriter out;
  out.text(target.rule);
  out.text(target.action);
  out.text(target.schema);
  out.text(target.table);
  out.number(static_cast<std::uint8_t>(target.on_conflict));
  out.count(target.key.size());
  for (const std::string& name : target.key) out.text(name);
  out.count(target.columns.size());
  for (const Column& column : target.columns) {
    out.text(column.name);
    out.number(static_cast<std::uint8_t>(column.type));
    out.text(column.type_name);
    out.number(column.max_characters);
    out.number(column.numeric_precision);
    out.number(column.numeric_scale);
    out.number(static_cast<std::uint8_t>((column.not_null ? 1 : 0) + (column.has_default ? 2 : 0)));
  }
  return out.take();
}

RowTargetPtr read_target(std::string_view text) {
  RecordReader in(text);
  auto target = std::make_shared<RowTarget>();
  target->rule = in.text();
  target->action = in.text();
  target->schema = in.text();
  target->table = in.text();
  target->on_conflict = static_cast<OnConflict>(in.number<std::uint8_t>());
  for (std::size_t left = in.count(8); left > 0; --left) target->key.emplace_back(in.text());
  for (std::size_t left = in.count(8); left > 0; --left) {
    Column& column = target->columns.emplace_back();
    column.name = in.text();
    column.type = static_cast<ColumnType>(in.number<std::uint8_t>());
    column.type_name = in.text();
    column.max_characters = in.number<std::uint32_t>();
    column.numeric_precision = in.number<std::uint16_t>();
    column.numeric_scale = in.number<std::uint16_t>();
    const auto flags = in.number<std::uint8_t>();
    column.not_null = (flags & 1) != 0;
    column.has_default = (flags & 2) != 0;
    if (column.type > ColumnType::other) in.fail();
  }
  if (!in.done() || target->on_conflict > OnConflict::update) return nullptr;
  return target;
}

// Whether that is so many rows in COPY's form, of so many fields each.
bool are_rows(std::string_view rows, std::size_t count, std::size_t fields) {
  RecordReader in(rows);
  for (; count > 0 && !in.failed(); --count) {
    if (in.number<std::uint16_t>() != fields) in.fail();
    for (std::size_t left = fields; left > 0 && !in.failed(); --left) in.field();
  }
  return in.done();
}

// What is added to the ledger has to be added here, too.
static_assert(sizeof(LedgerEntries) == 6 * sizeof(std::vector<int>) + sizeof(JournalMark) +
                                           sizeof(JournalRange) + sizeof(std::string) +
                                           sizeof(std::int64_t));

void write_ledger(const LedgerEntries& ledger, RecordWriter& out) {
  out.count(ledger.rules.size());
  for (const auto& entry : ledger.rules) {
    out.text(entry.rule);
    out.counts(entry.counts);
    out.number(entry.rows.rows);
    out.number(entry.rows.duplicates);
  }
  out.count(ledger.devices.size());
  for (const auto& entry : ledger.devices) {
    out.text(entry.rule);
    out.text(entry.device);
    out.counts(entry.counts);
  }
  out.count(ledger.sequences.size());
  for (const auto& entry : ledger.sequences) {
    out.text(entry.rule);
    out.text(entry.device);
    out.text(entry.seen);
    out.number(entry.given_up);
  }
  out.count(ledger.journal.size());
  for (const JournalEntry& entry : ledger.journal) {
    out.number(entry.number);
    out.number(static_cast<std::uint8_t>(entry.booked));
    out.text(entry.lines);
  }
  out.number(ledger.journal_mark.added_through);
  out.number(ledger.journal_mark.booked_through);
  out.number(ledger.journal_forgotten.after);
  out.number(ledger.journal_forgotten.through);
  out.text(ledger.meter);
  out.number(ledger.shard);
  out.count(ledger.usage.size());
  for (const auto& entry : ledger.usage) {
    out.number(entry.half_kilobytes);
    out.number(entry.messages);
  }
  out.count(ledger.active_devices.size());
  for (const auto& entry : ledger.active_devices) {
    out.number(entry.day);
    out.text(entry.device);
  }
}

// One transaction names each row of the ledger once: what is there already is added to.
void add_rule(LedgerEntries::Rule entry, LedgerEntries& ledger) {
  const auto known = std::find_if(ledger.rules.begin(), ledger.rules.end(),
                                  [&](const auto& each) { return each.rule == entry.rule; });
  if (known == ledger.rules.end()) {
    ledger.rules.push_back(std::move(entry));
    return;
  }
  known->counts += entry.counts;
  known->rows.rows += entry.rows.rows;
  known->rows.duplicates += entry.rows.duplicates;
}

template <class Entry, class Join>
void join_equal(std::vector<Entry>& entries, Join join) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.rule, a.device) < std::tie(b.rule, b.device);
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].rule == entries[kept].rule && entries[i].device == entries[kept].device) {
      join(entries[kept], entries[i]);
    } else if (++kept != i) {
      entries[kept] = std::move(entries[i]);
    }
  }
  if (!entries.empty()) entries.resize(kept + 1);
}

// "{[1,3)}" and "{[2,5)}" is "{[1,3),[2,5)}": PostgreSQL joins them.
std::string joined_ranges(const std::string& a, const std::string& b) {
  if (a.size() <= 2) return b;
  if (b.size() <= 2) return a;
  return a.substr(0, a.size() - 1) + "," + b.substr(1);
}

void read_ledger(RecordReader& in, LedgerEntries& ledger) {
  for (std::size_t left = in.count(8); left > 0; --left) {
    LedgerEntries::Rule entry{std::string(in.text()), in.counts(), {}, {}, {}};
    entry.rows.rows = in.amount();
    entry.rows.duplicates = in.amount();
    ledger.rules.push_back(std::move(entry));
  }
  for (std::size_t left = in.count(16); left > 0; --left) {
    const std::string rule(in.text());
    const std::string device(in.text());
    ledger.devices.push_back({rule, device, in.counts()});
  }
  for (std::size_t left = in.count(24); left > 0; --left) {
    const std::string rule(in.text());
    const std::string device(in.text());
    const std::string seen(in.text());
    const auto given_up = in.number<std::int64_t>();
    if (given_up < 0) in.fail();
    ledger.sequences.push_back({rule, device, seen, given_up});
  }
  for (std::size_t left = in.count(17); left > 0; --left) {
    const auto number = in.number<std::int64_t>();
    const bool booked = in.number<std::uint8_t>() != 0;
    ledger.journal.push_back({number, booked, std::string(in.text())});
  }
  ledger.journal_mark.added_through = in.number<std::int64_t>();
  ledger.journal_mark.booked_through = in.number<std::int64_t>();
  ledger.journal_forgotten.after = in.number<std::int64_t>();
  ledger.journal_forgotten.through = in.number<std::int64_t>();
  ledger.meter = in.text();
  ledger.shard = in.number<std::int64_t>();
  for (std::size_t left = in.count(16); left > 0; --left) {
    const auto half_kilobytes = in.number<std::int64_t>();
    ledger.usage.push_back({half_kilobytes, in.amount()});
  }
  for (std::size_t left = in.count(16); left > 0; --left) {
    const auto day = in.number<std::int64_t>();
    ledger.active_devices.push_back({day, std::string(in.text())});
  }
}

// Of one writer, so of one meter.
void add_usage(const LedgerEntries& from, LedgerEntries& to) {
  if (from.usage.empty() && from.active_devices.empty()) return;
  to.meter = from.meter;
  to.shard = from.shard;
  for (const auto& entry : from.usage) {
    const auto known = std::find_if(to.usage.begin(), to.usage.end(), [&](const auto& each) {
      return each.half_kilobytes == entry.half_kilobytes;
    });
    if (known == to.usage.end()) {
      to.usage.push_back(entry);
    } else {
      known->messages += entry.messages;
    }
  }
  to.active_devices.insert(to.active_devices.end(), from.active_devices.begin(),
                           from.active_devices.end());
}

// Of one writer, in the order of its batches.
void add_journal(const LedgerEntries& from, LedgerEntries& to) {
  to.journal.insert(to.journal.end(), from.journal.begin(), from.journal.end());
  if (from.journal_mark.added_through > 0) to.journal_mark = from.journal_mark;
  if (from.journal_forgotten.empty()) return;
  if (to.journal_forgotten.empty()) to.journal_forgotten.after = from.journal_forgotten.after;
  to.journal_forgotten.through = from.journal_forgotten.through;
}

void add_ledger(const LedgerEntries& from, LedgerEntries& to) {
  for (const auto& entry : from.rules) add_rule(entry, to);
  add_usage(from, to);
  add_journal(from, to);
  const bool joins = !(from.devices.empty() && from.sequences.empty()) &&
                     !(to.devices.empty() && to.sequences.empty());
  to.devices.insert(to.devices.end(), from.devices.begin(), from.devices.end());
  to.sequences.insert(to.sequences.end(), from.sequences.begin(), from.sequences.end());
  if (!joins) return;
  join_equal(to.devices, [](auto& a, const auto& b) { a.counts += b.counts; });
  join_equal(to.sequences, [](auto& a, const auto& b) {
    a.seen = joined_ranges(a.seen, b.seen);
    a.given_up += std::min(b.given_up, std::numeric_limits<std::int64_t>::max() - a.given_up);
  });
}

// All of a record, before any of it is used. Borrows from it.
struct Parsed {
  struct Target {
    RowTargetPtr target;
    std::string_view rows;
    std::vector<std::uint32_t> messages;
  };
  std::string_view messages;
  std::vector<Target> targets;
  std::size_t dead_letters = 0;
  std::string_view dead_letter_rows;
  std::vector<Receipt> failed_by_rule;
  std::vector<SessionChanges::Change> session_changes;
  LedgerEntries ledger;
  bool valid = false;

  Parsed(std::string_view record, SpoolTargets& known) {
    RecordReader in(record);
    messages = in.text();
    const std::size_t message_count = KeptMessages::count_all(messages);
    bool sound = true;
    for (std::size_t left = in.count(24); left > 0; --left) {
      Target& part = targets.emplace_back();
      part.target = known.find(in.text());
      part.rows = in.text();
      for (std::size_t rows = in.count(sizeof(std::uint32_t)); rows > 0; --rows) {
        part.messages.push_back(in.number<std::uint32_t>());
        sound = sound && part.messages.back() < message_count;
      }
      sound = sound && part.target &&
              are_rows(part.rows, part.messages.size(), part.target->columns.size());
    }
    dead_letters = static_cast<std::size_t>(in.number<std::uint64_t>());
    dead_letter_rows = in.text();
    sound = sound && are_rows(dead_letter_rows, dead_letters, DeadLetters::kFields);
    for (std::size_t left = in.count(24); left > 0; --left) {
      Receipt& receipt = failed_by_rule.emplace_back();
      receipt.message.high = in.number<std::uint64_t>();
      receipt.message.low = in.number<std::uint64_t>();
      receipt.rule_hash = in.number<std::uint64_t>();
    }
    for (std::size_t left = in.count(16); left > 0; --left) {
      const std::string_view client_id = in.text();
      session_changes.push_back({client_id, in.text()});
    }
    read_ledger(in, ledger);
    valid = sound && in.done();
  }
};

}  // namespace

const std::string& SpoolTargets::text_of(const RowTargetPtr& target) {
  const auto known = texts_.find(target.get());
  if (known != texts_.end() && targets_.find(*known->second)->second == target) {
    return *known->second;
  }
  if (std::max(targets_.size(), texts_.size()) >= kTargetsKept) {
    texts_.clear();
    targets_.clear();
  }
  const auto entry = targets_.insert_or_assign(write_target(*target), target).first;
  texts_[target.get()] = &entry->first;
  return entry->first;
}

RowTargetPtr SpoolTargets::find(std::string_view text) {
  const auto known = targets_.find(text);
  if (known != targets_.end()) return known->second;
  RowTargetPtr target = read_target(text);
  if (target) (void)text_of(target);
  return target;
}

std::string write_spool_record(const Batch& batch, SpoolTargets& targets) {
  RecordWriter out;
  out.number(kVersion);
  out.text(batch.messages.all());
  const auto used = batch.targets();
  out.count(used.size());
  for (const TargetRows& target : used) {
    out.text(targets.text_of(target.plan->target_ptr()));
    out.text(target.rows.view());
    out.count(target.messages.size());
    for (const std::uint32_t message : target.messages) out.number(message);
  }
  out.count(batch.dead_letters.count());
  out.text(batch.dead_letters.rows().view());
  out.count(batch.failed_by_rule.size());
  for (const Receipt& receipt : batch.failed_by_rule) {
    out.number(receipt.message.high);
    out.number(receipt.message.low);
    out.number(receipt.rule_hash);
  }
  out.count(batch.session_changes.count());
  for (std::size_t i = 0; i < batch.session_changes.count(); ++i) {
    const SessionChanges::Change change = batch.session_changes[i];
    out.text(change.client_id);
    out.text(change.row);
  }
  write_ledger(batch.ledger, out);
  return out.take();
}

std::uint64_t spooled_messages(const Batch& batch) {
  return batch.messages.count() + batch.dead_letters.count();
}

SpoolRecordProblem check_spool_record(std::string_view record) {
  if (record.empty()) return SpoolRecordProblem::malformed;
  const bool ours = static_cast<std::uint8_t>(record[0]) == kVersion;
  return ours ? SpoolRecordProblem::none : SpoolRecordProblem::other_version;
}

SpoolRecordProblem add_spool_record(std::string_view record, SpoolTargets& targets,
                                    const std::function<TargetPlan&(const RowTargetPtr&)>& plan_of,
                                    Batch& batch) {
  if (const auto problem = check_spool_record(record); problem != SpoolRecordProblem::none) {
    return problem;
  }
  const Parsed parsed(record.substr(1), targets);
  const auto first_message = static_cast<std::uint32_t>(batch.messages.count());
  if (!parsed.valid || !batch.messages.add_all(parsed.messages)) {
    return SpoolRecordProblem::malformed;
  }
  for (const Parsed::Target& part : parsed.targets) {
    TargetRows& to = batch.rows_of(plan_of(part.target));
    to.rows.append(part.rows);
    for (const std::uint32_t message : part.messages) {
      to.messages.push_back(first_message + message);
    }
    batch.rows_added(part.messages.size(), part.rows.size());
  }
  batch.dead_letters.add_rows(parsed.dead_letter_rows, parsed.dead_letters);
  batch.failed_by_rule.insert(batch.failed_by_rule.end(), parsed.failed_by_rule.begin(),
                              parsed.failed_by_rule.end());
  for (const SessionChanges::Change& change : parsed.session_changes) {
    batch.session_changes.add(change);
  }
  add_ledger(parsed.ledger, batch.ledger);
  return SpoolRecordProblem::none;
}

}  // namespace hub::storage
