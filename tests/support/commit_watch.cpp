#include "tests/support/commit_watch.h"

#include <boost/endian/conversion.hpp>

namespace hub::test {
namespace {

constexpr std::string_view kRollback{"ROLLBACK\0", 9};  // of the transaction, not to a savepoint

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++found;
  }
  return found;
}

}  // namespace

std::optional<CommitWatch::Found> CommitWatch::read(std::string_view bytes) {
  std::optional<Found> found;
  const std::size_t before = partial_.size();
  partial_.append(bytes);
  std::size_t at = 0;
  for (;;) {
    const std::size_t type_bytes = started_ ? 1 : 0;
    const std::string_view left = std::string_view{partial_}.substr(at);
    if (left.size() < type_bytes + 4) break;
    const std::size_t message_bytes =
        type_bytes + boost::endian::load_big_u32(
                         reinterpret_cast<const unsigned char*>(left.data() + type_bytes));
    if (left.size() < message_bytes) break;
    const std::string_view body = left.substr(type_bytes + 4, message_bytes - type_bytes - 4);
    if (started_ && commits(left.front(), body) && !found) {
      found = Found{at < before ? 0 : at - before, at + message_bytes - before};
    }
    started_ = true;
    at += message_bytes;
  }
  partial_.erase(0, at);
  return found;
}

bool CommitWatch::commits(char type, std::string_view body) {
  const bool says_commit = body.find("COMMIT") != std::string_view::npos;
  switch (type) {
    case 'Q': {  // simple query
      const bool begins = body.starts_with("BEGIN");
      copies_ = count(body, "FROM STDIN");
      query_commits_ = says_commit || (!open_ && !begins);
      if (begins) open_ = true;
      if (says_commit || body.starts_with(kRollback)) open_ = false;
      return query_commits_ && copies_ == 0;
    }
    case 'c':  // CopyDone
      if (copies_ > 0) --copies_;
      return query_commits_ && copies_ == 0;
    case 'P':  // Parse
      pipeline_commits_ = pipeline_commits_ || says_commit;
      return false;
    case 'S': {  // Sync
      const bool found = pipeline_commits_ || !open_;
      if (pipeline_commits_) open_ = false;
      pipeline_commits_ = false;
      return found;
    }
    default:
      return false;
  }
}

}  // namespace hub::test
