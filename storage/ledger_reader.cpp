#include "storage/ledger_reader.h"

#include <pqxx/pqxx>
#include <stdexcept>

#include "storage/connection_parameters.h"
#include "storage/pg_handles.h"

namespace hub::storage {
namespace {

constexpr const char* kColumns =
    "received, committed, filtered, dead_lettered, nothing_to_store, shed_storage_full";

LedgerCounts counts_of(const pqxx::row& row) {
  LedgerCounts out;
#define HUB_COUNT(name) out.name = row[#name].as<std::int64_t>();
  HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
  return out;
}

// A WHERE clause for the columns that the table has.
std::string where(pqxx::transaction_base& transaction, const LedgerFilter& filter, bool devices) {
  std::string out = " WHERE true";
  if (filter.rule) out += " AND rule = " + transaction.quote(*filter.rule);
  if (devices && filter.device) out += " AND device = " + transaction.quote(*filter.device);
  return out;
}

template <class Read>
auto reading(const std::string& url, Read read) {
  try {
    pqxx::connection connection(to_string(connection_parameters(url)));
    pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> transaction(connection);
    return read(transaction);
  } catch (const pqxx::failure& error) {
    throw std::runtime_error(one_line(error.what()));
  }
}

}  // namespace

LedgerSnapshot read_ledger(const std::string& url, const LedgerFilter& filter) {
  return reading(url, [&](pqxx::transaction_base& transaction) {
    LedgerSnapshot out;
    std::string sums;
    LedgerCounts{}.for_each([&](std::string_view name, std::int64_t) {
      sums += std::string(", sum(") + std::string(name) + ")::bigint AS " + std::string(name);
    });
    for (const auto& row :
         transaction.exec("SELECT rule" + sums +
                          ", sum(rows)::bigint AS rows, sum(duplicates)::bigint AS duplicates FROM "
                          "iothub.ledger" +
                          where(transaction, filter, false) + " GROUP BY rule")) {
      out.rules[row["rule"].as<std::string>()] = {
          counts_of(row), {row["rows"].as<std::int64_t>(), row["duplicates"].as<std::int64_t>()}};
    }
    for (const auto& row : transaction.exec("SELECT hub, shard, batch FROM iothub.writer")) {
      out.batches[{row[0].as<std::string>(), row[1].as<std::uint32_t>()}] =
          row[2].as<std::uint64_t>();
    }
    return out;
  });
}

std::vector<DeviceAccount> read_device_ledger(const std::string& url, const LedgerFilter& filter) {
  return reading(url, [&](pqxx::transaction_base& transaction) {
    std::vector<DeviceAccount> out;
    for (const auto& row : transaction.exec(std::string("SELECT rule, device, ") + kColumns +
                                            " FROM iothub.device_account" +
                                            where(transaction, filter, true) + " ORDER BY 1, 2")) {
      out.push_back({row[0].as<std::string>(), row[1].as<std::string>(), counts_of(row)});
    }
    return out;
  });
}

std::vector<DeviceGaps> read_gaps(const std::string& url, const LedgerFilter& filter) {
  return reading(url, [&](pqxx::transaction_base& transaction) {
    std::vector<DeviceGaps> out;
    for (const auto& row : transaction.exec(
             "SELECT rule, device, given_up, lower(seen) AS first, upper(seen) - 1 AS last, "
             "lower(gap) AS gap_first, upper(gap) - 1 AS gap_last FROM iothub.device_seen "
             "LEFT JOIN LATERAL unnest(int8multirange(int8range(lower(seen), upper(seen))) - seen) "
             "AS gap ON true" +
             where(transaction, filter, true) +
             " AND (gap IS NOT NULL OR given_up > 0) ORDER BY rule, device, gap")) {
      const auto rule = row["rule"].as<std::string>();
      const auto device = row["device"].as<std::string>();
      if (out.empty() || out.back().rule != rule || out.back().device != device) {
        out.push_back({rule,
                       device,
                       row["first"].as<std::int64_t>(),
                       row["last"].as<std::int64_t>(),
                       {},
                       row["given_up"].as<std::int64_t>()});
      }
      if (!row["gap_first"].is_null()) {
        out.back().missing.emplace_back(row["gap_first"].as<std::int64_t>(),
                                        row["gap_last"].as<std::int64_t>());
      }
    }
    return out;
  });
}

}  // namespace hub::storage
