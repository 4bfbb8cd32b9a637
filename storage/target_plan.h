#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/batch_writer.h"
#include "storage/pg_link.h"
#include "storage/row_encoder.h"

namespace hub::storage {

// What one shard's writer prepares once for a target: the SQL, and how rows become bytes.
class TargetPlan {
 public:
  explicit TargetPlan(RowTargetPtr target);

  [[nodiscard]] const RowTarget& target() const noexcept { return *target_; }
  [[nodiscard]] const RowTargetPtr& target_ptr() const noexcept { return target_; }
  [[nodiscard]] const RowEncoder& encoder() const noexcept { return encoder_; }
  [[nodiscard]] bool keyed() const noexcept { return !target_->key.empty(); }

  // "schema"."table"
  [[nodiscard]] const std::string& table() const noexcept { return table_; }

  // Without a key. The check is an expression for a SELECT list; it fails when a column is no
  // longer of the type that the rows are encoded for.
  // COPY FROM STDIN for so many rows, in the form that costs the server least.
  [[nodiscard]] std::string copy_sql(std::size_t rows) const;
  [[nodiscard]] const std::string& check_sql() const noexcept { return check_sql_; }

  // One statement that inserts the rows (in COPY's form, none of them cut); the way of small
  // batches, and of keys that repeat. `arrays` is scratch for the parameters, which it must
  // outlive.
  [[nodiscard]] ParameterStatement insert(std::string_view rows, std::size_t count,
                                          std::vector<ByteBuffer>& arrays) const;
  // How many new rows the statement's result tells of.
  [[nodiscard]] std::uint64_t inserted(const PGresult* result) const;

  // Whether the next batch goes by COPY, which is several times as fast: as long as no key repeats,
  // and the table can take it. What COPY does not bring costs the batch a second exchange, so after
  // it the next try is put off, for twice as many batches as the time before; half as many once
  // one succeeds.
  [[nodiscard]] bool takes_copy() const noexcept { return copy_put_off_ == 0; }
  void put_copy_off() noexcept {
    copy_put_off_ = next_put_off_;
    if (next_put_off_ < kMaxPutOff) next_put_off_ *= 2;
  }
  void copied() noexcept {
    if (next_put_off_ > kFirstPutOff) next_put_off_ /= 2;
  }
  void inserted_by_array() noexcept {
    if (copy_put_off_ > 0) --copy_put_off_;
  }

  // True while the table cannot be written: see CommitListener::on_target_fault.
  bool faulted = false;

  // Where the rows of this target are in the batch with that serial number.
  std::uint64_t batch_serial = 0;
  std::size_t batch_slot = 0;

 private:
  static constexpr unsigned kFirstPutOff = 4;
  static constexpr unsigned kMaxPutOff = 1024;

  [[nodiscard]] std::string make_insert_sql() const;

  RowTargetPtr target_;
  RowEncoder encoder_;
  std::string table_;
  std::string copy_sql_;
  std::string check_sql_;
  std::string insert_sql_;
  std::vector<Oid> array_types_;
  unsigned copy_put_off_ = 0;  // batches
  unsigned next_put_off_ = kFirstPutOff;
};

// The length in bytes of the row that begins at `row`, in COPY's form.
[[nodiscard]] std::size_t row_bytes(const char* row) noexcept;

}  // namespace hub::storage
