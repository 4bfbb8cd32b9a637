#pragma once

#include <string>
#include <vector>

#include "manage/console.h"

namespace hub::manage {

using Columns = std::vector<ShownColumn>;

// One kind of thing that the API has, and how the command line shows it.
struct Kind {
  std::string path;
  std::string id;     // the field that names one
  std::string title;  // for a person
  Columns columns;
  Columns more;  // shown of a single one, too
};

// "account", "token", "vpc", …: by the words of the command line. Throws std::out_of_range.
[[nodiscard]] const Kind& kind_of(const std::string& name);

}  // namespace hub::manage
