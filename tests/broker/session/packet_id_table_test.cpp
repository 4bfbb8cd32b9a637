#include "broker/session/packet_id_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace hub::broker {
namespace {

struct Mark {
  std::uint8_t value = 0;
};

// Held against a map, with ids that a well-behaved, a random and a hostile client picks.
class PacketIdTableOf : public testing::TestWithParam<int> {
 protected:
  std::uint16_t next_id() {
    switch (GetParam()) {
      case 0:
        return static_cast<std::uint16_t>(++count_ % 65'535 + 1);
      case 1:
        return static_cast<std::uint16_t>(random_() % 65'535 + 1);
      default:
        return static_cast<std::uint16_t>((random_() % 64) * 1'024 + 1'023 + random_() % 2);
    }
  }
  std::mt19937 random_{GetParam() + 1u};
  std::uint32_t count_ = 65'000;
};
INSTANTIATE_TEST_SUITE_P(CountingRandomAndColliding, PacketIdTableOf, testing::Values(0, 1, 2));

TEST_P(PacketIdTableOf, IdsAgreesWithAMap) {
  PacketIdTable<Mark> table;
  std::map<std::uint16_t, std::uint8_t> expected;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint16_t id = next_id();
    if (id == 0) continue;
    const auto known = expected.find(id);
    Mark* const found = table.find(PacketId{id});
    ASSERT_EQ(found != nullptr, known != expected.end()) << "id " << id << ", step " << step;
    if (found != nullptr) {
      ASSERT_EQ(found->value, known->second);
      table.erase(PacketId{id});
      expected.erase(known);
    } else {
      const auto value = static_cast<std::uint8_t>(random_());
      table.insert(PacketId{id}, {value});
      expected[id] = value;
    }
    while (expected.size() > 200) {
      const auto gone = std::next(expected.begin(), static_cast<long>(random_() % 200));
      table.erase(PacketId{gone->first});
      expected.erase(gone);
    }
    ASSERT_EQ(table.size(), expected.size());
  }
  std::map<std::uint16_t, std::uint8_t> listed;
  std::as_const(table).for_each(
      [&listed](PacketId id, const Mark& mark) { listed[id.value()] = mark.value; });
  EXPECT_EQ(listed, expected);
}

TEST(PacketIdTable, HoldsEveryIdThatThereIs) {
  PacketIdTable<Mark> table;
  for (std::uint32_t id = 1; id <= 65'535; ++id)
    table.insert(PacketId{static_cast<std::uint16_t>(id)}, {static_cast<std::uint8_t>(id)});
  for (std::uint32_t id = 1; id <= 65'535; ++id) {
    Mark* const found = table.find(PacketId{static_cast<std::uint16_t>(id)});
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->value, static_cast<std::uint8_t>(id));
    table.erase(PacketId{static_cast<std::uint16_t>(id)});
  }
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace hub::broker
