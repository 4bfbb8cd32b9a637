#include "storage/session_changes.h"

#include <algorithm>
#include <tuple>

#include "storage/session_row.h"

namespace hub::storage {

std::size_t SessionChanges::add(const DurableChange& change) {
  const std::size_t at = bytes_.size();
  const auto client_id =
      std::visit([](const auto& session) -> std::string_view { return session.client_id; }, change);
  bytes_.append(client_id);
  if (const auto* const kept = std::get_if<SessionKept>(&change)) append_session_row(bytes_, *kept);
  end_change(at, client_id.size());
  return bytes_.size() - at + sizeof(Place);
}

void SessionChanges::add(const Change& change) {
  const std::size_t at = bytes_.size();
  bytes_.append(change.client_id);
  bytes_.append(change.row);
  end_change(at, change.client_id.size());
}

void SessionChanges::end_change(std::size_t at, std::size_t client_id_bytes) {
  places_.push_back({at, static_cast<std::uint32_t>(client_id_bytes),
                     static_cast<std::uint32_t>(bytes_.size() - at - client_id_bytes)});
}

SessionChanges::Change SessionChanges::operator[](std::size_t index) const noexcept {
  const Place& place = places_[index];
  return {client_id_of(place),
          bytes_.view().substr(place.at + place.client_id_bytes, place.row_bytes)};
}

void SessionChanges::keep_last_of_each_client() {
  std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) {
    const int order = client_id_of(a).compare(client_id_of(b));
    // Where both begin at one place, the first of them has no byte at all.
    return order != 0 ? order < 0 : std::tie(a.at, a.row_bytes) < std::tie(b.at, b.row_bytes);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const bool last =
        i + 1 == places_.size() || client_id_of(places_[i]) != client_id_of(places_[i + 1]);
    if (last) places_[kept++] = places_[i];
  }
  places_.resize(kept);
}

void SessionChanges::clear() noexcept {
  bytes_.clear();
  places_.clear();
}

}  // namespace hub::storage
