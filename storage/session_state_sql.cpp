#include "storage/session_state_sql.h"

#include "storage/array_parameter.h"

namespace hub::storage {

void add_session_statements(SessionChanges& changes, std::vector<ByteBuffer>& arrays,
                            std::vector<ParameterStatement>& out) {
  if (changes.empty()) return;
  // In the order of the client ids, so that two writers lock rows in the same order.
  changes.keep_last_of_each_client();
  const std::size_t count = changes.count();
  std::size_t removed = 0;
  for (std::size_t i = 0; i < count; ++i) removed += changes[i].row.empty() ? 1 : 0;
  arrays.resize(3);
  ByteBuffer& saved_ids = arrays[0];
  ByteBuffer& saved_rows = arrays[1];
  ByteBuffer& removed_ids = arrays[2];
  begin_array(saved_ids, kText, count - removed);
  begin_array(saved_rows, kBytea, count - removed);
  begin_array(removed_ids, kText, removed);
  for (std::size_t i = 0; i < count; ++i) {
    const SessionChanges::Change change = changes[i];
    if (change.row.empty()) {
      add_element(removed_ids, change.client_id);
    } else {
      add_element(saved_ids, change.client_id);
      add_element(saved_rows, change.row);
    }
  }
  if (removed < count) {
    out.push_back(
        {"INSERT INTO iothub.session_state (client_id, state) SELECT * FROM unnest($1, $2) "
         "ON CONFLICT (client_id) DO UPDATE SET state = excluded.state",
         {kTextArray, kByteaArray},
         {saved_ids.view(), saved_rows.view()},
         /*recurs=*/true});
  }
  if (removed > 0) {
    out.push_back({"DELETE FROM iothub.session_state WHERE client_id = ANY ($1)",
                   {kTextArray},
                   {removed_ids.view()},
                   /*recurs=*/true});
  }
}

}  // namespace hub::storage
