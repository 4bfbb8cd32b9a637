#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

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
#define HUB_WRITER_COUNTERS(X)                                                                  \
  X(batches)    /* committed transactions */                                                    \
  X(rows)       /* new ones */                                                                  \
  X(row_bytes)  /* of the committed batches, encoded */                                         \
  X(duplicates) /* absorbed by a key */                                                         \
  X(session_states)                                                                             \
  X(acknowledgements)                                                                           \
  X(dead_letters_by_rule)        /* given by append_dead_letter() */                            \
  X(dead_letters_row_refused)    /* the database refused the row: constraint, trigger, value */ \
  X(dead_letters_table_unusable) /* the table could not be written at all */                    \
  X(statements_sent)             /* queries and pipelines, each at least one round trip */      \
  X(batch_retries)               /* a whole batch sent again */                                 \
  X(batches_split)               /* had to be searched for a bad row */                         \
  X(connections)                 /* made, the first one included */                             \
  X(connection_failures)                                                                        \
  X(commits_in_doubt)  /* the link broke with a batch under way */                              \
  X(commits_confirmed) /* … and that batch proved to be committed: not sent again */            \
  X(answer_timeouts)   /* the database did not answer, the link was dropped */                  \
  X(spooled_batches)   /* acknowledged from the spool, as the database was away */              \
  X(spooled_bytes)                                                                              \
  X(spool_records_drained) /* committed, and gone from the spool */                             \
  X(spool_records_lost)    /* not to be read any more */

struct WriterCounters {
#define HUB_COUNTER(name) Counter name;
  HUB_WRITER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER

  // Calls f(name, value) for each, in the order above.
  template <class F>
  void for_each(F f) const {
#define HUB_COUNTER(name) f(std::string_view(#name), name.value());
    HUB_WRITER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
  }
};

}  // namespace hub::storage
