#pragma once

#include <atomic>
#include <cstdint>

namespace hub::storage {

// A number that one thread raises and any thread reads.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// What one writer did since it was made. Raised by its shard, read by metrics on any thread.
struct WriterCounters {
  Counter batches;     // committed transactions
  Counter rows;        // new ones
  Counter row_bytes;   // of the committed batches, encoded
  Counter duplicates;  // absorbed by a key
  Counter session_states;
  Counter acknowledgements;

  Counter dead_letters_by_rule;         // given by append_dead_letter()
  Counter dead_letters_row_refused;     // the database refused the row: constraint, trigger, value
  Counter dead_letters_table_unusable;  // the table could not be written at all

  Counter statements_sent;  // queries and pipelines, each at least one round trip
  Counter batch_retries;    // a whole batch sent again
  Counter batches_split;    // had to be searched for a bad row
  Counter connections;      // made, the first one included
  Counter connection_failures;
  Counter commits_in_doubt;   // the link broke with a batch under way
  Counter commits_confirmed;  // … and that batch proved to be committed: not sent again
  Counter answer_timeouts;    // the database did not answer, the link was dropped
};

}  // namespace hub::storage
