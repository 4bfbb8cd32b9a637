#include "broker/transport/filter_factory.h"

#include <utility>

namespace hub::broker {

FilterFactory::FilterFactory(std::optional<TlsOptions> tls,
                             std::optional<WebSocketOptions> websocket)
    : options_(std::move(tls)), websocket_(std::move(websocket)) {
  if (options_) options_->carries_websocket = websocket_.has_value();
  reload();
}

std::unique_ptr<FilterChain> FilterFactory::make() const {
  std::vector<std::unique_ptr<Filter>> filters;
  if (const auto tls = tls_.load()) filters.push_back(tls->accept());
  if (websocket_) filters.push_back(make_websocket(*websocket_));
  if (filters.empty()) return nullptr;
  return std::make_unique<FilterChain>(std::move(filters));
}

void FilterFactory::reload() {
  if (!options_) return;
  const auto before = tls_.load();
  tls_.store(std::make_shared<const TlsContext>(*options_, before.get()));
}

}  // namespace hub::broker
