#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "instances/core/call.h"

// A request that is sent twice with the same key is carried out once: its answer is kept in the
// transaction that did its work.

namespace hub::instances {

struct KeptAnswer {
  int status = 0;
  std::string body;
};

inline constexpr std::chrono::hours kAnswersKept{24};

// The answer that the request got before. Makes requests of one account and key take turns. Throws
// Refusal(IdempotencyConflict) when the key was another request's. `request` is all that makes it
// that request.
std::optional<KeptAnswer> find_answer(const Call& call, const std::string& account_id,
                                      const std::string& key, const std::string& request);
void keep_answer(const Call& call, const std::string& account_id, const std::string& key,
                 const std::string& request, const KeptAnswer& answer);

int forget_answers(const Call& call);

}  // namespace hub::instances
