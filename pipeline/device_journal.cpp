#include "pipeline/device_journal.h"

#include <fmt/format.h>

#include "storage/json_text.h"

namespace hub {
namespace {

void append_number(std::int64_t number, storage::ByteBuffer& out) {
  const fmt::format_int text(number);
  out.append({text.data(), text.size()});
}

// Those up to the last that is not 0, or all.
void append_counts(const storage::LedgerCounts& counts, bool all, storage::ByteBuffer& out) {
  std::size_t zeros = 0;
  counts.for_each([&](std::string_view, std::int64_t value) {
    if (value == 0 && !all) {
      ++zeros;
      return;
    }
    for (; zeros > 0; --zeros) out.append(",0");
    out.append(",");
    append_number(value, out);
  });
}

}  // namespace

storage::ByteBuffer& DeviceJournal::begin_line(std::size_t rule, std::string_view device) {
  if (rule >= lines_.size()) lines_.resize(rule + 1);
  storage::ByteBuffer& out = lines_[rule];
  out.append(out.empty() ? "[" : ",[");
  storage::append_json_string(device, out);
  return out;
}

void DeviceJournal::add(std::size_t rule, std::string_view device, const DeviceNumbers& numbers) {
  storage::ByteBuffer& out = begin_line(rule, device);
  append_counts(numbers.counts, !numbers.seen.empty(), out);
  if (!numbers.seen.empty()) {
    out.append(",\"");
    out.append(numbers.seen.to_string());
    out.append("\"");
    if (numbers.seen.given_up() != 0) {
      out.append(",");
      append_number(numbers.seen.given_up(), out);
    }
  }
  out.append("]");
}

void DeviceJournal::take_away(std::size_t rule, std::string_view device,
                              const storage::LedgerCounts& counts) {
  storage::LedgerCounts negative;
  negative -= counts;
  storage::ByteBuffer& out = begin_line(rule, device);
  append_counts(negative, false, out);
  out.append("]");
}

std::string DeviceJournal::take(const std::function<std::string_view(std::size_t rule)>& name_of) {
  entry_.clear();
  for (std::size_t rule = 0; rule < lines_.size(); ++rule) {
    if (lines_[rule].empty()) continue;
    entry_.append(entry_.empty() ? "{" : ",");
    storage::append_json_string(name_of(rule), entry_);
    entry_.append(":[");
    entry_.append(lines_[rule].view());
    entry_.append("]");
    lines_[rule].clear();
  }
  if (entry_.empty()) return {};
  entry_.append("}");
  return std::string(entry_.view());
}

}  // namespace hub
