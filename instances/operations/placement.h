#pragma once

#include <string>
#include <vector>

#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/operations/worker.h"
#include "instances/provider/provider.h"

// What the records of an instance mean on the machine. Each ensure_ call may be repeated.

namespace hub::instances {

// Its VPC, its subnet and its network interface, with the rules that it has now. Writes down the
// address at which others reach it.
void ensure_network(const Machinery& machinery, const Hub& hub);
void ensure_network(const Machinery& machinery, const Rds& rds);

// The database, running. Writes down how the control plane reaches it.
void ensure_cluster(const Machinery& machinery, const Rds& rds);
// The hub's process, with the configuration that it has now. Requires its network and its role.
void ensure_process(const Machinery& machinery, const Hub& hub);
// The public endpoint; moves to another port when the machine says that this one is taken.
void ensure_public(const Machinery& machinery, const Hub& hub);

// Throws unless the hub answers an MQTT CONNECT.
void check_health(const Machinery& machinery, const Hub& hub);

// What a person needs of what a process wrote.
[[nodiscard]] std::string last_line_of(const std::string& text);

[[nodiscard]] std::string endpoint_id_of(const std::string& hub_id);
[[nodiscard]] std::string role_of(const std::string& hub_id);
// The hub's database as the control plane reaches it, with the rights of the owner of its tables.
[[nodiscard]] std::string owner_url(const Rds& rds);
// The same as the superuser.
[[nodiscard]] std::string superuser_url(const Rds& rds);
// The text of a hub's configuration file.
[[nodiscard]] std::string configuration_of(const Hub& hub, const Rds& rds);

}  // namespace hub::instances
