#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/batch.h"
#include "storage/pg_link.h"

namespace hub::storage {

// What ends each batch: iothub.book_batch(), which sets the writer's mark, adds to the ledger, and
// puts the first entry of the devices' journal in its table.
// Remembers where the rows were left that it changes; a place that is wrong costs a search, no
// more.
class Booking {
 public:
  // writer: the arguments that name it, "'hub', shard". tag: a comment to begin statements with.
  Booking(std::string writer, std::string tag);

  // This link's number in the writer's row. Nothing is known of the places.
  void claimed(std::uint64_t link);

  // An expression for a SELECT list. Its result is for learn().
  [[nodiscard]] std::string sql(const Batch& batch) const;
  // The same as a statement of its own. What it borrows lasts until the next call.
  [[nodiscard]] ParameterStatement statement(const Batch& batch);

  // Only the mark, as an expression; it is somewhere else then: forget_places() once committed.
  [[nodiscard]] std::string mark_sql(const Batch& batch) const;

  // The batch has committed; `result` has the new places in its first column.
  void learn(const Batch& batch, const PGresult* result);
  void forget_places();

 private:
  // A row version: a tid.
  struct Place {
    std::uint32_t page;
    std::uint16_t item;
  };

  // Calls f with the place of the mark, then of each rule's row; null when it is not known.
  template <class F>
  void for_each_place(const Batch& batch, F f) const;

  std::string writer_;
  std::string tag_;
  std::uint64_t link_ = 0;
  std::optional<Place> mark_;
  std::unordered_map<std::string, Place> rules_;
  std::vector<ByteBuffer> values_;  // of the statement's parameters
};

}  // namespace hub::storage
