#pragma once

#include <string>

#include "manage/client.h"
#include "manage/console.h"

// What the commands of `iothub manage` do, but for serve and apply. Each throws as the client does.

namespace hub::manage {

struct AccountVerification {
  bool enterprise = false;
  std::string subject;
  std::string number;
  std::string details;
};

void create_account(Client& client, const Console& console, const std::string& name,
                    bool ask_password);
void sign_in(Client& client, const Console& console, const std::string& name);
void use_account(Client& client, const Console& console, const std::string& name);
void verify_account(Client& client, const Console& console, const std::string& name,
                    const AccountVerification& verification);
void decide_account(Client& client, const Console& console, const std::string& name, bool approve,
                    const std::string& reason);
void confirm_remittance(Client& client, const Console& console, const std::string& amount);
void deposit(Client& client, const Console& console, const std::string& account,
             const std::string& amount, const std::string& reference);

// The lists and the single things: of which kind there are, see kinds.cpp.
void list_things(Client& client, const Console& console, const std::string& kind,
                 const std::string& query = "");
void show_thing(Client& client, const Console& console, const std::string& kind,
                const std::string& ref);

// Makes a thing that is free of charge, and says what it is.
void create_thing(Client& client, const Console& console, const std::string& kind,
                  const boost::json::object& body);
// Orders one that is not.
void order_thing(Client& client, const Console& console, const std::string& kind,
                 const boost::json::object& body, const std::string& coupon);
// Starts work on a thing ("init", "backup", …), and follows it.
void work_on_thing(Client& client, const Console& console, const std::string& kind,
                   const std::string& ref, const std::string& verb,
                   const boost::json::object& body = {});
// Asks, deletes, and follows the work.
void delete_thing(Client& client, const Console& console, const std::string& kind,
                  const std::string& ref);
// What a hub counted, the newest day first.
void list_usage(Client& client, const Console& console, const std::string& ref);
void update_hub(Client& client, const Console& console, const std::string& ref,
                const boost::json::object& change);

}  // namespace hub::manage
