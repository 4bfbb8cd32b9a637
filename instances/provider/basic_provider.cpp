#include "instances/provider/basic_provider.h"

#include <algorithm>

namespace hub::instances {
namespace {

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

const ProviderOptions& checked(const ProviderOptions& options) {
  const auto& name = options.installation;
  if (name.empty() || name.size() > 8 || name.find('-') != std::string::npos ||
      !std::all_of(name.begin(), name.end(), is_id_character))
    throw ProviderError(ProviderError::Next::give_up,
                        "installation \"" + name + "\": it has 1 to 8 characters of a-z and 0-9");
  return options;
}

}  // namespace

BasicProvider::BasicProvider(const ProviderOptions& options) : processes_(checked(options)) {}

void BasicProvider::check_id(const std::string& id) {
  if (id.empty() || id.size() > 20 || !std::all_of(id.begin(), id.end(), is_id_character))
    throw ProviderError(ProviderError::Next::give_up,
                        "id \"" + id + "\": it has 1 to 20 characters of a-z, 0-9 and -");
}

DatabaseHandle BasicProvider::ensure_database(const DatabaseSpec& spec) {
  return exclusively(spec.instance_id,
                     [&] { return processes_.ensure_database(spec, place(spec.instance_id)); });
}

void BasicProvider::backup_database(const std::string& instance_id, const std::string& database,
                                    const std::filesystem::path& file) {
  exclusively(instance_id, [&] { processes_.backup_database(instance_id, database, file); });
}

void BasicProvider::restore_database(const std::string& instance_id, const std::string& database,
                                     const std::filesystem::path& file) {
  exclusively(instance_id, [&] { processes_.restore_database(instance_id, database, file); });
}

void BasicProvider::ensure_hub(const HubSpec& spec) {
  exclusively(spec.instance_id, [&] { processes_.ensure_hub(spec, place(spec.instance_id)); });
}

void BasicProvider::stop(const std::string& instance_id, std::chrono::seconds grace) {
  exclusively(instance_id, [&] { processes_.stop(instance_id, grace); });
}

ProcessStatus BasicProvider::status(const std::string& id) const { return processes_.status(id); }

std::uint64_t BasicProvider::storage_bytes(const std::string& instance_id) const {
  return processes_.storage_bytes(instance_id);
}

Endpoint BasicProvider::ensure_endpoint(const EndpointSpec& spec) {
  return exclusively(spec.endpoint_id,
                     [&] { return processes_.ensure_endpoint(spec, place_forwarder(spec)); });
}

}  // namespace hub::instances
