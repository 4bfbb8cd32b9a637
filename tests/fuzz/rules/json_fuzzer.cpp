// The scanner beside simdjson: it may take more (numbers beyond a double, half surrogate pairs),
// never less, and never reads past the padding.

#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/message.h"
#include "rules/payload/json_scanner.h"
#include "rules/payload/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hub;
  using namespace hub::rules;
  static const PayloadPaths paths = [] {
    PayloadPaths made;
    made.add({{"a", 0}, {"b", 0}});
    made.add({{"a", 0}, {"", 2}});
    made.add({{"longer than eight", 0}});
    return made;
  }();
  static JsonScanner scanner(paths);
  static simdjson::dom::parser parser;

  const auto padded = std::make_unique<char[]>(size + kPayloadPadding);
  if (size > 0) std::memcpy(padded.get(), data, size);
  std::memset(padded.get() + size, '"', kPayloadPadding);
  const std::string_view text(padded.get(), size);

  const bool ours = scanner.scan(text);
  // What the texts before have left in the scanner makes no difference.
  JsonScanner fresh(paths);
  if (fresh.scan(text) != ours) std::abort();
  const auto theirs = parser.parse(padded.get(), size, false).error();
  if (!ours && theirs == simdjson::SUCCESS) std::abort();
  if (ours && theirs != simdjson::SUCCESS && theirs != simdjson::NUMBER_ERROR &&
      theirs != simdjson::STRING_ERROR) {
    std::abort();
  }
  if (!ours) return 0;
  TextArena arena;
  for (std::uint32_t slot = 0; slot < paths.slots(); ++slot) {
    const Field* const field = scanner.field(slot);
    const Field* const by_fresh = fresh.field(slot);
    if ((field == nullptr) != (by_fresh == nullptr)) std::abort();
    if (field == nullptr) continue;
    if (field->raw != by_fresh->raw) std::abort();
    const JsonValue by_scan = value_of(*field, arena);
    const JsonValue by_text = value_of_json(field->raw, arena);
    if (by_scan.problem != by_text.problem) std::abort();
    if (by_scan.value.kind() != by_text.value.kind()) std::abort();
    if (json_value_end(field->raw, 0) != field->raw.size()) std::abort();
  }
  return 0;
}
