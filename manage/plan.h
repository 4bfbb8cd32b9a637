#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "manage/client.h"
#include "manage/console.h"

namespace hub::manage {

// One resource as a file declares it.
struct Declared {
  std::string kind;  // "vpc", "subnet", "sg", "rds", "hub"
  std::string name;
  std::string vpc;           // of a subnet and a security group
  boost::json::object body;  // as the API takes it
  bool initialize = false;   // of a database
  boost::json::array rules;  // of a security group
};

struct DeclaredPlan {
  std::string account;              // in whose name; empty: the profile's
  std::vector<Declared> resources;  // what others stand on comes first
};

// Reads a file such as
//
//   [vpc.plant]
//   cidr = "10.1.0.0/16"
//   [vpc.plant.subnet.line1]
//   cidr = "10.1.1.0/24"
//   [rds.db]
//   vpc = "plant"
//   subnet = "line1"
//   [hub.hub1]
//   vpc = "plant"
//   subnet = "line1"
//   rds = "db"
//
// Throws std::runtime_error that names file, line and what was expected.
[[nodiscard]] DeclaredPlan read_plan(const std::filesystem::path& file);

// Shows what is to be made or changed, asks, and does it. A second time there is nothing to do.
void apply_plan(Client& client, const Console& console, const DeclaredPlan& plan);

// Shows what of the file is there, asks, and deletes it from the inside out.
void destroy_plan(Client& client, const Console& console, const DeclaredPlan& plan);

}  // namespace hub::manage
