#include "hub/hub_database.h"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "base/log.h"
#include "storage/migration.h"

namespace hub {

HubDatabase HubDatabase::for_serving(const Config& config) {
  HubDatabase out;
  out.is_embedded_ = config.database.empty();
  out.directory_ = std::make_unique<storage::DataDirectory>(config.data_dir);
  if (out.is_embedded()) {
    out.start_embedded();
    out.bring_schema_up_to_date();
  } else {
    out.url_ = config.database;
  }
  return out;
}

HubDatabase HubDatabase::for_tools(const Config& config) {
  HubDatabase out;
  out.is_embedded_ = config.database.empty();
  if (!out.is_embedded()) {
    out.url_ = config.database;
    return out;
  }
  try {
    out.directory_ = std::make_unique<storage::DataDirectory>(config.data_dir);
  } catch (const storage::DataDirectoryInUse&) {
    const auto running = storage::embedded_database_url(config.data_dir);
    if (!running) throw;
    out.url_ = *running;
    return out;
  }
  out.start_embedded();
  return out;
}

HubDatabase HubDatabase::for_readers(const Config& config) {
  if (!database_url(config)) throw std::runtime_error(no_database_yet(config));
  return for_tools(config);
}

void HubDatabase::start_embedded() {
  embedded_ = std::make_unique<storage::EmbeddedDatabase>(*directory_);
  embedded_->start();
  url_ = embedded_->url();
}

void HubDatabase::bring_schema_up_to_date() const {
  for (const auto& name : storage::apply_migrations(url_)) log::info("applied migration {}", name);
}

void HubDatabase::stop() noexcept {
  if (embedded_) embedded_->stop();
}

std::string no_database_yet(const Config& config) {
  return fmt::format("there is no database in {} yet: iothub serve or iothub db init makes it",
                     std::filesystem::absolute(config.data_dir).lexically_normal().string());
}

std::optional<std::string> database_url(const Config& config) {
  if (!config.database.empty()) return config.database;
  return storage::embedded_database_url(config.data_dir);
}

}  // namespace hub
