#include "storage/session_state_sql.h"

#include <algorithm>
#include <tuple>

#include "storage/array_parameter.h"

namespace hub::storage {
namespace {

// In the order of the client ids, so that two writers lock rows in the same order.
void keep_last_of_each_client(std::vector<SessionStates::Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.client_id, a.order) < std::tie(b.client_id, b.order);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i].client_id == entries[i + 1].client_id) continue;
    if (kept != i) entries[kept] = std::move(entries[i]);
    ++kept;
  }
  entries.resize(kept);
}

}  // namespace

void add_session_statements(SessionStates& states, std::vector<ByteBuffer>& arrays,
                            std::vector<ParameterStatement>& out) {
  if (states.entries.empty()) return;
  keep_last_of_each_client(states.entries);
  const auto removed = static_cast<std::size_t>(std::count_if(
      states.entries.begin(), states.entries.end(), [](const auto& e) { return e.state.empty(); }));
  arrays.resize(3);
  ByteBuffer& saved_ids = arrays[0];
  ByteBuffer& saved_states = arrays[1];
  ByteBuffer& removed_ids = arrays[2];
  begin_array(saved_ids, kText, states.entries.size() - removed);
  begin_array(saved_states, kBytea, states.entries.size() - removed);
  begin_array(removed_ids, kText, removed);
  for (const auto& entry : states.entries) {
    if (entry.state.empty()) {
      add_element(removed_ids, entry.client_id);
    } else {
      add_element(saved_ids, entry.client_id);
      add_element(saved_states, entry.state);
    }
  }
  if (removed < states.entries.size()) {
    out.push_back(
        {"INSERT INTO iothub.session_state (client_id, state) SELECT * FROM unnest($1, $2) "
         "ON CONFLICT (client_id) DO UPDATE SET state = excluded.state",
         {kTextArray, kByteaArray},
         {saved_ids.view(), saved_states.view()},
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
