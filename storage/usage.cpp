#include "storage/usage.h"

#include "storage/bounded_connection.h"

namespace hub::storage {

DayUsage usage_today(const std::string& url, std::string_view meter, const Patience& patience) {
  return BoundedConnection(url, patience).run([&](pqxx::connection& connection) -> DayUsage {
    pqxx::read_transaction transaction(connection);
    const auto row = transaction.exec_params1(
        "SELECT d.day - date '1970-01-01', coalesce(sum(u.messages), 0) "
        "FROM (SELECT (now() AT TIME ZONE 'UTC' + interval '8 hours')::date) AS d (day) "
        "LEFT JOIN iothub.usage AS u ON u.meter = $1 AND u.day = d.day GROUP BY d.day",
        std::string(meter));
    return {row[0].as<std::int32_t>(), row[1].as<std::int64_t>()};
  });
}

}  // namespace hub::storage
