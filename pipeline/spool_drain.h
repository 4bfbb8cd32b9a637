#pragma once

#include <string>

#include "storage/pg_batch_writer.h"
#include "storage/spool.h"

namespace hub {

// Gives the database what earlier runs have left in the spool, of all their shards, and tells how
// it goes. Returns when the database has all of it: waits for a database that goes away meanwhile.
// Throws std::runtime_error when another version of the hub has written it.
//
// Before anything else reads what a spool can change: sessions, and iothub.writer, whose rows
// tell which records are in already.
void drain_spool(storage::Spool& spool, const std::string& database_url,
                 const storage::PgWriterOptions& options);

}  // namespace hub
