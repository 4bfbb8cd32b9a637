#include "instances/core/idempotency.h"

#include <pqxx/pqxx>

#include "instances/core/errc.h"
#include "instances/core/secrets.h"

namespace hub::instances {

std::optional<KeptAnswer> find_answer(const Call& call, const std::string& account_id,
                                      const std::string& key, const std::string& request) {
  if (key.size() > 128)
    throw Refusal(Errc::InvalidRequest, "An Idempotency-Key has at most 128 characters.");
  lock_account(call, account_id);
  const auto found = call.tx.exec_params(
      "SELECT request_hash, status, body FROM idempotency_key WHERE account_id = $1 AND key = $2 "
      "AND created_at > $3",
      account_id, key, sql(call.now - kAnswersKept));
  if (found.empty()) return std::nullopt;
  if (pqxx::binarystring(found[0]["request_hash"]).str() != hash(request))
    throw Refusal(Errc::IdempotencyConflict,
                  "This Idempotency-Key was used for another request. Use a new key for each.");
  return KeptAnswer{found[0]["status"].as<int>(), found[0]["body"].as<std::string>()};
}

void keep_answer(const Call& call, const std::string& account_id, const std::string& key,
                 const std::string& request, const KeptAnswer& answer) {
  call.tx.exec_params(
      "INSERT INTO idempotency_key VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, key) "
      "DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status, "
      "body = excluded.body, created_at = excluded.created_at",
      account_id, key, pqxx::binarystring(hash(request)), answer.status, answer.body,
      sql(call.now));
}

int forget_answers(const Call& call) {
  return static_cast<int>(call.tx
                              .exec_params("DELETE FROM idempotency_key WHERE created_at <= $1",
                                           sql(call.now - kAnswersKept))
                              .affected_rows());
}

}  // namespace hub::instances
