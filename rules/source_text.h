#pragma once

#include <string>
#include <string_view>

#include "rules/rule_file.h"

namespace hub::rules {

// Finds where each byte of a TOML string stands.
//
// toml: the whole file.   begin: the place of the string's opening quote.   value: the string as
// the TOML parser read it. When the file does not spell that value there (which would be a
// disagreement with the parser), all bytes are taken to stand at `begin`.
[[nodiscard]] SourceText locate(std::string_view toml, SourcePosition begin, std::string value);

}  // namespace hub::rules
