#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/storage/writer_harness.h"

namespace hub::storage {

inline const std::vector<Column> kColumns = {make_column("n", ColumnType::int8, "bigint"),
                                             make_column("t", ColumnType::text, "text")};

// One batch of rows 0 … count - 1 for a table `a` that is made so.
class BadRows : public testing::Test {
 protected:
  void make(const std::string& sql) { h.database().query(sql); }
  void write(std::int64_t count, std::int64_t first = 0) {
    for (std::int64_t n = first; n < first + count; ++n) h.append(target, n);
    h.run_until_idle();
  }
  // "<count> <SQLSTATE> <reason> <a message>"
  std::string dead_letters() {
    return h.database().query(
        "SELECT count(*) || ' ' || sqlstate || ' ' || reason || ' ' || min(detail) FROM "
        "iothub.dead_letter GROUP BY sqlstate, reason ORDER BY 1");
  }
  std::uint64_t exchanges() { return h.writer().counters().statements_sent.value(); }

  WriterHarness h;
  RowTargetPtr target = make_target("a", kColumns);
};

}  // namespace hub::storage
