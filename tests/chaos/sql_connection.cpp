#include "tests/chaos/sql_connection.h"

#include <libpq-fe.h>

#include <stdexcept>

namespace hub::test {

void SqlConnection::Closer::operator()(pg_conn* connection) const noexcept { PQfinish(connection); }

SqlConnection::SqlConnection(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

SqlConnection::Rows SqlConnection::query(const std::string& sql) {
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result{
      PQexec(connection_.get(), sql.c_str()), &PQclear};
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  Rows rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      rows[row].emplace_back(PQgetvalue(result.get(), static_cast<int>(row), column));
    }
  }
  return rows;
}

}  // namespace hub::test
