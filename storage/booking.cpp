#include "storage/booking.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

#include "storage/array_parameter.h"
#include "storage/ledger_sql.h"
#include "storage/sql_text.h"

namespace hub::storage {
namespace {

constexpr Oid kTid = 27;
constexpr Oid kTidArray = 1010;
constexpr std::int32_t kTidBytes = 6;

// The next number in a text such as {"(0,1)","(12,7)"}, which is cut after it.
template <class Number>
bool read_number(std::string_view& text, Number& out) {
  const std::size_t at = text.find_first_of("0123456789");
  if (at == std::string_view::npos) return false;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + at, end, out);
  text = {read.ptr, static_cast<std::size_t>(end - read.ptr)};
  return read.ec == std::errc();
}

}  // namespace

Booking::Booking(std::string writer, std::string tag)
    : writer_(std::move(writer)), tag_(std::move(tag)) {}

void Booking::claimed(std::uint64_t link) {
  link_ = link;
  forget_places();
}

template <class F>
void Booking::for_each_place(const Batch& batch, F f) const {
  f(mark_ ? &*mark_ : nullptr);
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    const auto known = rules_.find(entry.rule);
    f(known == rules_.end() ? nullptr : &known->second);
  }
}

std::string Booking::sql(const Batch& batch) const {
  std::string pages;
  std::string places;
  for_each_place(batch, [&](const Place* place) {
    const char* const comma = pages.empty() ? "" : ",";
    if (place == nullptr) {
      pages += fmt::format("{}NULL", comma);
      places += fmt::format("{}NULL", comma);
    } else {
      pages += fmt::format("{}\"({},0)\"", comma, place->page);
      places += fmt::format("{}\"({},{})\"", comma, place->page, place->item);
    }
  });
  std::string journal;
  if (const JournalEntry* const entry = first_added(batch.ledger)) {
    journal = fmt::format(", {}, {}", entry->number, quote_literal(entry->lines));
  }
  return fmt::format("iothub.book_batch({}, {}, {}, {}, '{{{}}}', '{{{}}}'{})", writer_, link_,
                     batch.number, ledger_arrays_sql(batch), pages, places, journal);
}

ParameterStatement Booking::statement(const Batch& batch) {
  enum : std::size_t { link, number, rules, counts, pages, places, entry, lines, kValues };
  values_.resize(kValues);
  values_[link].clear();
  values_[link].put(link_);
  values_[number].clear();
  values_[number].put(batch.number);
  ledger_arrays(batch, values_[rules], values_[counts]);
  const std::size_t rows = 1 + batch.ledger.rules.size();
  begin_array(values_[pages], kTid, rows, /*nulls=*/true);
  begin_array(values_[places], kTid, rows, /*nulls=*/true);
  for_each_place(batch, [&](const Place* place) {
    for (const auto array : {pages, places}) {
      if (place == nullptr) {
        add_null(values_[array]);
        continue;
      }
      values_[array].put(kTidBytes);
      values_[array].put(place->page);
      values_[array].put(array == pages ? std::uint16_t{0} : place->item);
    }
  });
  const JournalEntry* const journal = first_added(batch.ledger);
  values_[entry].clear();
  values_[entry].put(journal == nullptr ? std::int64_t{0} : journal->number);
  values_[lines].clear();
  if (journal != nullptr) values_[lines].append(journal->lines);
  ParameterStatement out{
      fmt::format("{}SELECT iothub.book_batch({}, $1, $2, $3, $4, $5, $6, $7, $8)", tag_, writer_),
      {kInt8, kInt8, kTextArray, kInt8Array, kTidArray, kTidArray, kInt8, kText},
      {},
      /*recurs=*/true};
  for (const ByteBuffer& value : values_) out.values.push_back(value.view());
  return out;
}

std::string Booking::mark_sql(const Batch& batch) const {
  return fmt::format("iothub.mark_batch({}, {}, {})", writer_, link_, batch.number);
}

void Booking::learn(const Batch& batch, const PGresult* result) {
  std::string_view text = PQgetvalue(result, 0, 0);
  const auto next = [&text]() -> std::optional<Place> {
    Place out{};
    if (!read_number(text, out.page) || !read_number(text, out.item)) return std::nullopt;
    return out;
  };
  mark_ = next();
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    if (const auto place = next()) rules_.insert_or_assign(entry.rule, *place);
  }
}

void Booking::forget_places() {
  mark_.reset();
  rules_.clear();
}

}  // namespace hub::storage
