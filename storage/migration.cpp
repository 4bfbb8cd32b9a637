#include "storage/migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>

#include "storage/bounded_connection.h"
#include "storage/pg_handles.h"
#include "storage/sql_text.h"

namespace hub::storage {
namespace {

// A migration may rewrite a large table.
constexpr std::chrono::minutes kMigrating{10};

bool has_migration_table(pqxx::transaction_base& transaction) {
  return !transaction.exec("SELECT WHERE to_regclass('iothub.migration') IS NOT NULL").empty();
}

struct Applied {
  std::string name;
  std::string checksum;
  std::string applied_at;
};

// Another encoding lacks characters that a client id may have; no batch with one could be written.
void require_utf8(pqxx::transaction_base& transaction) {
  const std::string encoding = transaction.exec("SHOW server_encoding")[0][0].c_str();
  if (encoding == "UTF8") return;
  throw std::runtime_error(
      fmt::format("the database has the encoding {}, and the hub needs UTF8; make one with: "
                  "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
                  encoding));
}

std::map<int, Applied> applied_migrations(pqxx::transaction_base& transaction) {
  require_utf8(transaction);
  std::map<int, Applied> out;
  if (!has_migration_table(transaction)) return out;
  for (const auto& row : transaction.exec("SELECT number, name, checksum, date_trunc('second', "
                                          "applied_at) FROM iothub.migration")) {
    out[row[0].as<int>()] = {row[1].c_str(), row[2].c_str(), row[3].c_str()};
  }
  return out;
}

std::string changed_sentence(std::string_view name) {
  return fmt::format("migration {} has changed since it was applied to this database", name);
}

std::string record_sql(const Migration& migration) {
  return fmt::format("INSERT INTO iothub.migration (number, name, checksum) VALUES ({}, {}, {})",
                     migration.number, quote_literal(migration.name),
                     quote_literal(migration.checksum));
}

// Begins each migration's transaction. Serialises the hubs and administrators that initialise one
// database. Nothing lasts longer than the transaction: behind a pooler, the session is not ours.
constexpr std::string_view kQuiet = "SET LOCAL client_min_messages = warning";
constexpr std::string_view kLock =
    "SELECT pg_advisory_xact_lock(hashtext('iothub.migration')) AS locked";

// The URL as a person would pass it again, without its password; quoted for a shell.
std::string url_for_a_command(const std::string& url) {
  std::string shown = url;
  const std::size_t authority = url.find("://");
  const std::size_t at = authority == std::string::npos ? authority : url.find('@', authority);
  const std::size_t colon =
      at == std::string::npos ? at : url.find(':', authority + std::string_view("://").size());
  if (colon != std::string::npos && colon < at) shown.erase(colon, at - colon);
  const std::size_t word = shown.find("password=");
  if (word != std::string::npos) {
    shown.erase(word, std::min(shown.find_first_of(" &", word), shown.size()) - word);
  }
  return "'" + shown + "'";
}

}  // namespace

std::vector<MigrationStatus> migration_status(const std::string& url, const Patience& patience) {
  BoundedConnection database(url, patience);
  return database.run([&](pqxx::connection& connection) {
    pqxx::nontransaction statements(connection);
    auto applied = applied_migrations(statements);
    std::vector<MigrationStatus> out;
    for (const Migration& migration : migrations()) {
      MigrationStatus status{migration.number, std::string(migration.name), std::nullopt, ""};
      if (const auto found = applied.extract(migration.number)) {
        status.applied_at = found.mapped().applied_at;
        if (found.mapped().checksum != migration.checksum) {
          status.problem = "changed since it was applied";
        }
      }
      out.push_back(std::move(status));
    }
    for (const auto& [number, entry] : applied) {
      out.push_back({number, entry.name, entry.applied_at, "unknown to this program"});
    }
    return out;
  });
}

std::vector<std::string> apply_migrations(const std::string& url) {
  BoundedConnection database(url, {.answer = kMigrating});
  std::vector<std::string> done;
  for (const Migration& migration : migrations()) {
    database.run([&](pqxx::connection& connection) {
      pqxx::work transaction(connection);
      transaction.exec(std::string(kQuiet));
      transaction.exec(std::string(kLock));
      const auto applied = applied_migrations(transaction);
      if (const auto found = applied.find(migration.number); found != applied.end()) {
        if (found->second.checksum != migration.checksum) {
          throw std::runtime_error(changed_sentence(migration.name));
        }
        return;
      }
      try {
        transaction.exec(std::string(migration.sql));
      } catch (const pqxx::sql_error& error) {
        throw std::runtime_error(
            fmt::format("migration {} failed: {}", migration.name, one_line(error.what())));
      }
      transaction.exec(record_sql(migration));
      transaction.commit();
      done.emplace_back(migration.name);
    });
  }
  return done;
}

std::string initialisation_script() {
  std::string out =
      "-- Initialises a database for the hub, or brings it up to date; may be run again. Run as:\n"
      "--   psql --no-psqlrc -v ON_ERROR_STOP=1 -f <this file> <database>\n"
      "\nDO $check$\nBEGIN\n  IF current_setting('server_encoding') <> 'UTF8' THEN\n"
      "    RAISE EXCEPTION 'the hub needs a database with the encoding UTF8';\n  END IF;\n"
      "END\n$check$;\n";
  for (const Migration& migration : migrations()) {
    const std::string needed =
        migration.number == 1
            ? std::string("to_regclass('iothub.migration') IS NULL")
            : fmt::format("NOT EXISTS (SELECT FROM iothub.migration WHERE number = {})",
                          migration.number);
    fmt::format_to(
        std::back_inserter(out),
        "\nBEGIN;\n{6};\n{7} \\gset\nSELECT {8} AS needed \\gset\n"
        "\\if :needed\n\\echo applying {0}\n{1}\n{2};\n\\else\n"
        "DO $check$\nBEGIN\n  IF NOT EXISTS (SELECT FROM iothub.migration WHERE number = {3} AND "
        "checksum = {4}) THEN\n    RAISE EXCEPTION {5};\n  END "
        "IF;\nEND\n$check$;\n\\endif\nCOMMIT;\n",
        migration.name, migration.sql, record_sql(migration), migration.number,
        quote_literal(migration.checksum), quote_literal(changed_sentence(migration.name)), kQuiet,
        kLock, needed);
  }
  out += "\nSELECT iothub.maintain();\n";
  return out;
}

std::string schema_problem(const std::string& url, const Patience& patience) {
  const auto status = migration_status(url, patience);
  const auto applied = std::count_if(status.begin(), status.end(), [](const MigrationStatus& s) {
    return s.applied_at.has_value();
  });
  const std::string command = fmt::format("iothub db init --database {}", url_for_a_command(url));
  if (applied == 0) {
    return fmt::format("the database is not initialised for the hub; run: {}", command);
  }
  for (const MigrationStatus& s : status) {
    if (!s.problem.empty() && s.number <= static_cast<int>(migrations().size())) {
      return changed_sentence(s.name);
    }
    if (!s.applied_at) {
      return fmt::format("the database lacks migration {} of this version; run: {}", s.name,
                         command);
    }
  }
  return {};
}

std::vector<std::string> maintain(const std::string& url, const Patience& patience) {
  BoundedConnection database(url, patience);
  return database.run([&](pqxx::connection& connection) {
    pqxx::work transaction(connection);
    transaction.exec("SET LOCAL lock_timeout = '10s'");  // others wait behind it
    std::vector<std::string> done;
    for (const auto& row : transaction.exec("SELECT iothub.maintain()")) {
      done.emplace_back(row[0].c_str());
    }
    transaction.commit();
    return done;
  });
}

}  // namespace hub::storage
