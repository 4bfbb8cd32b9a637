#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "manage/client.h"

namespace hub::manage {

struct ShownColumn {
  std::string_view title;
  std::string_view field;  // of the API's object
};

// What the user of the command line sees and answers.
class Console {
 public:
  bool json = false;  // --json: answers as the API gives them
  bool yes = false;   // --yes: confirms what would be asked

  void say(std::string_view line) const;  // not with --json
  void table(const boost::json::array& items, const std::vector<ShownColumn>& columns) const;
  void fields(const boost::json::object& object, const std::vector<ShownColumn>& columns) const;
  void object(const boost::json::object& object) const;  // with --json only

  // True with --yes, or when a person answers so. Without a terminal to ask on: false.
  [[nodiscard]] bool confirm(std::string_view question) const;
  // From standard input: without an echo when that is a terminal.
  [[nodiscard]] std::string password(std::string_view prompt) const;
};

// Shows the work on a resource until it ends; its progress in per cent and by step. Throws
// std::runtime_error with the reason when it fails.
void follow(Client& client, const Console& console, const std::string& operation);

// Shows an order with its price and terms, has it confirmed, pays, and follows the work. Cancels it
// when it is not confirmed. Throws as the client does.
void carry_out_order(Client& client, const Console& console, const boost::json::object& order,
                     const std::string& coupon = "");

}  // namespace hub::manage
