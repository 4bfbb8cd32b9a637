#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/durable_change.h"
#include "storage/byte_buffer.h"

namespace hub::storage {

// What one batch makes of the rows of iothub.session_state: the changes in the order in which they
// were made, encoded behind one another, so that a change allocates nothing once there is
// room. One writer's; no thread of its own.
class SessionChanges {
 public:
  // One client's. Borrows, until the next change.
  struct Change {
    std::string_view client_id;
    std::string_view row;  // as append_session_row() makes it; empty: there is to be none
  };

  // Returns the bytes that it takes.
  std::size_t add(const DurableChange& change);
  // As a record of the spool has it.
  void add(const Change& change);

  [[nodiscard]] std::size_t count() const noexcept { return places_.size(); }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  // Requires index < count().
  [[nodiscard]] Change operator[](std::size_t index) const noexcept;

  // Sorts them by client id; of several of one client, the last one made is left.
  void keep_last_of_each_client();

  void clear() noexcept;

 private:
  struct Place {
    std::size_t at;  // the client id in bytes_, and the row behind it; grows from change to change
    std::uint32_t client_id_bytes;
    std::uint32_t row_bytes;
  };
  [[nodiscard]] std::string_view client_id_of(const Place& place) const noexcept {
    return bytes_.view().substr(place.at, place.client_id_bytes);
  }
  void end_change(std::size_t at, std::size_t client_id_bytes);

  ByteBuffer bytes_;
  std::vector<Place> places_;
};

}  // namespace hub::storage
