#include "manage/console.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <thread>

namespace hub::manage {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kPollInterval = 200ms;
constexpr auto kLongestWork = 30min;

// The columns that a text takes on a terminal: Chinese characters take two.
std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) width += byte >= 0xe3 ? 2 : 1;
  }
  return width;
}

std::string cell(const json::object& item, const ShownColumn& column) {
  auto text = shown(item, column.field);
  return text.empty() ? "-" : text;
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, width_of(text)), ' ');
}

}  // namespace

void Console::say(std::string_view line) const {
  if (!json) std::cout << line << std::endl;
}

void Console::table(const json::array& items, const std::vector<ShownColumn>& columns) const {
  if (json) {
    std::cout << json::serialize(items) << '\n';
    return;
  }
  std::vector<std::size_t> widths;
  for (const auto& column : columns) {
    auto width = column.title.size();
    for (const auto& item : items)
      width = std::max(width, width_of(cell(item.as_object(), column)));
    widths.push_back(width);
  }
  const auto print_row = [&](const auto& text_of) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i)
      line += padded(text_of(columns[i]), i + 1 < columns.size() ? widths[i] + 2 : 0);
    std::cout << line << '\n';
  };
  print_row([](const ShownColumn& column) { return std::string(column.title); });
  for (const auto& item : items)
    print_row([&](const ShownColumn& column) { return cell(item.as_object(), column); });
}

void Console::fields(const json::object& object, const std::vector<ShownColumn>& columns) const {
  if (json) {
    std::cout << json::serialize(object) << '\n';
    return;
  }
  std::size_t width = 0;
  for (const auto& column : columns) width = std::max(width, column.title.size());
  for (const auto& column : columns)
    if (const auto text = shown(object, column.field); !text.empty())
      std::cout << "  " << padded(std::string(column.title), width + 2) << text << '\n';
  std::cout.flush();
}

void Console::object(const json::object& object) const {
  if (json) std::cout << json::serialize(object) << '\n';
}

bool Console::confirm(std::string_view question) const {
  if (yes) return true;
  if (!isatty(STDIN_FILENO)) return false;
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string Console::password(std::string_view prompt) const {
  termios before{};
  const bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    std::cerr << prompt << std::flush;
    auto silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string text;
  std::getline(std::cin, text);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << '\n';
  }
  return text;
}

void follow(Client& client, const Console& console, const std::string& operation) {
  const auto path = "/v1/operations/" + operation;
  const auto deadline = std::chrono::steady_clock::now() + kLongestWork;
  std::string told;
  for (;;) {
    const auto now = client.get(path);
    const auto status = shown(now, "status");
    std::string step;
    for (const auto& item : now.at("steps").as_array())
      if (const auto state = shown(item.as_object(), "status");
          state == "running" || state == "failed")
        step = shown(item.as_object(), "name");
    auto line = fmt::format("{:>3} %  {}  {}{}", shown(now, "progress"), shown(now, "kind"),
                            status == "running" ? step : status,
                            shown(now, "message").empty() ? "" : ": " + shown(now, "message"));
    if (line != told) console.say(told = std::move(line));
    if (status == "done") return;
    if (status == "failed")
      throw std::runtime_error(
          fmt::format("{} failed at {}: {}", shown(now, "kind"), step, shown(now, "message")));
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error(
          fmt::format("{} is still at work: look again with `iothub manage "
                      "operation show {}`",
                      shown(now, "kind"), operation));
    std::this_thread::sleep_for(kPollInterval);
  }
}

void carry_out_order(Client& client, const Console& console, const json::object& order,
                     const std::string& coupon) {
  const auto number = shown(order, "orderNumber");
  if (!console.json) {
    console.say("Order " + number);
    console.fields(order, {{"product", "product"},
                           {"resource", "resourceId"},
                           {"region", "region"},
                           {"charged by", "chargeMode"},
                           {"price", "price"},
                           {"due now", "totalFee"},
                           {"terms", "terms"}});
  }
  const auto path = "/v1/orders/" + number;
  if (!console.confirm("Accept the terms and order this?")) {
    client.post(path + ":cancel");
    throw Refusal("TermsNotAccepted",
                  "The order was not confirmed, and is cancelled. Confirm it with --yes.");
  }
  client.post(path + ":confirm", {{"termsAccepted", true}});
  json::object payment;
  if (!coupon.empty()) payment["coupon"] = coupon;
  client.post(path + ":pay", payment);
  const auto work = client.list("/v1/operations?resource=" + shown(order, "resourceId"));
  if (!work.empty() && shown(order, "orderType") == "new")
    follow(client, console, shown(work.front().as_object(), "id"));
  if (const auto password = shown(order, "adminPassword"); !password.empty())
    console.say("The administrator's password, which is told this once: " + password);
}

}  // namespace hub::manage
