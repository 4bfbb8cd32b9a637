#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/batch.h"
#include "storage/pg_link.h"

namespace hub::storage {

// Sets what each rule's entry of the batch books, given the outcome of the batch's targets.
void settle_ledger(Batch& batch);

// The rules' entries as two arguments: the rules, and their numbers in the order of
// iothub.add_to_ledger().
[[nodiscard]] std::string ledger_arrays_sql(const Batch& batch);
// The same as two parameters in binary form.
void ledger_arrays(const Batch& batch, ByteBuffer& rules, ByteBuffer& numbers);

// An expression for a SELECT list that books the rules' entries; empty when there is none.
// writer: the arguments that name it, "'hub', shard".
[[nodiscard]] std::string ledger_sql(std::string_view writer, const Batch& batch);

// The journal's entry that iothub.book_batch() takes; null when there is none.
[[nodiscard]] const JournalEntry* first_added(const LedgerEntries& entries);

// Appends the statements, seven at most, that book the devices' entries and the usage, and the
// journal's; `skipped` is in the journal already, or null. `arrays` is scratch for their
// parameters, which it must outlive. Sorts the entries.
void add_device_statements(std::string_view writer, LedgerEntries& entries,
                           const JournalEntry* skipped, std::vector<ByteBuffer>& arrays,
                           std::vector<ParameterStatement>& out);

}  // namespace hub::storage
