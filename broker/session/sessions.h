#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <string_view>

#include "base/slot_map.h"
#include "broker/session/session.h"

namespace hub::broker {

// A shard's sessions, by handle and by client id.
class Sessions {
 public:
  // Null when there is none.
  [[nodiscard]] Session* find(std::string_view client_id) const {
    const auto found = by_client_id_.find(client_id);
    return found == by_client_id_.end() ? nullptr : found->second;
  }
  [[nodiscard]] Session* find(Session::Handle handle) const { return sessions_.find(handle); }
  // REQUIRES a session in that slot.
  [[nodiscard]] Session& at_slot(std::uint32_t slot) const { return sessions_.at_slot(slot); }

  // REQUIRES that there is none of that client.
  Session& make(std::string_view client_id) {
    const auto [handle, session] = sessions_.emplace();
    session->handle = handle;
    session->client_id = client_id;
    by_client_id_.emplace(session->client_id, session);
    return *session;
  }
  void erase(Session& session) {
    by_client_id_.erase(session.client_id);
    sessions_.erase(session.handle);
  }
  [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

 private:
  SlotMap<Session> sessions_;
  boost::unordered_flat_map<std::string_view, Session*> by_client_id_;
};

}  // namespace hub::broker
