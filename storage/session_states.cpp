#include "storage/session_states.h"

#include <fmt/format.h>

#include <pqxx/pqxx>
#include <stdexcept>

#include "storage/pg_handles.h"

namespace hub::storage {

void load_session_states(
    const std::string& url,
    const std::function<void(std::string_view client_id, std::string_view state)>& take) {
  constexpr int kRowsAtATime = 10'000;
  try {
    pqxx::connection connection(url);
    pqxx::read_transaction transaction(connection);
    transaction.exec(
        "DECLARE states NO SCROLL CURSOR FOR SELECT client_id, state FROM iothub.session_state");
    for (;;) {
      const pqxx::result rows = transaction.exec(fmt::format("FETCH {} FROM states", kRowsAtATime));
      if (rows.empty()) return;
      for (const auto& row : rows) {
        const pqxx::binarystring state(row[1]);
        take({row[0].c_str(), row[0].size()},
             {reinterpret_cast<const char*>(state.data()), state.size()});
      }
    }
  } catch (const pqxx::failure& error) {
    throw std::runtime_error(one_line(error.what()));
  }
}

}  // namespace hub::storage
