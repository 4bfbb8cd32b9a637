#include "hub/rule_loading.h"

#include <utility>

#include "rules/catalogue.h"
#include "rules/rule_file.h"

namespace hub {
namespace {

class LiveCatalogue final : public rules::Catalogue {
 public:
  explicit LiveCatalogue(const storage::PgCatalogue& database) : database_(database) {}

  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override {
    return database_.table(name);
  }
  [[nodiscard]] std::string why_not(std::string_view name) const override {
    return database_.why_not(name);
  }

 private:
  const storage::PgCatalogue& database_;
};

}  // namespace

rules::Compilation load_and_compile(const std::filesystem::path& path,
                                    const storage::PgCatalogue& catalogue) {
  rules::RuleFiles files = path.empty() ? rules::default_rules() : rules::load_rules(path);
  rules::Compilation compiled = rules::compile_rules(files.rules, LiveCatalogue{catalogue});
  if (!files.problems.empty()) {
    compiled.rules = nullptr;
    compiled.problems.insert(compiled.problems.begin(),
                             std::make_move_iterator(files.problems.begin()),
                             std::make_move_iterator(files.problems.end()));
  }
  return compiled;
}

}  // namespace hub
