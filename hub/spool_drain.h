#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "hub/config.h"
#include "storage/pg_batch_writer.h"
#include "storage/spool.h"

namespace hub {

// Where the spool of a Config is, whether it is there or not.
[[nodiscard]] std::filesystem::path spool_directory(const Config& config);

// Opens the spool if the Config wants one, or if an earlier run has left one; says in the log what
// was found in it. Throws std::runtime_error with a sentence for a person.
[[nodiscard]] std::unique_ptr<storage::Spool> open_spool(const Config& config);

// Gives the database what earlier runs have left in the spool, of all their shards, and tells how
// it goes. Returns when the database has all of it: waits for a database that goes away meanwhile.
// Throws std::runtime_error when another version of the hub has written it.
//
// Before anything else reads what a spool can change: session states, and iothub.writer, whose rows
// tell which records are in already.
void drain_spool(storage::Spool& spool, const std::string& database_url,
                 const storage::PgWriterOptions& options);

}  // namespace hub
