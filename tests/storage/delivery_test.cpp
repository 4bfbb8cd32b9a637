#include "storage/delivery.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hub::storage {
namespace {

class DeliveryTest : public testing::Test, public CommitListener {
 protected:
  std::unique_ptr<Batch> batch_with(std::initializer_list<std::uint64_t> tokens) {
    auto batch = pool.take();
    for (const std::uint64_t token : tokens) batch->tokens.push_back({token, 0});
    return batch;
  }
  void on_batch_closing() override {}
  void on_committed(std::span<const AckToken> tokens) override {
    std::string line = "committed";
    for (const AckToken& token : tokens) line += " " + std::to_string(token.session);
    told.push_back(line);
    if (when_committed) when_committed();
  }
  void on_spooling() override { told.emplace_back("spooling"); }

  std::vector<std::string> told;
  std::function<void()> when_committed;
  boost::asio::io_context io{1};
  BatchPool pool;
  HeldBytes held{1'000};
  WriterCounters counters;
  std::shared_ptr<int> writer = std::make_shared<int>();
  Delivery delivery{io, *this, pool, held, counters, [this] { return writer; }};
};

TEST_F(DeliveryTest, ComesByAHandlerOfItsOwnNoticesFirst) {
  delivery.tell_committed(batch_with({1, 2}));
  delivery.tell_committed(batch_with({}));
  delivery.tell([](CommitListener& listener) { listener.on_spooling(); });
  EXPECT_TRUE(told.empty());
  EXPECT_FALSE(delivery.idle());
  EXPECT_EQ(writer.use_count(), 2) << "held until it is told";
  io.run();
  EXPECT_EQ(told, (std::vector<std::string>{"spooling", "committed 1 2", "committed"}));
  EXPECT_TRUE(delivery.idle());
  EXPECT_EQ(writer.use_count(), 1);
}

TEST_F(DeliveryTest, ATokenFollowsWhatWasNotToldYet) {
  delivery.tell_committed(batch_with({1}));
  delivery.tell_token({2, 0});
  EXPECT_GT(held.total(), 0u);
  io.run();
  delivery.tell_token({3, 0});
  io.restart();
  io.run();
  EXPECT_EQ(told, (std::vector<std::string>{"committed 1 2", "committed 3"}));
  EXPECT_EQ(held.total(), 0u);
  EXPECT_EQ(counters.acknowledgements.value(), 3u);
}

TEST_F(DeliveryTest, WhatIsDurableIsAcknowledgedOnceAndHoldsNothing) {
  auto batch = batch_with({1});
  held.hold(*batch, 100);
  delivery.tell_durable(*batch);
  io.run();
  EXPECT_EQ(held.total(), 0u);
  delivery.tell_committed(std::move(batch));
  io.restart();
  io.run();
  EXPECT_EQ(told, (std::vector<std::string>{"committed 1", "committed"}));
}

TEST_F(DeliveryTest, MayBeStoppedByWhatItTells) {
  delivery.tell_committed(batch_with({1}));
  delivery.tell_committed(batch_with({2}));
  when_committed = [this] { delivery.stop(); };
  io.run();
  EXPECT_EQ(told, std::vector<std::string>{"committed 1"});
}

}  // namespace
}  // namespace hub::storage
