create extension if not exists btree_gist schema public;

create table vpc (
  id          text primary key,
  account_id  text not null references account,
  region      text not null,
  name        text not null,
  prefix      cidr,                       -- null: grows with its subnets
  description text not null default '',
  state       text not null default 'available' check (state in ('available', 'deleting')),
  version     bigint not null default 1,  -- for If-Match
  created_at  timestamptz not null,
  unique (account_id, region, name)
);

create table subnet (
  id          text primary key,
  vpc_id      text not null references vpc,
  account_id  text not null references account,
  name        text not null,
  prefix      cidr not null check (masklen(prefix) between 16 and 28),
  description text not null default '',
  state       text not null default 'available' check (state in ('available', 'deleting')),
  version     bigint not null default 1,
  created_at  timestamptz not null,
  unique (vpc_id, name),
  constraint subnets_do_not_overlap exclude using gist (vpc_id with =, prefix inet_ops with &&)
);
create index on subnet (account_id);

create table security_group (
  id          text primary key,
  vpc_id      text not null references vpc on delete cascade,
  account_id  text not null references account,
  name        text not null,
  description text not null default '',
  is_default  boolean not null,
  version     bigint not null default 1,
  created_at  timestamptz not null,
  unique (vpc_id, name)
);
create index on security_group (account_id);

create table security_rule (
  id          text primary key,
  group_id    text not null references security_group on delete cascade,
  direction   text not null check (direction in ('inbound', 'outbound')),
  protocol    text not null check (protocol in ('all', 'tcp', 'udp', 'icmp')),
  peer        cidr not null,
  from_port   integer not null,
  to_port     integer not null,
  description text not null default '',
  is_default  boolean not null default false,
  check (case when protocol in ('tcp', 'udp') then from_port between 1 and to_port and to_port <= 65535
              else from_port = 0 and to_port = 0 end),
  unique (group_id, direction, protocol, peer, from_port, to_port)
);

-- Which instance has which address. The key makes a double allocation impossible, and the rows
-- are what "in use" means for a subnet.
create table address (
  subnet_id   text not null references subnet,
  address     inet not null,
  instance_id text not null unique,
  primary key (subnet_id, address)
);

create table attachment (
  instance_id text not null,
  group_id    text not null references security_group on delete cascade,
  primary key (instance_id, group_id)
);
create index on attachment (group_id);
