#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hub::test {

// Reads what the hub sends to PostgreSQL on one link and finds the messages that make the server
// commit: the Sync of a pipeline; of a simple query the message that ends its last COPY, or the
// query itself when it has none. Within BEGIN only those of a query or pipeline that has COMMIT.
// (PostgreSQL's documentation, "Message Flow".)
class CommitWatch {
 public:
  // `bytes` follow what was given before. Where in them the first message that commits begins and
  // ends; its beginning is 0 when it lies in bytes given before. Whole messages after it are read,
  // too.
  struct Found {
    std::size_t begin;
    std::size_t end;
  };
  [[nodiscard]] std::optional<Found> read(std::string_view bytes);

 private:
  [[nodiscard]] bool commits(char type, std::string_view body);

  std::string partial_;     // of a message whose end has not come
  bool started_ = false;    // the first message, which has no type, is through
  std::size_t copies_ = 0;  // of the query under way, not yet ended
  bool query_commits_ = false;
  bool pipeline_commits_ = false;
  bool open_ = false;  // BEGIN was sent, and nothing that ends it
};

}  // namespace hub::test
