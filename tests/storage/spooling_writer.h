#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "storage/spool.h"
#include "tests/storage/writer_harness.h"
#include "tests/support/temporary_directory.h"

namespace hub::storage {

inline const std::vector<Column> kSpooledColumns = {make_column("n", ColumnType::int8, "bigint"),
                                                    make_column("t", ColumnType::text, "text")};

// A writer that has a spool, and turns to it soon. Table a (n, t) has its rows in the order in
// which they came.
class SpoolingWriter {
 public:
  explicit SpoolingWriter(std::uint64_t size_bytes = std::uint64_t{64} << 20,
                          const WriterHarness::UrlOf& url_of = {});
  ~SpoolingWriter();

  WriterHarness& h() { return *h_; }
  const WriterCounters& counters() { return h_->writer().counters(); }
  [[nodiscard]] const RowTargetPtr& target() const { return target_; }

  // Appends rows from…to-1, each in a batch of its own, and waits until they are acknowledged.
  void write(std::int64_t from, std::int64_t to);
  // Until the database has all that is in the spool.
  void run_until_drained();

  // The values of n in the order in which they were inserted: "0,1,2".
  std::string rows();
  // "0,1,…,count - 1"
  static std::string all_rows(std::int64_t count);

  // The spool's files as they are now, as a kill leaves them.
  void keep_files();
  // Ends the writer and its spool; both come anew, the spool with the files that were kept.
  void restart_with_kept_files();
  void restart();

 private:
  void open_spool();

  test::TemporaryDirectory directory_;
  const std::uint64_t size_bytes_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<WriterHarness> h_;
  RowTargetPtr target_ = make_target("a", kSpooledColumns);
};

}  // namespace hub::storage
