#include "base/text_table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace hub {
namespace {

TEST(TextTable, TextStandsLeftAndNumbersRight) {
  TextTable table;
  table.add({"rule", "rows", "duplicates"});
  table.add({"climate", "12345", "0"});
  std::ostringstream out;
  table.print(out, 1);
  EXPECT_EQ(out.str(),
            "rule      rows  duplicates\n"
            "climate  12345           0\n");
}

TEST(TextTable, CannotBeTornByWhatAClientChose) {
  TextTable table;
  table.add({"client", "detail"});
  table.add({"a\nb", "x\x1b[0m"});
  std::ostringstream out;
  table.print(out, 2);
  EXPECT_EQ(out.str(),
            "client  detail\n"
            "a\\nb    x\\x1b[0m\n");
}

}  // namespace
}  // namespace hub
