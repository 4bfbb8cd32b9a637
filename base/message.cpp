#include "base/message.h"

#include <fmt/format.h>

namespace hub {

std::string MessageId::to_string() const { return fmt::format("{:016x}{:016x}", high, low); }

}  // namespace hub
