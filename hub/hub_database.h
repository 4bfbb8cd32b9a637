#pragma once

#include <memory>
#include <optional>
#include <string>

#include "hub/config.h"
#include "storage/data_directory.h"
#include "storage/embedded_database.h"

namespace hub {

// The database of a Config, running: the given one, or the hub's own in its data directory.
//
// An object holds the data directory's lock, and runs the embedded database, for as long as it
// lives. Functions throw std::runtime_error with a sentence for a person.
class HubDatabase {
 public:
  // For serve: takes the data directory whichever database is used, so that a second hub on it is
  // refused. Starts the embedded database and brings its schema up to date; a given one is not
  // asked for anything yet.
  [[nodiscard]] static HubDatabase for_serving(const Config& config);

  // For a command beside a hub that may run: joins that hub's database, or starts it for the
  // command's time. Leaves the schema as it is.
  [[nodiscard]] static HubDatabase for_tools(const Config& config);

  // For a command that shows what a hub has written: as for_tools, and never makes a database.
  [[nodiscard]] static HubDatabase for_readers(const Config& config);

  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  [[nodiscard]] bool is_embedded() const noexcept { return is_embedded_; }

  // The URL without its password.
  [[nodiscard]] std::string shown_url() const { return without_password(url_); }

  // Applies the migrations that are missing, and logs them.
  void bring_schema_up_to_date() const;

  // Stops the embedded database; no effect on a given one.
  void stop() noexcept;

 private:
  HubDatabase() = default;
  void start_embedded();

  bool is_embedded_ = false;
  std::string url_;
  // On the heap: the database borrows the directory, and this object moves.
  std::unique_ptr<storage::DataDirectory> directory_;
  std::unique_ptr<storage::EmbeddedDatabase> embedded_;
};

// The URL of a Config's database without starting anything; nothing when the embedded one has
// never been started.
[[nodiscard]] std::optional<std::string> database_url(const Config& config);
// What to say then.
[[nodiscard]] std::string no_database_yet(const Config& config);

}  // namespace hub
