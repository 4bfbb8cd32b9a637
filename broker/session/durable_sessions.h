#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "broker/session/session_context.h"

namespace hub::broker {

// Which sessions have changed in what must survive the hub, and goes with which batch.
//
// A change is marked before the acknowledgement that it guards is asked for, in the same turn: so
// both are in the batch that is closed next, and a commit has both or neither.
class DurableSessions {
 public:
  explicit DurableSessions(SessionContext& context) : context_(context) {}

  // Asks for a batch, even if it has nothing else.
  void mark(Session& session);
  // The same, without hurry: goes with whichever batch is the next.
  void mark_for_next_batch(Session& session);
  void change_expiry(Session& session, std::uint32_t seconds);

  // The session is about to end. Until on_gone() its client id is_being_forgotten(), if there was
  // something that a session of the same client could find after a crash.
  void forget(const Session& session);
  // A token `session_gone` has come back: they come in the order of forget().
  void on_gone();
  [[nodiscard]] bool is_being_forgotten(std::string_view client_id) const {
    return forgetting_counts_.contains(client_id);
  }

  // Gives the batch that is closing what has changed.
  void on_batch_closing();

 private:
  void announce();
  void save(Session& session);

  SessionContext& context_;
  std::vector<Session::Handle> dirty_;
  bool announced_ = false;              // since the last batch was closed
  std::vector<std::string> to_forget_;  // client ids
  std::deque<std::string> forgetting_;  // those of which that has not committed, in its order
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  boost::unordered_flat_map<std::string, std::uint32_t, Hash, std::equal_to<>> forgetting_counts_;
  std::vector<DurableSubscription> subscriptions_;  // scratch of save()
  std::vector<std::uint16_t> packet_ids_;           // likewise
};

}  // namespace hub::broker
